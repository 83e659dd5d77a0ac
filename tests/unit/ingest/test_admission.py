from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.ingest.domain.admission import (
    Accepted,
    Arrival,
    Claimed,
    ClaimedBy,
    Conflict,
    Decision,
    Duplicate,
    Fate,
    Ignored,
    Kind,
    Reason,
    Released,
    Review,
    Standing,
    Unclaimed,
    Waiting,
    decide,
    given_up,
    lapsed,
    remember,
)
from services.ingest.domain.identity import EventId, MemberId

EVENT, ORIGINAL = EventId(UUID(int=1)), EventId(UUID(int=2))
LI, WANG = MemberId(UUID(int=10)), MemberId(UUID(int=11))
CARD, PHONE = b"card", b"phone"
START = datetime(2026, 3, 11, tzinfo=UTC)
END = START + timedelta(days=30)

ANONYMOUS = Arrival(EVENT, Kind.SALE, b"content")
WITH_CARD = replace(ANONYMOUS, identity=CARD)
WITH_PHONE = replace(ANONYMOUS, identity=PHONE)
OTHER = replace(WITH_CARD, fingerprint=b"other content")
RETURN = Arrival(EVENT, Kind.RETURN, b"content", CARD, ORIGINAL)


def decided(
    seen: Standing | None,
    arrival: Arrival,
    owner: MemberId | None,
    original: Standing | None = None,
    now: datetime = START,
) -> Decision:
    return decide(seen, arrival, owner, original, now)


def after(*steps: tuple[Arrival, MemberId | None]) -> Standing | None:
    seen: Standing | None = None
    for arrival, owner in steps:
        seen = remember(seen, arrival, decided(seen, arrival, owner), END)
    return seen


ACCEPTED = after((WITH_CARD, LI))
UNKNOWN_CARD = after((WITH_CARD, None))
NO_IDENTITY = after((ANONYMOUS, None))


@pytest.mark.parametrize(
    ("seen", "arrival", "owner", "decision"),
    [
        pytest.param(None, WITH_CARD, LI, Accepted(LI), id="a member's sale is accepted"),
        pytest.param(None, ANONYMOUS, None, Unclaimed(Reason.NO_IDENTITY), id="an anonymous sale waits"),
        pytest.param(None, WITH_CARD, None, Unclaimed(Reason.UNKNOWN_IDENTITY), id="an unknown card waits"),
        pytest.param(None, RETURN, LI, Waiting(Reason.RETURN_WAITS), id="a return waits"),
        pytest.param(None, replace(RETURN, original_id=None), LI, Review(Reason.ORIGINAL_MISSING), id="a loose return"),
        pytest.param(ACCEPTED, WITH_CARD, LI, Duplicate(), id="the same again"),
        pytest.param(ACCEPTED, ANONYMOUS, None, Duplicate(), id="the same again without a member"),
        pytest.param(ACCEPTED, WITH_PHONE, LI, Duplicate(), id="two cards of one member"),
        pytest.param(ACCEPTED, WITH_CARD, None, Duplicate(), id="the card was given up meanwhile"),
        pytest.param(ACCEPTED, WITH_CARD, WANG, Duplicate(), id="the card went to another member meanwhile"),
        pytest.param(ACCEPTED, WITH_PHONE, WANG, Conflict(Reason.OTHER_MEMBER), id="two cards of two members"),
        pytest.param(ACCEPTED, WITH_PHONE, None, Conflict(Reason.OTHER_IDENTITY), id="a second card of nobody"),
        pytest.param(ACCEPTED, OTHER, LI, Conflict(Reason.OTHER_CONTENT), id="other content"),
        pytest.param(NO_IDENTITY, ANONYMOUS, None, Duplicate(), id="anonymous again"),
        pytest.param(
            NO_IDENTITY,
            WITH_CARD,
            LI,
            Claimed(CARD, LI, ClaimedBy.CLAIM),
            id="a member where there was none is a claim",
        ),
        pytest.param(
            NO_IDENTITY, WITH_CARD, None, Claimed(CARD, None, ClaimedBy.CLAIM), id="a card where there was none"
        ),
        pytest.param(UNKNOWN_CARD, ANONYMOUS, None, Duplicate(), id="unknown card, then anonymous"),
        pytest.param(UNKNOWN_CARD, WITH_CARD, None, Duplicate(), id="unknown card again"),
        pytest.param(
            UNKNOWN_CARD, WITH_CARD, LI, Claimed(CARD, LI, ClaimedBy.REGISTRATION), id="the card is known by now"
        ),
        pytest.param(UNKNOWN_CARD, WITH_PHONE, LI, Conflict(Reason.OTHER_IDENTITY), id="a member instead of a card"),
        pytest.param(UNKNOWN_CARD, OTHER, None, Conflict(Reason.OTHER_CONTENT), id="unclaimed, other content"),
        pytest.param(after((RETURN, LI)), replace(RETURN, identity=PHONE), WANG, Duplicate(), id="a return, any card"),
    ],
)
def test_a_decision(seen: Standing | None, arrival: Arrival, owner: MemberId | None, decision: Decision) -> None:
    assert decided(seen, arrival, owner) == decision


@pytest.mark.parametrize(
    ("arrival", "decision"),
    [
        pytest.param(ANONYMOUS, Duplicate(), id="without a member"),
        pytest.param(WITH_CARD, Duplicate(), id="with the card that is known by now"),
        pytest.param(WITH_PHONE, Duplicate(), id="with somebody else"),
        pytest.param(OTHER, Conflict(Reason.OTHER_CONTENT), id="with other content"),
    ],
)
def test_what_has_lapsed_stays_so_whether_or_not_the_job_has_come_by(arrival: Arrival, decision: Decision) -> None:
    for seen in (UNKNOWN_CARD, NO_IDENTITY):
        assert seen is not None
        assert decided(seen, arrival, LI, now=END) == decision
        assert decided(lapsed(seen), arrival, LI, now=END) == decision
        assert decided(seen, replace(arrival, identity=CARD), LI, now=END - timedelta(microseconds=1)) != Duplicate()


def test_a_sale_that_lapses_is_told_and_keeps_the_instant() -> None:
    assert UNKNOWN_CARD is not None
    seen = lapsed(UNKNOWN_CARD)
    assert (seen.fate, seen.reason, seen.outcomes, seen.waits_until) == (Fate.LAPSED, Reason.NOT_CLAIMED, 2, END)


def test_a_claim_ends_the_waiting() -> None:
    for claiming in (WITH_CARD, WITH_PHONE):
        seen = after((ANONYMOUS, None), (claiming, LI))
        assert seen is not None
        assert seen.waits_until is None


SOLD = Standing(Fate.ACCEPTED, None, b"sale", member_id=WANG)
UNSOLD = Standing(Fate.UNCLAIMED, Reason.UNKNOWN_IDENTITY, b"sale")
GONE = Standing(Fate.LAPSED, Reason.NOT_CLAIMED, b"sale")
WAITS = after((RETURN, LI))


@pytest.mark.parametrize("kind", [Kind.RETURN, Kind.VOID])
@pytest.mark.parametrize(
    ("seen", "original", "decision"),
    [
        pytest.param(None, SOLD, Accepted(WANG), id="it belongs to the member of its original"),
        pytest.param(None, UNSOLD, Waiting(Reason.RETURN_WAITS), id="it waits for an unclaimed original"),
        pytest.param(WAITS, None, Duplicate(), id="the same again while it waits"),
        pytest.param(WAITS, SOLD, Released(WANG), id="the same again once its original is accepted"),
        pytest.param(None, GONE, Review(Reason.ORIGINAL_LAPSED), id="its original has lapsed"),
    ],
)
def test_what_comes_back(kind: Kind, seen: Standing | None, original: Standing | None, decision: Decision) -> None:
    assert decided(seen, replace(RETURN, kind=kind), LI, original) == decision


def test_a_return_that_waited_its_time_is_not_released_any_more() -> None:
    assert decided(WAITS, RETURN, LI, SOLD, END) == Duplicate()


def test_what_was_released_is_accepted_and_comes_once() -> None:
    assert WAITS is not None
    seen = remember(WAITS, RETURN, Released(WANG))
    assert (seen.fate, seen.member_id, seen.reason, seen.outcomes) == (Fate.ACCEPTED, WANG, None, 1)
    assert decided(seen, RETURN, LI, SOLD) == Duplicate()


def test_what_waited_too_long_is_told_and_stays_with_a_person() -> None:
    assert WAITS is not None
    seen = given_up(WAITS, Reason.WAITED_TOO_LONG)
    assert (seen.fate, seen.reason, seen.outcomes) == (Fate.REVIEW, Reason.WAITED_TOO_LONG, 2)
    assert decided(seen, RETURN, LI, SOLD) == Duplicate()


@pytest.mark.parametrize("reason", [Reason.TRAINING, Reason.SUSPENDED, Reason.CANCELLED])
@pytest.mark.parametrize("kind", [Kind.SALE, Kind.RETURN])
def test_what_was_never_completed_is_ignored_with_its_reason(kind: Kind, reason: Reason) -> None:
    flagged = Arrival(EVENT, kind, b"content", CARD, flags=("offline", reason.value))
    assert decided(None, flagged, LI) == Ignored(reason)


def test_an_offline_sale_is_a_sale() -> None:
    assert decided(None, replace(WITH_CARD, flags=("offline",)), LI) == Accepted(LI)


def test_a_void_is_never_ignored() -> None:
    void = Arrival(EVENT, Kind.VOID, b"content", None, ORIGINAL, ("cancelled",))
    assert decided(None, void, None) == Waiting(Reason.RETURN_WAITS)


def test_an_ignored_checkout_does_not_take_its_id() -> None:
    flagged = replace(WITH_CARD, flags=("suspended",))
    assert decided(after((flagged, LI)), OTHER, LI) == Accepted(LI)


def test_the_same_ignored_checkout_again_is_a_duplicate_and_another_one_is_told() -> None:
    flagged = replace(WITH_CARD, flags=("suspended",))
    seen = after((flagged, LI))
    assert decided(seen, flagged, LI) == Duplicate()
    assert decided(seen, replace(flagged, fingerprint=b"more lines"), LI) == Ignored(Reason.SUSPENDED)


def test_a_flagged_checkout_after_the_sale_is_told_and_changes_nothing() -> None:
    flagged = replace(WITH_CARD, flags=("cancelled",))
    assert decided(ACCEPTED, flagged, LI) == Ignored(Reason.CANCELLED)
    seen = after((WITH_CARD, LI), (flagged, LI))
    assert seen is not None
    assert ACCEPTED is not None
    assert seen == replace(ACCEPTED, outcomes=1)


def test_a_claim_makes_the_sale_the_members() -> None:
    seen = after((ANONYMOUS, None), (WITH_CARD, LI))
    assert seen is not None
    assert (seen.fate, seen.member_id, seen.identity, seen.reason) == (Fate.ACCEPTED, LI, CARD, None)


def test_a_claim_by_a_card_of_nobody_waits_for_that_card() -> None:
    seen = after((ANONYMOUS, None), (WITH_CARD, None))
    assert seen is not None
    assert (seen.fate, seen.identity, seen.reason) == (Fate.UNCLAIMED, CARD, Reason.UNKNOWN_IDENTITY)
    assert decided(seen, WITH_PHONE, WANG) == Conflict(Reason.OTHER_IDENTITY)


def test_one_receipt_is_claimed_once() -> None:
    seen = after((ANONYMOUS, None), (WITH_CARD, LI))
    assert decided(seen, WITH_PHONE, WANG) == Conflict(Reason.OTHER_MEMBER)


def test_duplicates_are_counted_and_outcomes_are_numbered() -> None:
    seen = after((ANONYMOUS, None), (ANONYMOUS, None), (WITH_CARD, None), (WITH_CARD, None), (WITH_CARD, LI))
    assert seen is not None
    assert (seen.duplicates, seen.outcomes, seen.fate) == (2, 2, Fate.ACCEPTED)
