"""From a tier change to messages."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.notifier.domain.durations import Duration
from services.notifier.domain.messages import MemberId
from services.notifier.domain.planning import Rules, TierCampaign, TierChange, plan
from services.notifier.domain.tier_stream import TierCursor, TierStreamError, take

NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
MEMBER = MemberId("5f0c7f7e-3b1f-4a52-9f0e-0d8c2f6f1a01")
WELCOME = TierCampaign(
    id="welcome-gold",
    tier="gold",
    channels=("email",),
    template="welcome-gold",
    purpose="marketing",
    tolerance=Duration(exact=timedelta(days=2)),
)
RULES = Rules(version=3, levels=("silver", "gold"), campaigns=(WELCOME,))
CHANGE = TierChange(
    member_id=MEMBER,
    member_seq=1,
    hash=bytes(32),
    from_tier="silver",
    to_tier="gold",
    effective_from=datetime(2026, 6, 10, 16, tzinfo=UTC),
    recorded_at=NOW,
    valid_until=None,
    retroactive=False,
)


def test_reaching_a_tier_plans_the_welcome_of_that_tier() -> None:
    (planned,) = plan(CHANGE, RULES, now=NOW)
    assert planned.step.fate == "planned"
    assert planned.message.intent.campaign == "welcome-gold"
    assert planned.message.intent.occurrence == f"{MEMBER}/1"
    assert planned.message.programme_version == 3
    assert planned.message.due_at == NOW


def test_two_levels_crossed_at_once_welcome_to_the_upper_one_only() -> None:
    silver = replace(WELCOME, id="welcome-silver", tier="silver")
    rules = replace(RULES, campaigns=(silver, WELCOME))
    (planned,) = plan(replace(CHANGE, from_tier=None), rules, now=NOW)
    assert planned.message.intent.campaign == "welcome-gold"


def test_C15_who_falls_to_silver_is_not_welcomed_there() -> None:
    silver = replace(WELCOME, id="welcome-silver", tier="silver")
    rules = replace(RULES, campaigns=(silver, WELCOME))
    assert plan(replace(CHANGE, from_tier="gold", to_tier="silver"), rules, now=NOW) == ()
    assert plan(replace(CHANGE, from_tier="silver", to_tier=None), rules, now=NOW) == ()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(replace(CHANGE, from_tier="gold", to_tier="silver"), id="downwards"),
        pytest.param(replace(CHANGE, from_tier="silver", to_tier=None), id="to the base tier"),
        pytest.param(replace(CHANGE, from_tier="gold"), id="to the same tier"),
        pytest.param(replace(CHANGE, retroactive=True), id="in the past only"),
        pytest.param(replace(CHANGE, restores=True), id="back to what the end of a period had taken"),
        pytest.param(replace(CHANGE, to_tier="platinum"), id="to a tier that the programme lacks"),
    ],
)
def test_a_change_that_is_no_news_plans_nothing(change: TierChange) -> None:
    assert plan(change, RULES, now=NOW) == ()


def test_an_occasion_older_than_its_tolerance_is_missed() -> None:
    (planned,) = plan(CHANGE, RULES, now=CHANGE.effective_from + timedelta(days=2))
    assert (planned.step.fate, planned.step.reason) == ("missed", "too_old")


def test_an_occasion_just_within_its_tolerance_is_planned() -> None:
    (planned,) = plan(CHANGE, RULES, now=CHANGE.effective_from + timedelta(days=2, microseconds=-1))
    assert planned.step.fate == "planned"


def test_a_channel_that_nobody_serves_is_suppressed_on_record() -> None:
    rules = replace(RULES, campaigns=(replace(WELCOME, channels=("email", "webhook")),))
    fates = [(each.message.intent.channel, each.step.fate, each.step.reason) for each in plan(CHANGE, rules, now=NOW)]
    assert fates == [("email", "planned", None), ("webhook", "suppressed", "channel_not_served")]


def test_the_same_occasion_has_the_same_message_id_for_ever() -> None:
    first, second = (plan(CHANGE, RULES, now=NOW + timedelta(hours=hours))[0].message for hours in (0, 5))
    assert first.message_id == second.message_id


def test_another_channel_or_occurrence_has_another_message_id() -> None:
    message = plan(CHANGE, RULES, now=NOW)[0].message
    later = plan(replace(CHANGE, member_seq=3), RULES, now=NOW)[0].message
    assert len({message.message_id, later.message_id, replace(message.intent, channel="sms").message_id}) == 3


def test_months_of_a_tolerance_clip_at_the_end_of_the_month() -> None:
    assert Duration(months=1).after(datetime(2026, 1, 31, tzinfo=UTC)) == datetime(2026, 2, 28, tzinfo=UTC)
    assert Duration(months=14).after(datetime(2026, 12, 1, tzinfo=UTC)) == datetime(2028, 2, 1, tzinfo=UTC)


def test_tier_facts_are_taken_in_order() -> None:
    cursor = take(TierCursor(), CHANGE)
    assert cursor == TierCursor(seq=1, hash=bytes(32), tier="gold", since=CHANGE.effective_from)


def test_a_tier_fact_that_was_taken_is_not_taken_again() -> None:
    assert take(TierCursor(seq=1, hash=bytes(32), tier="gold"), CHANGE) is None
    assert take(TierCursor(seq=2, hash=b"\1" * 32, tier="gold"), CHANGE) is None


def test_another_fact_of_a_known_number_stops() -> None:
    with pytest.raises(TierStreamError, match=f"{MEMBER}: expected number 1, found 1"):
        take(TierCursor(seq=1, hash=b"\1" * 32, tier="gold"), CHANGE)


def test_a_gap_in_the_tier_facts_stops() -> None:
    with pytest.raises(TierStreamError, match="expected number 1, found 2"):
        take(TierCursor(), replace(CHANGE, member_seq=2))


def test_a_change_in_the_past_only_leaves_the_tier_of_today() -> None:
    cursor = take(TierCursor(seq=0, hash=None, tier="silver"), replace(CHANGE, retroactive=True))
    assert cursor is not None
    assert cursor.tier == "silver"


def test_a_tier_that_ended_before_the_one_to_come_leaves_that_one() -> None:
    earlier = CHANGE.effective_from - timedelta(days=1)
    promised = take(TierCursor(), CHANGE)
    assert promised is not None
    ended = replace(CHANGE, member_seq=2, to_tier=None, effective_from=earlier, ends_period=True)
    cursor = take(promised, ended)
    assert cursor is not None
    assert (cursor.seq, cursor.tier) == (2, "gold")
    lost = take(cursor, replace(CHANGE, member_seq=3, to_tier="silver"))
    assert lost is not None
    assert lost.tier == "silver"


def test_a_rise_that_reaches_over_a_lower_tier_to_come_is_the_tier_from_then_on() -> None:
    silver = take(TierCursor(), replace(CHANGE, from_tier=None, to_tier="silver"))
    assert silver is not None
    gold = take(silver, replace(CHANGE, member_seq=2, effective_from=CHANGE.effective_from - timedelta(hours=4)))
    assert gold is not None
    for_later = take(gold, replace(CHANGE, member_seq=3, retroactive=True))
    assert for_later is not None
    assert (gold.tier, for_later.tier, for_later.since) == ("gold", "gold", CHANGE.effective_from)


def test_a_channel_that_is_named_twice_is_one_message() -> None:
    rules = replace(RULES, campaigns=(replace(WELCOME, channels=("email", "email")),))
    assert len(plan(CHANGE, rules, now=NOW)) == 1
