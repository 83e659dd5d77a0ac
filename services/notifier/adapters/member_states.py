"""The notifier's own picture of the members."""

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from services.notifier.domain.known_members import KnownMember
from services.runtime.postgres.unit_of_work import UnitOfWork

LAST_VERSION = 2**63 - 1


class PostgresMemberStates:
    """The higher version wins, whatever comes first."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    async def keep(self, members: Sequence[KnownMember]) -> None:
        # Sorted: two partitions never hold one member, but a rebuild beside them might. Versions keep their order.
        values = [
            {
                "member_id": UUID(member.member_id),
                "version": LAST_VERSION if member.version is None else member.version,
                "status": member.status,
                "locale": member.locale,
                "time_zone": member.time_zone,
                "consents": [list(consent) for consent in member.consents],
                "calendar": member.birthday.calendar if member.birthday else None,
                "month": member.birthday.month if member.birthday else None,
                "day": member.birthday.day if member.birthday else None,
                "joined_at": member.joined_at,
                "recorded_at": member.recorded_at,
            }
            for member in sorted(members, key=lambda member: member.member_id)
        ]
        if values:
            await self._uow.connection.execute(_KEEP, values)


# A birthday holds since it was told, which for a member met for the first time is when they joined. A version that is
# known is written again: it may have been kept before birthdays were.
_KEEP = sa.text(
    "INSERT INTO member_state AS known (member_id, version, status, locale, time_zone, consents,"
    " birthday_calendar, birthday_month, birthday_day, birthday_since)"
    " VALUES (:member_id, :version, :status, :locale, :time_zone, :consents,"
    " :calendar, :month, :day, CAST(:joined_at AS timestamptz))"
    " ON CONFLICT (member_id) DO UPDATE SET version = excluded.version, status = excluded.status,"
    " locale = excluded.locale, time_zone = excluded.time_zone, consents = excluded.consents,"
    " birthday_calendar = excluded.birthday_calendar, birthday_month = excluded.birthday_month,"
    " birthday_day = excluded.birthday_day, birthday_since = CASE"
    " WHEN known.birthday_since IS NULL THEN excluded.birthday_since"
    " WHEN (known.birthday_calendar, known.birthday_month, known.birthday_day) IS NOT DISTINCT FROM"
    " (excluded.birthday_calendar, excluded.birthday_month, excluded.birthday_day) THEN known.birthday_since"
    " ELSE CAST(:recorded_at AS timestamptz) END"
    " WHERE known.version <= excluded.version"
).bindparams(sa.bindparam("consents", type_=JSONB))
