"""What becomes of a due message, by what is learnt about it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.notifier.domain.messages import Fate, Intent, MemberId, Message, Step, TierReached, evolve
from services.notifier.domain.planning import Rules
from services.notifier.domain.sending import (
    REFUSALS_MAX,
    RETRY_DELAY_MAX,
    Accepted,
    Contact,
    Refused,
    Unavailable,
    Unclear,
    delivery_step,
    due_step,
    objection,
    put_back,
)

NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
RULES = Rules(version=1, levels=("silver", "gold", "platinum"), campaigns=())
MESSAGE = Message(
    intent=Intent(MemberId("5f0c7f7e-3b1f-4a52-9f0e-0d8c2f6f1a01"), "welcome-gold", "x/1", "email"),
    template="welcome-gold",
    purpose="marketing",
    programme_version=1,
    occasion=TierReached("gold", NOW, None),
    due_at=NOW,
    expires_at=NOW + timedelta(days=2),
    fate="planned",
)
SUBMITTING = replace(MESSAGE, fate="submitting", attempts=1)
CONTACT = Contact(status="active", consent=True, address="li@example.com", locale="zh-CN", name="李雷")


def test_a_due_message_is_submitted() -> None:
    assert due_step(MESSAGE, tier_now="gold", rules=RULES, now=NOW) == Step("submitting")


def test_a_message_that_waited_past_its_tolerance_is_missed() -> None:
    late = MESSAGE.expires_at
    assert due_step(MESSAGE, tier_now="gold", rules=RULES, now=late) == Step("missed", "too_old")


def test_a_welcome_to_a_tier_that_was_left_since_is_suppressed() -> None:
    assert due_step(MESSAGE, tier_now="silver", rules=RULES, now=NOW) == Step("suppressed", "occasion_over")


def test_a_welcome_to_a_tier_that_was_exceeded_since_is_still_true() -> None:
    assert due_step(MESSAGE, tier_now="platinum", rules=RULES, now=NOW) == Step("submitting")


def test_a_reachable_consenting_member_has_no_objection() -> None:
    assert objection(MESSAGE, CONTACT) is None


@pytest.mark.parametrize(
    ("contact", "reason"),
    [
        pytest.param(replace(CONTACT, consent=False), "no_consent", id="no consent"),
        pytest.param(replace(CONTACT, address=None), "no_address", id="no address"),
        pytest.param(replace(CONTACT, status="blocked"), "member_blocked", id="blocked"),
        pytest.param(replace(CONTACT, status="closed"), "member_closed", id="closed"),
        pytest.param(replace(CONTACT, status="erased", address=None), "member_erased", id="erased"),
        pytest.param(None, "member_unknown", id="unknown"),
    ],
)
def test_what_speaks_against_a_message_is_named(contact: Contact | None, reason: str) -> None:
    assert objection(MESSAGE, contact) == Step("suppressed", reason)


def test_a_service_message_needs_no_marketing_consent() -> None:
    service = replace(MESSAGE, purpose="service")
    assert objection(service, replace(CONTACT, consent=False)) is None


def test_a_service_message_honours_the_status() -> None:
    service = replace(MESSAGE, purpose="service")
    assert objection(service, replace(CONTACT, status="closed")) == Step("suppressed", "member_closed")


def test_an_accepted_mail_is_sent() -> None:
    assert delivery_step(SUBMITTING, Accepted(), now=NOW) == Step("sent")


def test_a_mail_without_an_answer_may_have_been_sent() -> None:
    assert delivery_step(SUBMITTING, Unclear(), now=NOW) == Step("maybe_sent", "no_answer")


def test_a_mail_refused_for_good_is_undeliverable() -> None:
    assert delivery_step(SUBMITTING, Refused(for_good=True), now=NOW) == Step("suppressed", "undeliverable")


def test_a_mail_refused_for_now_is_tried_again_later() -> None:
    step = delivery_step(SUBMITTING, Refused(for_good=False), now=NOW)
    assert (step.fate, step.reason) == ("planned", "provider_refused")
    assert step.retry_at == NOW + timedelta(seconds=30)


def test_a_mail_refused_too_often_is_undeliverable() -> None:
    message, refusals = SUBMITTING, 0
    while (step := delivery_step(message, Refused(for_good=False), now=NOW)).fate == "planned":
        message = evolve(evolve(message, step), Step("submitting"))
        refusals += 1
    assert step == Step("suppressed", "undeliverable")
    assert refusals == REFUSALS_MAX - 1


def test_an_unreachable_provider_is_asked_again_without_end() -> None:
    patient = replace(SUBMITTING, attempts=200)
    step = delivery_step(patient, Unavailable(), now=NOW)
    assert step == Step("planned", "provider_unavailable", retry_at=NOW + RETRY_DELAY_MAX)


def test_pauses_grow_up_to_an_hour() -> None:
    pauses = [put_back(replace(SUBMITTING, attempts=n), "x", now=NOW).retry_at for n in (1, 2, 3, 20)]
    assert pauses == [NOW + timedelta(seconds=s) for s in (30, 60, 120, 3600)]


@pytest.mark.parametrize("end", ["sent", "maybe_sent", "suppressed", "missed"])
def test_nothing_follows_an_end(end: Fate) -> None:
    ended = replace(MESSAGE, fate=end)
    with pytest.raises(AssertionError, match=f"{end} -> submitting"):
        evolve(ended, Step("submitting"))


def test_a_message_is_never_sent_without_submitting_first() -> None:
    with pytest.raises(AssertionError, match="planned -> sent"):
        evolve(MESSAGE, Step("sent"))
