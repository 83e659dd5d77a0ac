from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from uuid import UUID

import pytest

from services.ingest.domain.identity import MemberId
from services.ingest.domain.ownership import Holding, MemberIdentities, moved, newest

LI, WANG = MemberId(UUID(int=1)), MemberId(UUID(int=2))
CARD = b"card"
START = datetime(2026, 3, 1, tzinfo=UTC)


def state(member_id: MemberId, version: int, hour: int, *digests: bytes) -> MemberIdentities:
    return MemberIdentities(member_id, version, "active", START + timedelta(hours=hour), frozenset(digests))


def owner_after(batches: Sequence[Sequence[MemberIdentities]]) -> MemberId | None:
    holding, versions = Holding(CARD, None, None), dict[MemberId, int]()
    for batch in batches:
        states = newest(batch, versions)
        holding = moved({CARD: holding}, states).get(CARD, holding)
        versions |= {each.member_id: each.version for each in states}
    return holding.member_id


def test_a_listed_identity_is_the_members() -> None:
    assert owner_after([[state(LI, 1, 0, CARD)]]) == LI


def test_an_identity_that_is_no_longer_listed_is_nobodys() -> None:
    assert owner_after([[state(LI, 1, 0, CARD)], [state(LI, 2, 1)]]) is None


def test_a_members_later_version_counts_even_if_its_clock_was_behind() -> None:
    assert owner_after([[state(LI, 1, 5, CARD)], [state(LI, 2, 4)]]) is None


def test_a_lower_version_changes_nothing() -> None:
    assert owner_after([[state(LI, 2, 1)], [state(LI, 1, 0, CARD)]]) is None
    assert newest([state(LI, 1, 0), state(LI, 3, 2), state(LI, 2, 1)], {LI: 1}) == [state(LI, 3, 2)]


def in_order(batches: Sequence[MemberIdentities]) -> bool:
    return all(
        [each.version for each in batches if each.member_id == member_id]
        == sorted(each.version for each in batches if each.member_id == member_id)
        for member_id in (LI, WANG)
    )


MOVES = [state(LI, 1, 0, CARD), state(LI, 2, 1), state(WANG, 1, 2, CARD), state(LI, 3, 3)]


@pytest.mark.parametrize("order", [order for order in permutations(MOVES) if in_order(order)])
def test_an_identity_that_moves_between_members_ends_with_the_later_one_whatever_arrives_first(
    order: Sequence[MemberIdentities],
) -> None:
    assert owner_after([[each] for each in order]) == WANG
    assert owner_after([order]) == WANG


def test_giving_up_what_somebody_else_has_takes_nothing_away() -> None:
    assert owner_after([[state(WANG, 1, 2, CARD)], [state(LI, 9, 5)]]) == WANG
