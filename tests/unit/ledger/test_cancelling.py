"""A redemption gives back what it spent, never more."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from services.ledger.domain.balances import as_of
from services.ledger.domain.commands import ForReward
from services.ledger.domain.decide import decide
from services.ledger.domain.evolve import BrokenInvariantError, evolve, fold
from services.ledger.domain.facts import Allotment, PointsExpired, RedemptionCancelled
from services.ledger.domain.ids import EventId, event_id_of
from services.ledger.domain.instants import in_utc
from services.ledger.domain.moves import Bucket, Move
from services.ledger.domain.refusals import (
    RedemptionAlreadyCancelled,
    UnknownRedemption,
)
from services.ledger.domain.spending import redemption_in, stock_change
from services.ledger.domain.state import new_account
from tests.unit.ledger.builders import MEMBER, P, line, local, purchase
from tests.unit.ledger.spending import (
    HUNDRED,
    LATTE,
    NOW,
    THREE_LOTS,
    A,
    B,
    C,
    account,
    cancel,
    done,
    left,
    points,
    redeem,
    redeemed,
    refused,
)


def test_C11_a_cancelled_redemption_gives_the_points_back_to_their_lots() -> None:
    spent, after = done(THREE_LOTS, points(120))
    facts, restored = done(after, cancel(spent))

    (fact,) = facts
    assert isinstance(fact, RedemptionCancelled)
    assert dict(fact.given_back) == {"points": 120}
    assert left(restored) == left(THREE_LOTS)
    assert restored.units == THREE_LOTS.units


def test_C11_what_has_expired_meanwhile_expires_at_once() -> None:
    spent, after = done(THREE_LOTS, points(120))
    facts, restored = done(after, cancel(spent, at=local(2026, 12, 5)))

    assert [(fact.TYPE, fact.cause.part) for fact in facts] == [("redemption_cancelled", 0), ("points_expired", 1)]
    assert isinstance(facts[1], PointsExpired)
    assert facts[1].cause.occurred_at == in_utc(local(2026, 12, 1))
    assert left(restored) == {A: 100, C: 30}
    balance = restored.units["points"]
    assert (balance.available, balance.expired, balance.spent) == (130, 50, 0)


def test_what_is_due_is_settled_before_points_come_back() -> None:
    spent, after = done(THREE_LOTS, points(20))
    facts, restored = done(after, cancel(spent, at=local(2026, 12, 5)))

    assert [(fact.TYPE, fact.cause.part) for fact in facts] == [
        ("points_expired", 1),
        ("redemption_cancelled", 0),
        ("points_expired", 2),
    ]
    assert restored.units["points"].expired == 50


def test_points_that_come_back_repay_debt_first() -> None:
    spent, after = done(HUNDRED, points(100))
    owing = replace(after, units={"points": after.units["points"]._replace(debt=30, reversed=30)})
    facts, restored = done(owing, cancel(spent))

    assert [(move.source, move.target, move.points) for move in facts[0].moves] == [
        (Bucket.SPENT, Bucket.AVAILABLE, 100),
        (Bucket.AVAILABLE, Bucket.DEBT, 30),
    ]
    assert (restored.units["points"].available, restored.units["points"].debt) == (70, 0)


def test_points_that_come_back_too_late_repay_no_debt() -> None:
    spent, after = done(account({B: 50}), points(50))
    owing = replace(after, units={"points": after.units["points"]._replace(debt=30, reversed=30)})
    _, restored = done(owing, cancel(spent, at=local(2026, 12, 5)))

    assert (restored.units["points"].debt, restored.units["points"].expired) == (30, 50)


def test_a_redemption_that_was_cancelled_is_not_cancelled_again() -> None:
    spent, after = done(THREE_LOTS, points(120))
    back, restored = done(after, cancel(spent))
    refusal = refused(restored, cancel([*spent, *back], number=2))

    assert isinstance(refusal, RedemptionAlreadyCancelled)
    assert refusal.spent == refusal.given_back == {"points": 120}


def test_only_what_has_not_come_back_yet_is_given_back() -> None:
    spent, after = done(THREE_LOTS, points(120))
    fact = redeemed(spent)
    part = RedemptionCancelled(
        fact.cause._replace(event_id=event_id_of("part")),
        (Move("points", A, Bucket.SPENT, Bucket.AVAILABLE, 30),),
        fact.redemption_id, (("points", 30),), None, False, False, fact.command,
    )  # fmt: skip
    facts, restored = done(evolve(after, part), cancel([*spent, part]))

    assert isinstance(facts[0], RedemptionCancelled)
    assert dict(facts[0].given_back) == {"points": 90}
    assert left(restored) == left(THREE_LOTS)


def test_an_unknown_redemption_is_not_cancelled() -> None:
    spent, after = done(HUNDRED, points(10))
    refusal = refused(after, cancel(spent, redemption="no-such-redemption"))

    assert isinstance(refusal, UnknownRedemption)
    assert redemption_in((), EventId("x")) is None


def test_cancelling_frees_the_stock_and_the_members_allowance() -> None:
    reward = replace(LATTE, stock=1, per_member=1)
    spent, after = done(HUNDRED, redeem(ForReward("latte")), reward)
    facts, restored = done(after, cancel(spent), reward)

    assert stock_change(facts[0]) == ("latte", -1)
    assert restored.rewards == {"latte": 0}
    again, _ = done(restored, redeem(ForReward("latte"), number=2), reward)
    assert redeemed(again).per_member == Allotment(0, 1)


def test_a_blocked_member_gets_back_what_a_till_takes_back() -> None:
    spent, after = done(HUNDRED, points(10))
    assert done(replace(after, status="blocked"), cancel(spent))[1].units == HUNDRED.units


def test_more_than_was_spent_can_never_come_back() -> None:
    spent, after = done(HUNDRED, points(10))
    back, restored = done(after, cancel(spent))

    with pytest.raises(BrokenInvariantError):
        evolve(restored, back[0])


def test_a_redemption_reads_as_it_was_at_every_instant() -> None:
    stream = list(decide(new_account(MEMBER), purchase(line(12_000)), (P,)))
    spent, after = done(fold(new_account(MEMBER), stream), points(120))
    back, _ = done(after, cancel(spent, at=local(2027, 5, 1)))

    def seen(at: datetime) -> tuple[int, int, int]:
        balance = as_of(MEMBER, [*stream, *spent, *back], at=at, known_at=local(2027, 5, 2))["points"]
        return balance.available, balance.spent, balance.expired

    just_before = NOW - timedelta(seconds=1)
    assert [seen(at) for at in (just_before, NOW, local(2027, 4, 20), local(2027, 5, 1))] == [
        (120, 0, 0),
        (0, 120, 0),
        (0, 120, 0),
        (0, 0, 120),
    ]
