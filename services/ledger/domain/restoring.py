"""Points that paid for what comes back: a return gives them back pro rata, the void of a return spends them again."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from services.ledger.domain.clawback import take_to
from services.ledger.domain.crediting import expired_on_arrival, restored
from services.ledger.domain.earning import POINTS_TENDER
from services.ledger.domain.evidence import Waived
from services.ledger.domain.evolve import fold
from services.ledger.domain.facts import (
    Cause,
    Fact,
    Line,
    PointsRedeemed,
    PointsRestored,
    PointsSpentAgain,
    SpendingFact,
    Tender,
)
from services.ledger.domain.ids import EventId
from services.ledger.domain.moves import Bucket, Move
from services.ledger.domain.rules import Clawback, Rules
from services.ledger.domain.sale import Sale, sales_in
from services.ledger.domain.spending import Redemption, Share, redemption_in, sums_by_unit, take_last
from services.ledger.domain.state import AccountState

UNKNOWN_REDEMPTION = "unknown_redemption"
MORE_MONEY_THAN_PAID = "more_money_than_paid"
NO_REFERENCE = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changing:
    """A sale of which a return, or the void of one, will leave these `lines`.

    `known` has the redemptions that paid for it and every other sale that they paid. The facts get the id of `cause`
    and parts from `first_part` on.
    """

    sale: Sale
    lines: Sequence[Line]
    known: Sequence[Fact]
    cause: Cause
    first_part: int


def give_back(state: AccountState, changing: Changing, rules: Rules | None) -> list[Fact]:
    """For each redemption what it owes for all that has come back so far, less what returns have given back of it.

    `rules` are those in force now: they may promise that what comes back can be used for a while.
    """
    facts: list[Fact] = []
    now = changing.cause.recorded_at
    for redemption in _redemptions(changing):
        owed = _owed(redemption, changing)
        shares = [share for unit, points in owed for share in take_last([*redemption.spent], unit, points)]
        if shares:
            cause = changing.cause._replace(part=changing.first_part + len(facts))
            moves, past = restored(state, shares, rules, now)
            redemption_id, sums = redemption.fact.redemption_id, tuple(sorted(sums_by_unit(shares).items()))
            fact = PointsRestored(cause, moves, redemption_id, changing.sale.event_id, sums)
            these: list[Fact] = [fact, *expired_on_arrival(cause, past, cause.part + 1)]
            state = fold(state, these)
            facts += these
    return facts


def spend_again(state: AccountState, changing: Changing, rules: Rules | None, voided: EventId) -> list[Fact]:
    """Spends what returns gave back beyond what is still back, first where it came back to, then as a return takes.

    `rules` are those of the sale: they say what becomes of what is missing.
    """
    facts: list[Fact] = []
    for redemption in _redemptions(changing):
        took: list[Move] = []
        waived: list[Waived] = []
        for unit, points in _owed(redemption, changing):
            own = _by_lot(take_last([*redemption.restored], unit, min(-points, _not_waived(redemption, unit))))
            moves, missing = take_to(Bucket.SPENT, state, (*changing.known, *facts), unit, own, _policy(rules, unit))
            took += moves
            waived += missing
        if took or waived:
            cause = changing.cause._replace(part=changing.first_part + len(facts))
            redemption_id, sums = redemption.fact.redemption_id, tuple(sorted(sums_by_unit(took).items()))
            original_id = changing.sale.event_id
            fact = PointsSpentAgain(cause, tuple(took), redemption_id, original_id, voided, sums, tuple(waived))
            state = fold(state, [fact])
            facts.append(fact)
    return facts


def review_of_payment(changing: Changing, tenders: Sequence[Tender], *, gave_back: bool) -> str | None:
    """Why a person should look at how a sale was paid, and paid back with these `tenders`."""
    sale = changing.sale
    named = _paid_with_points(sale)
    if len([*_redemptions(changing)]) < len(named):
        return UNKNOWN_REDEMPTION
    paid_back = [*tenders, *(tender for back in sale.returns.values() for tender in back.tenders)]
    return MORE_MONEY_THAN_PAID if gave_back and _money(paid_back) > _money(sale.sold.tenders) else None


def _redemptions(changing: Changing) -> Iterator[Redemption]:
    spending = [fact for fact in changing.known if isinstance(fact, SpendingFact)]
    for reference in _paid_with_points(changing.sale):
        if (redemption := redemption_in(spending, EventId(reference))) is not None:
            yield redemption


def _owed(redemption: Redemption, changing: Changing) -> list[tuple[str, int]]:
    """By unit, what the returns that stand should have given back and have not; negative where it is the other way."""
    back = _part_back(redemption.fact, changing)
    has = sums_by_unit(redemption.restored)
    spent = redemption.fact.spent
    return [(unit, points * back.numerator // back.denominator - has.get(unit, 0)) for unit, points in spent]


def _not_waived(redemption: Redemption, unit: str) -> int:
    return sums_by_unit(redemption.restored).get(unit, 0) - redemption.waived.get(unit, 0)


def _part_back(redemption: PointsRedeemed, changing: Changing) -> Fraction:
    """The part of a redemption that paid for what has come back, over all sales that it paid.

    Points as money are worth what they were redeemed for, and others what the tenders that name them come to.
    """
    paid = [
        (sale, amounts[redemption.redemption_id])
        for sale in sales_in(changing.known).values()
        if redemption.redemption_id in (amounts := _paid_with_points(sale))
    ]
    worth = max(redemption.minor or 0, sum(amount for _, amount in paid))
    back = Fraction(0)
    for sale, amount in paid:
        lines = changing.lines if sale.event_id == changing.sale.event_id else sale.rest().lines
        part = Fraction(amount, worth) if worth else Fraction(1, len(paid))
        back += part * _part_gone(sale, lines, amount)
    return back


def _part_gone(sale: Sale, left: Sequence[Line], amount: int) -> Fraction:
    if not left:
        return Fraction(1)
    whole = _gross(sale, sale.sold.lines)
    # A reward that is sold for nothing has no part in the money: it comes back with the last line.
    return 1 - Fraction(_gross(sale, left), whole) if amount and whole else Fraction(0)


def _gross(sale: Sale, lines: Sequence[Line]) -> int:
    return sum(line.net if sale.sold.tax_included else line.net + line.tax for line in lines)


def _paid_with_points(sale: Sale) -> Mapping[str, int]:
    """In minor units, by the redemption that a tender names."""
    paid: dict[str, int] = {}
    for tender in sale.sold.tenders:
        if tender.type == POINTS_TENDER:
            reference = tender.reference or NO_REFERENCE
            paid[reference] = paid.get(reference, 0) + tender.amount
    return paid


def _money(tenders: Sequence[Tender]) -> int:
    return sum(tender.amount for tender in tenders if tender.type != POINTS_TENDER)


def _policy(rules: Rules | None, unit: str) -> Clawback:
    declared = rules.units.get(unit) if rules is not None else None
    return "debt" if declared is None else declared.on_clawback


def _by_lot(shares: Sequence[Share]) -> Mapping[str, int]:
    lots: dict[str, int] = {}
    for share in shares:
        lots[share.lot] = lots.get(share.lot, 0) + share.points
    return lots
