import json
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from hashlib import sha256

import pytest

from schemas.points import POINTS_FACT, points_type
from services.ledger.adapters.canonical import (
    chain,
    chain_start,
    decode,
    decode_state,
    encode,
    encode_books,
    encode_state,
    fingerprint_of,
)
from services.ledger.domain.commands import ApplyStatus, AsMoney, ForReward, RecordActivity, Settle
from services.ledger.domain.decide import decide
from services.ledger.domain.evolve import fold
from services.ledger.domain.expiry import Duration
from services.ledger.domain.facts import Fact, Tender
from services.ledger.domain.ids import event_id_of
from services.ledger.domain.rewards import MoneyRate, Reward
from services.ledger.domain.rules import Basis, Cap, Earn, Pending, Rule, When
from services.ledger.domain.state import AccountState, new_account
from tests.unit.ledger.builders import (
    BASE,
    CAKE,
    COFFEE,
    GIFT_CARD,
    MEMBER,
    WEDNESDAY,
    activity,
    line,
    local,
    programme,
    purchase,
    tier,
)
from tests.unit.ledger.spending import cancel, done, redeem

RULES = (
    programme(
        BASE,
        Rule("capped", Earn("points", Fraction(1), Basis.AMOUNT, 100), cap=Cap(30, "week")),
        Rule("star", Earn("points", Fraction(1, 3), Basis.AMOUNT, 5000, carry=True)),
        Rule("pending", Earn("growth", Fraction(5)), pending=Pending(Duration(days=14))),
        Rule("review", Earn("points", Fraction(20)), When(activity="review")),
    ),
)

LIMITED = Reward("latte", {"points": 20}, stock=3, per_member=1)
MONEY = Reward("cash", rate=MoneyRate("points", 1, 1))


def every_kind() -> tuple[list[Fact], AccountState]:
    """A stream with a fact of every kind, and its fold."""
    status = ApplyStatus(
        event_id=event_id_of("status", "2"), occurred_at=WEDNESDAY, clock=WEDNESDAY, position=None,
        status="blocked", version=2,
    )  # fmt: skip
    commands = (
        tier("gold", since=local(2026, 2, 1), clock=local(2026, 2, 1)),
        status,
        purchase(COFFEE, CAKE, GIFT_CARD, line(99, number=4, category=None), sequence=1, time_zone="Asia/Tokyo"),
        purchase(line(333), sequence=2, partner="cinema", tenders=(Tender("points", 33, 'r"1\\'), Tender("card", 300))),
        activity("review", reference='影院 é\u2028"\\'),
        Settle(clock=local(2026, 5, 1) + timedelta(microseconds=5)),
        Settle(clock=local(2027, 5, 1)),
    )
    state, facts = new_account(MEMBER), list[Fact]()
    for command in commands:
        decided = decide(state, command, RULES)
        state = fold(state, decided)
        facts += decided
        if isinstance(command, RecordActivity):
            spent, state = done(state, redeem(ForReward("latte"), at=WEDNESDAY + timedelta(1)), LIMITED)
            money, state = done(state, redeem(AsMoney("cash", 5, 90), at=WEDNESDAY + timedelta(1), number=2), MONEY)
            back, state = done(state, cancel(spent, at=WEDNESDAY + timedelta(2)))
            facts += [*spent, *money, *back]
    return facts, state


FACTS, STATE = every_kind()


def test_the_sample_has_a_fact_of_every_kind() -> None:
    assert {fact.TYPE for fact in FACTS} == {
        "purchase_recorded",
        "activity_recorded",
        "points_expired",
        "points_activated",
        "tier_applied",
        "member_status_applied",
        "points_redeemed",
        "redemption_cancelled",
    }


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.TYPE)
def test_a_fact_reads_back_as_it_was_written(fact: Fact) -> None:
    assert decode(encode(MEMBER, 3, fact)) == (MEMBER, 3, fact)


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.TYPE)
def test_a_fact_has_sorted_keys_no_spaces_and_no_fractions(fact: Fact) -> None:
    encoded = encode(MEMBER, 3, fact)
    document = json.loads(encoded, parse_float=pytest.fail)

    assert encoded == json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.TYPE)
def test_the_published_contract_reads_every_fact_and_loses_nothing(fact: Fact) -> None:
    encoded = encode(MEMBER, 3, fact)

    read = POINTS_FACT.validate_json(encoded)

    assert json.loads(POINTS_FACT.dump_json(read)) == json.loads(encoded)
    assert points_type(read.type) == f"loyalty.points.{fact.TYPE}.v1"


def test_an_account_reads_back_as_it_was_written_and_is_written_the_same_again() -> None:
    encoded = encode_state(STATE)

    assert decode_state(encoded) == STATE
    assert encode_state(decode_state(encoded)) == encoded


def test_the_order_in_which_units_and_lots_came_does_not_show() -> None:
    backwards = replace(
        STATE,
        units=dict(sorted(STATE.units.items(), reverse=True)),
        lots=dict(sorted(STATE.lots.items(), reverse=True)),
        caps=dict(sorted(STATE.caps.items(), reverse=True)),
    )

    assert encode_state(backwards) == encode_state(STATE)


def test_the_fold_of_what_was_read_is_the_account() -> None:
    read = [decode(encode(MEMBER, number, fact))[2] for number, fact in enumerate(FACTS, start=1)]

    assert encode_state(fold(new_account(MEMBER), read)) == encode_state(STATE)


def test_the_books_do_not_know_when_they_were_recorded() -> None:
    assert STATE.last_recorded_at is not None
    later = replace(STATE, last_recorded_at=STATE.last_recorded_at + timedelta(days=1))

    assert encode_books(later) == encode_books(STATE)
    assert encode_state(later) != encode_state(STATE)


def test_a_new_account_is_short() -> None:
    assert encode_state(new_account(MEMBER)) == (
        b'{"member_id":"11111111-1111-4111-8111-111111111111","member_seq":0,"status":"active","status_version":0,'
        b'"tier_seq":0,"visits":0}'
    )


def test_the_chain_starts_at_the_member_and_covers_every_byte() -> None:
    start = chain_start(MEMBER)

    assert start == sha256(b"11111111-1111-4111-8111-111111111111").digest()
    assert chain(start, b"fact") == sha256(start + b"fact").digest()


def test_the_fingerprint_is_read_from_stored_bytes() -> None:
    found = {fact.TYPE: fingerprint_of(encode(MEMBER, 1, fact)) for fact in FACTS}

    assert found["activity_recorded"] == "f" * 64
    assert found["purchase_recorded"] == f"{2:064x}"
    assert found["points_expired"] is None


def test_an_event_id_depends_on_where_its_parts_end() -> None:
    assert event_id_of("ab", "c") != event_id_of("a", "bc")
    assert event_id_of("a") == event_id_of("a")
    assert event_id_of("a", "") != event_id_of("a")
