"""Writes letters from the programme's templates."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

from jinja2 import StrictUndefined, TemplateError
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from schemas.programme import ProgrammeDocument, TemplateText, Text
from services.notifier.adapters.programmes import Programmes
from services.notifier.application.ports import Letter, TemplateFault
from services.notifier.domain.messages import BirthdayComes, Message, TierReached
from services.notifier.domain.sending import Contact
from services.runtime.postgres.unit_of_work import Database
from services.runtime.telemetry.log import logger

Language = Literal["zh", "en"]
FALLBACK_LANGUAGES: tuple[Language, ...] = ("en", "zh")
NAMELESS: dict[Language, str] = {"zh": "会员", "en": "member"}
BODY_CHARACTERS_MAX = 200_000
_log = logger("notifier.letters")


class _Sandbox(ImmutableSandboxedEnvironment):
    # A letter repeats no text a billion times; the sandbox itself limits only ranges.
    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "*" and isinstance(left, int) and isinstance(right, int):
            return super().call_binop(context, operator, left, right)
        raise SecurityError(f"{operator} is for whole numbers only, and ** for none")


_PLAIN = _Sandbox(undefined=StrictUndefined, autoescape=False)
_HTML = _Sandbox(undefined=StrictUndefined, autoescape=True)


@dataclass(frozen=True, slots=True)
class TierInLetter:
    """`{{ tier }}` is its name in the letter's language; the dates are days of the programme's zone."""

    id: str
    name: str
    since: date
    valid_until: date | None

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class BirthdayInLetter:
    """`day` is when it is celebrated this time."""

    day: date


@dataclass(frozen=True, slots=True)
class GiftInLetter:
    """`unit` is its name in the letter's language; `points` as people count them: 1.7 where the unit has decimals."""

    points: str
    unit: str


@dataclass(frozen=True, slots=True)
class MemberInLetter:
    name: str
    locale: str


@dataclass(frozen=True, slots=True)
class TemplateLetters:
    """Renders the version of the template that the message was planned with, in the member's language."""

    database: Database
    programmes: Programmes

    async def write(self, message: Message, contact: Contact, address: str) -> Letter:
        async with self.database.read() as connection:
            document = await self.programmes.document(connection, message.programme_version)
        try:
            return render(document, message, contact, address)
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, RecursionError) as error:
            fault = f"{message.template}: {type(error).__name__}"
            _log.error("template_error", template=message.template, version=document.version, fault=fault)
            # The cause may quote the member's name.
            raise TemplateFault(fault) from None


def render(document: ProgrammeDocument, message: Message, contact: Contact, address: str) -> Letter:
    texts = document.templates[message.template]
    language = _language(contact.locale, texts)
    words = {
        "member": MemberInLetter(contact.name or NAMELESS[language], contact.locale),
        "programme": document.programme,
        **_occasion(document, message, language),
        **_gift(document, message, language),
    }
    source = texts[language]
    html = source.body.lstrip().startswith("<")
    body = (_HTML if html else _PLAIN).from_string(source.body).render(words)
    if len(body) > BODY_CHARACTERS_MAX:
        raise ValueError("the letter is too long")
    # A subject is one line whatever a name holds: a line break in it would be another header.
    subject = " ".join(_PLAIN.from_string(source.subject).render(words).split())
    return Letter(message, address, subject, body, html)


def _language(locale: str, texts: dict[Language, TemplateText]) -> Language:
    spoken = locale.partition("-")[0]
    known = [language for language in FALLBACK_LANGUAGES if language in texts]
    return min(known, key=lambda language: language != spoken)


def _occasion(document: ProgrammeDocument, message: Message, language: Language) -> dict[str, Any]:
    match message.occasion:
        case TierReached() as reached:
            return {"tier": _tier(document, reached, language)}
        case BirthdayComes(day):
            return {"birthday": BirthdayInLetter(day)}


def _gift(document: ProgrammeDocument, message: Message, language: Language) -> dict[str, Any]:
    gifts = (campaign.gift for campaign in document.campaigns if campaign.id == message.intent.campaign)
    gift = next(gifts, None)
    if gift is None:
        return {}
    unit = document.units[gift.unit]
    points = Decimal(gift.points).scaleb(-unit.decimals)
    return {"gift": GiftInLetter(f"{points.normalize():f}", _in_language(unit.name, language))}


def _tier(document: ProgrammeDocument, occasion: TierReached, language: Language) -> TierInLetter:
    levels = document.tiers.levels if document.tiers else ()
    names = next(level.name for level in levels if level.id == occasion.tier)
    zone = ZoneInfo(document.time_zone)
    return TierInLetter(
        id=occasion.tier,
        name=_in_language(names, language),
        since=_day(occasion.effective_from, zone),
        valid_until=_day(occasion.valid_until, zone) if occasion.valid_until else None,
    )


def _in_language(names: Text, language: Language) -> str:
    return names.get(language) or next(iter(names.values()))


def _day(instant: datetime, zone: ZoneInfo) -> date:
    return instant.astimezone(zone).date()
