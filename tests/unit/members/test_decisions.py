from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.members.domain import decisions
from services.members.domain.birthday import Birthday
from services.members.domain.decisions import Joining, ProfileChange
from services.members.domain.member import IDENTITIES_MAX, Channel, Consent, Identity, IdentityKind, Member, Purpose
from services.members.domain.refusals import IdentityNotHeld, MemberClosed, MemberNumberKept, TooManyIdentities

AT = datetime(2026, 3, 11, 1, 24, 31, tzinfo=UTC)
LATER = AT + timedelta(hours=1)
LI = UUID("6f1f4c1e-6a0e-4a57-9c9e-0d5a8a5b1c01")


def identity(kind: IdentityKind, number: int = 1) -> Identity:
    return Identity(kind, number.to_bytes(32))


NUMBER = identity("member", 900)
CARD = identity("card", 901)


def consent(granted: bool, at: datetime = AT, purpose: Purpose = "marketing", channel: Channel = "email") -> Consent:
    return Consent(purpose, channel, granted, at)


def joined(*consents: Consent) -> Member:
    joining = Joining(LI, (NUMBER, CARD), "zh-CN", "Asia/Shanghai", Birthday("gregorian", 2, 29), consents)
    return decisions.register(joining, AT)


def closed() -> Member:
    return decisions.close(joined(), LATER)


def test_a_registration_is_the_first_version() -> None:
    member = joined(consent(True))
    assert (member.version, member.status, member.joined_at, member.recorded_at) == (1, "active", AT, AT)
    assert member.identities == (NUMBER, CARD)


def test_an_identity_named_twice_is_held_once() -> None:
    member = decisions.register(Joining(LI, (NUMBER, CARD, CARD), "zh-CN", None, None, ()), AT)
    assert member.identities == (NUMBER, CARD)


def test_of_two_consents_for_one_channel_the_later_one_counts() -> None:
    member = decisions.give_consents(joined(consent(True)), [consent(False, LATER)], LATER)
    assert member.consents == (consent(False, LATER),)
    assert not member.consents_to("marketing", "email")


def test_marketing_needs_a_yes_and_service_needs_no_no() -> None:
    member = joined()
    assert not member.consents_to("marketing", "email")
    assert member.consents_to("service", "email")
    refused = decisions.give_consents(member, [consent(False, purpose="service")], LATER)
    assert not refused.consents_to("service", "email")


def test_a_consent_for_one_channel_is_none_for_another() -> None:
    assert not joined(consent(True)).consents_to("marketing", "sms")


def test_saying_yes_again_is_a_version_of_its_own() -> None:
    assert decisions.give_consents(joined(consent(True)), [consent(True, LATER)], LATER).version == 2


def test_a_profile_that_stays_the_same_makes_no_version() -> None:
    member = joined()
    change = ProfileChange(member.locale, member.time_zone, member.birthday)
    assert decisions.change_profile(member, change, LATER) is member


def test_a_new_name_makes_a_version_though_nothing_of_it_is_published() -> None:
    member = joined()
    change = ProfileChange(member.locale, member.time_zone, member.birthday, personal=True)
    changed = decisions.change_profile(member, change, LATER)
    assert (changed.version, changed.recorded_at) == (2, LATER)


def test_a_clock_set_back_does_not_make_a_later_version_older() -> None:
    assert decisions.block(joined(), AT - timedelta(days=1)).recorded_at == AT


def test_an_identity_that_is_held_already_changes_nothing() -> None:
    member = joined()
    assert decisions.add_identities(member, [CARD], LATER) is member


def test_identities_stand_in_the_order_in_which_they_were_added() -> None:
    first, second = identity("email", 5), identity("email", 2)
    member = decisions.add_identities(decisions.add_identities(joined(), [first], LATER), [second], LATER)
    assert member.identities == (NUMBER, CARD, first, second)


def test_more_identities_than_a_person_can_have_are_refused() -> None:
    many = [identity("card", number) for number in range(1, IDENTITIES_MAX)]
    with pytest.raises(TooManyIdentities) as refusal:
        decisions.add_identities(joined(), many, LATER)
    assert (refusal.value.limit, refusal.value.held) == (IDENTITIES_MAX, IDENTITIES_MAX + 1)


def test_the_member_number_can_neither_be_added_nor_taken_away() -> None:
    with pytest.raises(MemberNumberKept):
        decisions.remove_identity(joined(), NUMBER, LATER)
    with pytest.raises(MemberNumberKept):
        decisions.add_identities(joined(), [identity("member", 7)], LATER)


def test_an_identity_that_is_not_held_cannot_be_taken_away() -> None:
    with pytest.raises(IdentityNotHeld) as refusal:
        decisions.remove_identity(joined(), identity("card", 7), LATER)
    assert refusal.value.kind == "card"


def test_a_removed_identity_is_gone() -> None:
    assert decisions.remove_identity(joined(), CARD, LATER).identities == (NUMBER,)


def test_blocking_twice_is_one_version() -> None:
    blocked = decisions.block(joined(), LATER)
    assert (blocked.status, blocked.version) == ("blocked", 2)
    assert decisions.block(blocked, LATER) is blocked
    assert decisions.unblock(blocked, LATER).status == "active"


def test_a_member_who_has_left_has_no_identities_and_consents_to_nothing() -> None:
    member = decisions.close(joined(consent(True)), LATER)
    assert (member.status, member.identities) == ("closed", ())
    assert not member.consents_to("marketing", "email")
    assert not member.consents_to("service", "email")


def test_leaving_twice_is_leaving_once() -> None:
    member = closed()
    assert decisions.close(member, LATER) is member


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda member: decisions.block(member, LATER), id="block"),
        pytest.param(lambda member: decisions.unblock(member, LATER), id="unblock"),
        pytest.param(lambda member: decisions.give_consents(member, [consent(True)], LATER), id="consent"),
        pytest.param(lambda member: decisions.add_identities(member, [CARD], LATER), id="add identity"),
        pytest.param(lambda member: decisions.remove_identity(member, CARD, LATER), id="remove identity"),
        pytest.param(
            lambda member: decisions.change_profile(member, ProfileChange("en", None, None), LATER), id="profile"
        ),
    ],
)
def test_a_member_who_has_left_does_not_change(change: object) -> None:
    assert callable(change)
    with pytest.raises(MemberClosed) as refusal:
        change(closed())
    assert refusal.value.member_status == "closed"
