"""Programme P of the worked cases, and commands with sensible defaults."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from services.ledger.domain.commands import ApplyTier, Command, RecordActivity, RecordPurchase
from services.ledger.domain.decide import decide
from services.ledger.domain.evolve import fold
from services.ledger.domain.expiry import Duration, Validity
from services.ledger.domain.facts import Fact, Line, PurchaseRecorded, SourcePosition, Tender
from services.ledger.domain.ids import MemberId, event_id_of
from services.ledger.domain.rules import Basis, Earn, Rule, Rules, Unit, When
from services.ledger.domain.state import AccountState, new_account

SHANGHAI = ZoneInfo("Asia/Shanghai")
MEMBER = MemberId("11111111-1111-4111-8111-111111111111")
WEEKDAYS = frozenset(range(5))
YEAR_TO_MONTH_END = Validity(Duration(months=12), "end_of_month")

BASE = Rule("base", Earn("points", Fraction(1), Basis.AMOUNT, 100), tier_factor={"gold": Fraction(3, 2)})
COFFEE_DOUBLE = Rule(
    "coffee-double",
    Earn("points", Fraction(1), Basis.AMOUNT, 100),
    When(categories=("drinks/coffee",), weekdays=WEEKDAYS),
)

COFFEE = Line(1, "latte-l", "drinks/coffee", "1", 2640, 149)
CAKE = Line(2, "cake-m", "food/cake", "1", 1450, 82)
GIFT_CARD = Line(3, "gift-100", "gift-card", "1", 10000, 0)


def local(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, second, tzinfo=SHANGHAI)


WEDNESDAY = local(2026, 3, 11, 9, 24, 31)


def programme(*rules: Rule, version: int = 1, starts_at: datetime | None = None, **changes: Any) -> Rules:
    """Programme P, or other rules in its place."""
    settings: dict[str, Any] = {
        "version": version,
        "starts_at": starts_at or local(2026, 1, 1),
        "zone": SHANGHAI,
        "currency": "CNY",
        "units": {"points": Unit("points", YEAR_TO_MONTH_END), "growth": Unit("growth", qualifying=True)},
        "rules": rules or (BASE, COFFEE_DOUBLE),
        "excluded_categories": ("gift-card",),
    }
    return Rules(**(settings | changes))


P = programme()


def line(net: int, *, number: int = 1, category: str | None = "food", quantity: str = "1", tax: int = 0) -> Line:
    return Line(number, f"sku-{number}", category, quantity, net, tax)


def purchase(*lines: Line, at: datetime = WEDNESDAY, sequence: int = 1, **changes: Any) -> RecordPurchase:
    """A sale that reaches the ledger a second after it happened."""
    sold = lines or (line(1000),)
    settings: dict[str, Any] = {
        "event_id": event_id_of("sale", str(sequence)),
        "occurred_at": at,
        "clock": at + timedelta(seconds=1),
        "position": SourcePosition("loyalty.purchases", 0, sequence),
        "kind": "sale",
        "source": "pos.acme",
        "store": "0457",
        "terminal": "03",
        "business_day": date(2026, 3, 11),
        "sequence": sequence,
        "fingerprint": f"{sequence:064x}",
        "currency": "CNY",
        "lines": sold,
        "tenders": (Tender("card", sum(sold_line.net for sold_line in sold)),),
        "channel": "store",
    }
    return RecordPurchase(**(settings | changes))


def activity(name: str, *, at: datetime = WEDNESDAY, reference: str = "r1", **changes: Any) -> RecordActivity:
    settings: dict[str, Any] = {
        "event_id": event_id_of("activity", name, reference),
        "occurred_at": at,
        "clock": at + timedelta(seconds=1),
        "position": None,
        "source": "app",
        "activity": name,
        "reference": reference,
        "fingerprint": "f" * 64,
    }
    return RecordActivity(**(settings | changes))


def tier(name: str | None, *, since: datetime, seq: int = 1, clock: datetime | None = None) -> ApplyTier:
    return ApplyTier(
        event_id=event_id_of("tier", str(seq)),
        occurred_at=since,
        clock=clock or since,
        position=None,
        tier=name,
        effective_from=since,
        tier_seq=seq,
    )


def given(*commands: Command, versions: Sequence[Rules] = (P,)) -> AccountState:
    """The account of a new member after these commands."""
    state = new_account(MEMBER)
    for command in commands:
        state = fold(state, decide(state, command, versions))
    return state


def recorded(facts: Sequence[Fact]) -> PurchaseRecorded:
    """The one purchase among the facts of a decision."""
    (fact,) = [fact for fact in facts if isinstance(fact, PurchaseRecorded)]
    return fact


def earned(facts: Sequence[Fact], unit: str = "points") -> int:
    return sum(award.points for award in recorded(facts).awards if award.unit == unit)


def by_rule(facts: Sequence[Fact]) -> dict[str, int]:
    return {award.rule: award.points for award in recorded(facts).awards}
