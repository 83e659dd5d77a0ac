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
        # Sorted: two partitions never hold one member, but a rebuild beside them might.
        values = [
            {
                "member_id": UUID(member.member_id),
                "version": LAST_VERSION if member.version is None else member.version,
                "status": member.status,
                "locale": member.locale,
                "time_zone": member.time_zone,
                "consents": [list(consent) for consent in member.consents],
            }
            for member in sorted(members, key=lambda member: member.member_id)
        ]
        if values:
            await self._uow.connection.execute(_KEEP, values)


_KEEP = sa.text(
    "INSERT INTO member_state (member_id, version, status, locale, time_zone, consents)"
    " VALUES (:member_id, :version, :status, :locale, :time_zone, :consents)"
    " ON CONFLICT (member_id) DO UPDATE SET version = excluded.version, status = excluded.status,"
    " locale = excluded.locale, time_zone = excluded.time_zone, consents = excluded.consents"
    " WHERE member_state.version < excluded.version"
).bindparams(sa.bindparam("consents", type_=JSONB))
