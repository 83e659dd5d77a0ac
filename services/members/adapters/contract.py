"""Between a member and what the topic `members` says of it."""

import json
from uuid import UUID

from schemas.envelope import event_headers
from schemas.members import MEMBER_V1, IdentityDigest, MemberState
from schemas.members import Birthday as StatedBirthday
from schemas.members import Consent as StatedConsent
from services.members.domain.birthday import Birthday
from services.members.domain.member import Consent, Identity, Member

TOPIC = "members"
SOURCE = "members"


def encode(member: Member) -> bytes:
    """The canonical bytes that are stored and published."""
    state = _state(member).model_dump(mode="json")
    return json.dumps(state, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def decode(body: bytes) -> Member:
    state = MemberState.model_validate_json(body)
    return Member(
        member_id=UUID(state.member_id),
        version=state.version,
        status=state.status,
        joined_at=state.joined_at,
        recorded_at=state.recorded_at,
        locale=state.locale,
        time_zone=state.time_zone,
        birthday=_birthday(state.birthday),
        identities=tuple(Identity(each.kind, bytes.fromhex(each.digest)) for each in state.identities),
        consents=tuple(Consent(each.purpose, each.channel, each.granted, each.at) for each in state.consents),
    )


def headers(body: bytes) -> dict[str, str]:
    """The CloudEvents attributes of a published version; `<member_id>/<version>` is its id."""
    state = MemberState.model_validate_json(body)
    event_id = f"{state.member_id}/{state.version}"
    return event_headers(event_type=MEMBER_V1, event_id=event_id, source=SOURCE, at=state.recorded_at)


def _state(member: Member) -> MemberState:
    return MemberState(
        member_id=str(member.member_id),
        version=member.version,
        status=member.status,
        joined_at=member.joined_at,
        recorded_at=member.recorded_at,
        locale=member.locale,
        time_zone=member.time_zone,
        birthday=_stated_birthday(member.birthday),
        identities=tuple(IdentityDigest(kind=each.kind, digest=each.digest.hex()) for each in member.identities),
        consents=tuple(
            StatedConsent(purpose=each.purpose, channel=each.channel, granted=each.granted, at=each.at)
            for each in member.consents
        ),
    )


def _birthday(stated: StatedBirthday | None) -> Birthday | None:
    if stated is None:
        return None
    return Birthday(stated.calendar, stated.month, stated.day, stated.leap_month)


def _stated_birthday(birthday: Birthday | None) -> StatedBirthday | None:
    if birthday is None:
        return None
    return StatedBirthday(
        calendar=birthday.calendar, month=birthday.month, day=birthday.day, leap_month=birthday.leap_month
    )
