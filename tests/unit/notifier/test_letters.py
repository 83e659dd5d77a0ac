"""From a template to the bytes of a mail."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest
from jinja2 import TemplateError

from schemas.programme import ProgrammeDocument
from services.notifier.adapters.letters import render
from services.notifier.adapters.programmes import duration_of
from services.notifier.adapters.smtp import compose
from services.notifier.application.ports import Letter
from services.notifier.domain.durations import Duration
from services.notifier.domain.messages import BirthdayComes, Intent, MemberId, Message, TierReached
from services.notifier.domain.sending import Contact
from tests.support.notifier import SENDER, birthday_programme, programme

NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
MESSAGE = Message(
    intent=Intent(MemberId("5f0c7f7e-3b1f-4a52-9f0e-0d8c2f6f1a01"), "welcome-gold", "x/1", "email"),
    template="welcome-gold",
    purpose="marketing",
    programme_version=1,
    occasion=TierReached("gold", NOW, datetime(2027, 12, 31, 16, tzinfo=UTC)),
    due_at=NOW,
    expires_at=NOW,
)
BIRTHDAY = replace(
    MESSAGE,
    intent=replace(MESSAGE.intent, campaign="birthday", occurrence="2027"),
    template="birthday",
    occasion=BirthdayComes(date(2027, 2, 28)),
)
CONTACT = Contact(status="active", consent=True, address="li@example.com", locale="zh-CN", name="李雷")


def test_a_letter_is_written_in_the_members_language() -> None:
    letter = _rendered()
    assert letter.subject == "李雷，恭喜您成为金卡会员"


def test_days_are_days_of_the_programmes_zone() -> None:
    assert _rendered().body == "有效期至 2028-01-01"


@pytest.mark.parametrize("locale", ["en-GB", "fr-FR"])
def test_other_languages_fall_back_to_english(locale: str) -> None:
    assert _rendered(contact=replace(CONTACT, locale=locale)).subject == "李雷, you are Gold now"


def test_a_template_in_one_language_serves_everybody() -> None:
    document = _with_template(language="zh", subject="金卡", body="x")
    assert _rendered(document, replace(CONTACT, locale="en-GB")).subject == "金卡"


def test_a_nameless_member_is_addressed_as_member() -> None:
    assert _rendered(contact=replace(CONTACT, name=None)).subject == "会员，恭喜您成为金卡会员"


@pytest.mark.parametrize(("locale", "text"), [("zh-CN", "2027-02-28：100 积分"), ("en-GB", "2027-02-28: 100 points")])
def test_a_birthday_letter_names_the_day_and_the_gift(locale: str, text: str) -> None:
    letter = render(birthday_programme(), BIRTHDAY, replace(CONTACT, locale=locale), "li@example.com")
    assert letter.body == text


def test_a_gift_is_counted_as_people_count_it() -> None:
    stars = {"name": {"zh": "星", "en": "stars"}, "decimals": 3}
    document = birthday_programme(changes={"gift": {"unit": "points", "points": 1700}})
    document = ProgrammeDocument.model_validate(document.model_dump() | {"units": {"points": stars}, "tiers": None})
    assert render(document, BIRTHDAY, CONTACT, "li@example.com").body == "2027-02-28：1.7 星"


def test_plain_text_is_not_escaped_and_html_is() -> None:
    irish = replace(CONTACT, name="O'Brien & <b>")
    plain = _rendered(_with_template(body="Dear {{ member.name }}"), irish)
    html = _rendered(_with_template(body="<p>Dear {{ member.name }}</p>"), irish)
    assert plain.body == "Dear O'Brien & <b>"
    assert html.body == "<p>Dear O&#39;Brien &amp; &lt;b&gt;</p>"


def test_a_line_break_in_a_name_makes_no_header() -> None:
    letter = _rendered(contact=replace(CONTACT, name="Li\r\nBcc: all@example.com"))
    mail = _composed(letter)
    assert mail["Bcc"] is None
    assert "Li Bcc: all@example.com" in mail["Subject"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("{{ unknown }}", id="an unknown word"),
        pytest.param("{{ member.phone }}", id="an unknown field"),
        pytest.param("{{ ''.__class__.__mro__ }}", id="a way out of the sandbox"),
        pytest.param("{% for n in range(1000000) %}x{% endfor %}", id="a loop without end"),
        pytest.param("{{ 'x' * 9999999999 }}", id="an endless text"),
        pytest.param("{{ 9 ** 9 ** 9 }}", id="an endless number"),
        pytest.param("{% if %}", id="a broken tag"),
    ],
)
def test_a_faulty_template_is_an_error(body: str) -> None:
    with pytest.raises((TemplateError, OverflowError)):
        _rendered(_with_template(body=body))


def test_a_mail_has_the_headers_that_servers_expect() -> None:
    mail = _composed(_rendered())
    assert mail["Message-ID"] == f"<{MESSAGE.message_id}@acme.example>"
    assert mail["Date"] == "Wed, 10 Jun 2026 12:00:00 +0000"
    assert mail["From"] == SENDER
    assert mail["To"] == "li@example.com"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content().splitlines() == ["有效期至 2028-01-01"]


def test_an_html_mail_has_a_readable_part() -> None:
    source = "<style>p {}</style><p>Dear {{ member.name }},</p><p>welcome.</p>"
    mail = _composed(_rendered(_with_template(body=source)))
    plain = mail.get_body(("plain",))
    assert plain is not None
    assert plain.get_content().splitlines() == ["Dear 李雷,", "welcome."]


@pytest.mark.parametrize("address", ["not an address", "a@b\r\nBcc: c@d", "@", ""])
def test_an_address_that_no_header_can_carry_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        compose(replace(_rendered(), address=address), sender=SENDER, now=NOW)


def test_an_address_beyond_ascii_is_carried() -> None:
    assert _composed(replace(_rendered(), address="李@example.com"))["To"] == "李@example.com"


def test_durations_of_the_programme_are_understood() -> None:
    assert duration_of("P2D") == Duration(exact=timedelta(days=2))
    assert duration_of("P1Y2M3W4DT5H6M7S") == Duration(14, timedelta(days=25, hours=5, minutes=6, seconds=7))


def _rendered(document: ProgrammeDocument | None = None, contact: Contact = CONTACT) -> Letter:
    return render(document or programme(), MESSAGE, contact, "li@example.com")


def _with_template(*, language: str = "en", subject: str = "x", body: str) -> ProgrammeDocument:
    return programme(templates={"welcome-gold": {language: {"subject": subject, "body": body}}})


def _composed(letter: Letter) -> EmailMessage:
    mail = message_from_bytes(compose(letter, sender=SENDER, now=NOW), policy=default)
    assert isinstance(mail, EmailMessage)
    return mail
