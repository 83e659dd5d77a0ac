"""What the door makes of a checkout, given what it has seen under the same id."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from services.ingest.domain.identity import EventId, MemberId


class Kind(StrEnum):
    SALE = "sale"
    RETURN = "return"
    VOID = "void"


class Fate(StrEnum):
    ACCEPTED = "accepted"
    UNCLAIMED = "unclaimed"
    WAITING = "waiting"
    REVIEW = "review"
    IGNORED = "ignored"
    LAPSED = "lapsed"


class Reason(StrEnum):
    """Why a checkout is not a purchase, or why it was set aside beside the one that is."""

    NO_IDENTITY = "no_identity"
    UNKNOWN_IDENTITY = "unknown_identity"
    RETURN_WAITS = "return_waits"
    WAITED_TOO_LONG = "waited_too_long"
    ORIGINAL_MISSING = "original_missing"
    ORIGINAL_LAPSED = "original_lapsed"
    NOT_CLAIMED = "not_claimed"
    TRAINING = "training"
    SUSPENDED = "suspended"
    CANCELLED = "cancelled"
    OTHER_CONTENT = "other_content"
    OTHER_MEMBER = "other_member"
    OTHER_IDENTITY = "other_identity"


class ClaimedBy(StrEnum):
    TILL = "till"
    REGISTRATION = "registration"
    CLAIM = "claim"
    RECEIPT = "receipt"


IGNORED_FLAGS = (Reason.TRAINING, Reason.SUSPENDED, Reason.CANCELLED)
_WAITS = frozenset({Fate.UNCLAIMED, Fate.WAITING})


@dataclass(frozen=True, slots=True)
class Arrival:
    """A checkout at the door; `identity` is the keyed digest of what names the member, None = anonymous."""

    event_id: EventId
    kind: Kind
    fingerprint: bytes
    identity: bytes | None = None
    original_id: EventId | None = None
    flags: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """What the door remembers of an id; `outcomes` counts what it has published about it.

    `waits_until` is the first instant at which what is unclaimed, or waits for its original, no longer does.
    """

    fate: Fate
    reason: Reason | None
    fingerprint: bytes
    identity: bytes | None = None
    member_id: MemberId | None = None
    original_id: EventId | None = None
    duplicates: int = 0
    outcomes: int = 0
    waits_until: datetime | None = None

    def waits_at(self, now: datetime) -> bool:
        """Its time decides, whether or not the job that ends its waiting has come by."""
        return self.fate in _WAITS and (self.waits_until is None or now < self.waits_until)


@dataclass(frozen=True, slots=True)
class Accepted:
    member_id: MemberId


@dataclass(frozen=True, slots=True)
class Unclaimed:
    reason: Reason


@dataclass(frozen=True, slots=True)
class Waiting:
    reason: Reason


@dataclass(frozen=True, slots=True)
class Review:
    reason: Reason


@dataclass(frozen=True, slots=True)
class Ignored:
    reason: Reason


@dataclass(frozen=True, slots=True)
class Duplicate:
    pass


@dataclass(frozen=True, slots=True)
class Conflict:
    reason: Reason


@dataclass(frozen=True, slots=True)
class Released:
    """What had waited for its original goes on: the original has been accepted, and so has its member."""

    member_id: MemberId


@dataclass(frozen=True, slots=True)
class Claimed:
    """An unclaimed sale finds its member, or (None) only the identity that may become one."""

    identity: bytes
    member_id: MemberId | None
    claimed_by: ClaimedBy


Decision = Accepted | Unclaimed | Waiting | Review | Ignored | Duplicate | Conflict | Released | Claimed


def decide(
    seen: Standing | None, arrival: Arrival, owner: MemberId | None, original: Standing | None, now: datetime
) -> Decision:
    """`owner` is the member who has the arrival's identity now, None where nobody has it.

    `original` is what the door remembers of the checkout that a return or a void names.
    """
    ignored = _ignored(arrival)
    if ignored is not None:
        repeats = seen is not None and seen.reason is ignored.reason and seen.fingerprint == arrival.fingerprint
        return Duplicate() if repeats else ignored
    # An ignored checkout has not taken its id: what comes now is a first arrival.
    if seen is None or seen.fate is Fate.IGNORED:
        return _first(arrival, owner) if arrival.kind is Kind.SALE else _first_back(arrival, original)
    if seen.fingerprint != arrival.fingerprint:
        return Conflict(Reason.OTHER_CONTENT)
    if arrival.kind is not Kind.SALE:
        return _again_back(seen, original, now)
    return _again(seen, arrival, owner, now)


def remember(
    seen: Standing | None, arrival: Arrival, decision: Decision, waits_until: datetime | None = None
) -> Standing:
    """`waits_until` is for what begins to wait now."""
    match decision:
        case Accepted(member_id):
            return _taken(seen, arrival, Fate.ACCEPTED, None, member_id)
        case Unclaimed(reason):
            return _told(replace(_taken(seen, arrival, Fate.UNCLAIMED, reason), waits_until=waits_until))
        case Waiting(reason):
            return _told(replace(_taken(seen, arrival, Fate.WAITING, reason), waits_until=waits_until))
        case Review(reason):
            return _told(_taken(seen, arrival, Fate.REVIEW, reason))
        case Ignored(reason):
            return _told(_passed_by(seen, arrival, reason))
        case Duplicate():
            assert seen is not None, "only what was seen can be seen again"
            return replace(seen, duplicates=seen.duplicates + 1)
        case Conflict():
            assert seen is not None, "a conflict is with what was seen before"
            return seen
        case Released(member_id):
            assert seen is not None, "only what was seen can have waited"
            return released(seen, member_id)
        case Claimed():
            assert seen is not None, "only what was seen can be claimed"
            return claimed(seen, decision)
        case _:
            assert_never(decision)


def claimed(seen: Standing, claim: Claimed) -> Standing:
    assert seen.fate is Fate.UNCLAIMED, "a sale is claimed once"
    if claim.member_id is None:
        return _told(replace(seen, identity=claim.identity, reason=Reason.UNKNOWN_IDENTITY))
    return _accepted(replace(seen, identity=claim.identity), claim.member_id)


def released(seen: Standing, member_id: MemberId) -> Standing:
    assert seen.fate is Fate.WAITING, "a return is released once"
    return _accepted(seen, member_id)


def lapsed(seen: Standing) -> Standing:
    """A sale that nobody claimed in time earns no more; it keeps its id and the instant."""
    assert seen.fate is Fate.UNCLAIMED, "only what is unclaimed can lapse"
    return _told(replace(seen, fate=Fate.LAPSED, reason=Reason.NOT_CLAIMED))


def given_up(seen: Standing, reason: Reason) -> Standing:
    """A return whose original did not become a purchase in time: a person looks at it."""
    assert seen.fate is Fate.WAITING, "only what waits can be given up"
    return _told(replace(seen, fate=Fate.REVIEW, reason=reason, waits_until=None))


def _ignored(arrival: Arrival) -> Ignored | None:
    # A void takes back what stands in the books; it is never a practice run.
    if arrival.kind is Kind.VOID or not arrival.flags:
        return None
    return next((Ignored(reason) for reason in IGNORED_FLAGS if reason in arrival.flags), None)


def _first(arrival: Arrival, owner: MemberId | None) -> Decision:
    if arrival.identity is None:
        return Unclaimed(Reason.NO_IDENTITY)
    return Unclaimed(Reason.UNKNOWN_IDENTITY) if owner is None else Accepted(owner)


# What comes back belongs to the member of its original, whatever card is shown with it.
def _first_back(arrival: Arrival, original: Standing | None) -> Decision:
    if arrival.original_id is None:
        return Review(Reason.ORIGINAL_MISSING)
    if original is not None and original.fate is Fate.LAPSED:
        return Review(Reason.ORIGINAL_LAPSED)
    if original is None or original.member_id is None:
        return Waiting(Reason.RETURN_WAITS)
    return Accepted(original.member_id)


def _again_back(seen: Standing, original: Standing | None, now: datetime) -> Decision:
    if seen.waits_at(now) and original is not None and original.member_id is not None:
        return Released(original.member_id)
    return Duplicate()


def _again(seen: Standing, arrival: Arrival, owner: MemberId | None, now: datetime) -> Decision:
    # What has lapsed stays so, whoever is named with it now.
    if arrival.identity is None or (seen.member_id is None and not seen.waits_at(now)):
        return Duplicate()
    if seen.fate is Fate.UNCLAIMED:
        return _claim(seen, arrival.identity, owner)
    if arrival.identity == seen.identity or (owner is not None and owner == seen.member_id):
        return Duplicate()
    # An identity that nobody has yet may turn out to be anybody's: a person decides, not the order of arrival.
    return Conflict(Reason.OTHER_IDENTITY if owner is None else Reason.OTHER_MEMBER)


def _claim(seen: Standing, identity: bytes, owner: MemberId | None) -> Decision:
    if seen.identity is None:
        return Claimed(identity, owner, ClaimedBy.CLAIM)
    if seen.identity != identity:
        return Conflict(Reason.OTHER_IDENTITY)
    return Duplicate() if owner is None else Claimed(identity, owner, ClaimedBy.REGISTRATION)


def _taken(
    seen: Standing | None, arrival: Arrival, fate: Fate, reason: Reason | None, member_id: MemberId | None = None
) -> Standing:
    return Standing(
        fate=fate,
        reason=reason,
        fingerprint=arrival.fingerprint,
        identity=arrival.identity,
        member_id=member_id,
        original_id=arrival.original_id,
        duplicates=0 if seen is None else seen.duplicates,
        outcomes=0 if seen is None else seen.outcomes,
    )


def _accepted(seen: Standing, member_id: MemberId) -> Standing:
    return replace(seen, fate=Fate.ACCEPTED, reason=None, member_id=member_id, waits_until=None)


def _passed_by(seen: Standing | None, arrival: Arrival, reason: Reason) -> Standing:
    # What has taken the id keeps it; the flagged one is told of and changes nothing.
    if seen is not None and seen.fate is not Fate.IGNORED:
        return seen
    return _taken(seen, arrival, Fate.IGNORED, reason)


def _told(standing: Standing) -> Standing:
    return replace(standing, outcomes=standing.outcomes + 1)
