"""Who has which identity, whatever the order in which members' states arrive."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from services.ingest.domain.identity import MemberId


@dataclass(frozen=True, slots=True)
class MemberIdentities:
    """The identities (digests) of a member as of `recorded_at`; closed and erased members have none."""

    member_id: MemberId
    version: int
    status: str
    recorded_at: datetime
    digests: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Holding:
    """Who has an identity, None = nobody; `known_at` is the latest moment at which some member's state said so."""

    digest: bytes
    member_id: MemberId | None
    known_at: datetime | None


def newest(states: Iterable[MemberIdentities], known: Mapping[MemberId, int]) -> list[MemberIdentities]:
    """Of each member the state with the highest version, where it is above the version known."""
    best: dict[MemberId, MemberIdentities] = {}
    for state in states:
        if state.version > max(known.get(state.member_id, -1), _version(best.get(state.member_id))):
            best[state.member_id] = state
    return list(best.values())


def moved(holdings: Mapping[bytes, Holding], states: Iterable[MemberIdentities]) -> dict[bytes, Holding]:
    """The holdings that change; `holdings` covers what the states list and what their members have now.

    An identity goes from one member to another over two partitions, in either order: the later moment wins.
    """
    held: dict[MemberId, set[bytes]] = {}
    for holding in holdings.values():
        if holding.member_id is not None:
            held.setdefault(holding.member_id, set()).add(holding.digest)
    changed: dict[bytes, Holding] = {}
    for state in sorted(states, key=_recorded):
        for digest in state.digests | held.get(state.member_id, set()):
            current = changed.get(digest, holdings[digest])
            after = _after(current, state)
            if after != current:
                changed[digest] = after
    return changed


def _after(holding: Holding, state: MemberIdentities) -> Holding:
    lists, holds = holding.digest in state.digests, holding.member_id == state.member_id
    if not (lists or holds):
        return holding
    known_at = holding.known_at or state.recorded_at
    # Between two members only time can tell; of one member the version does, whatever the clocks said.
    if not holds and known_at > state.recorded_at:
        return holding
    return Holding(holding.digest, state.member_id if lists else None, max(known_at, state.recorded_at))


def _version(state: MemberIdentities | None) -> int:
    return -1 if state is None else state.version


def _recorded(state: MemberIdentities) -> tuple[datetime, int]:
    return (state.recorded_at, state.version)
