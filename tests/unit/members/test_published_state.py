"""What leaves for the topic, and that nobody can be read from it."""

import json
from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from schemas.members import MemberState
from services.members.adapters.contract import decode, encode, headers
from services.members.domain import decisions
from services.members.domain.birthday import Birthday
from services.members.domain.decisions import Joining
from services.members.domain.member import Consent, Identity, IdentityKind, Member
from services.runtime.digests import IdentityDigests

AT = datetime(2026, 3, 11, 1, 24, 31, 500000, tzinfo=UTC)
DIGESTS = IdentityDigests(bytes(range(32)))
KINDS: tuple[IdentityKind, ...] = ("card", "phone", "email", "app", "wechat", "external")

# Shorter texts than this stand in any hexadecimal digest by chance.
personal = st.text(st.characters(min_codepoint=33, max_codepoint=0xD7FF), min_size=6, max_size=40)
identities = st.lists(st.tuples(st.sampled_from(KINDS), personal), max_size=8)
birthdays = st.builds(
    Birthday,
    calendar=st.sampled_from(["gregorian", "lunar"]),
    month=st.integers(1, 12),
    day=st.integers(1, 28),
    leap_month=st.just(False),
)
consents = st.lists(
    st.builds(
        Consent,
        purpose=st.sampled_from(["marketing", "service"]),
        channel=st.sampled_from(["email", "sms", "webhook", "app"]),
        granted=st.booleans(),
        at=st.just(AT),
    ),
    max_size=8,
)


def member_of(values: list[tuple[IdentityKind, str]], birthday: Birthday | None, said: list[Consent]) -> Member:
    known = tuple(Identity(kind, DIGESTS.digest(kind, value)) for kind, value in values)
    return decisions.register(Joining(UUID(int=5), known, "zh-CN", "Asia/Shanghai", birthday, tuple(said)), AT)


@given(identities, st.none() | birthdays, consents)
def test_nothing_published_contains_an_identity(
    values: list[tuple[IdentityKind, str]], birthday: Birthday | None, said: list[Consent]
) -> None:
    impersonal = encode(member_of([], birthday, said)).decode()
    body = encode(member_of(values, birthday, said))
    published = body.decode() + json.dumps(headers(body))
    for _, value in values:
        assert value in impersonal or value not in published


@given(identities, st.none() | birthdays, consents)
def test_a_member_reads_back_as_it_was_written(
    values: list[tuple[IdentityKind, str]], birthday: Birthday | None, said: list[Consent]
) -> None:
    member = member_of(values, birthday, said)
    assert decode(encode(member)) == member
    assert encode(decode(encode(member))) == encode(member)


def test_a_published_member_has_no_fields_but_those_of_its_contract() -> None:
    body = encode(member_of([("card", "880012345678")], Birthday("gregorian", 2, 29), []))
    assert set(json.loads(body)) == set(MemberState.model_fields)
    assert set(json.loads(body)["birthday"]) == {"calendar", "month", "day", "leap_month"}


def test_an_instant_is_written_in_utc() -> None:
    assert json.loads(encode(member_of([], None, [])))["joined_at"] == "2026-03-11T01:24:31.500000Z"


def test_the_id_of_a_published_version_is_member_and_version() -> None:
    stated = headers(encode(member_of([], None, [])))
    assert stated["ce_id"] == f"{UUID(int=5)}/1"
    assert stated["ce_type"] == "loyalty.member.v1"
