"""The door's tables of identities, inside one unit of work."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from services.ingest.adapters.books import COLUMNS, PLACE_IDENTITIES, entry_of
from services.ingest.application.ports import Kept, Reopen
from services.ingest.domain.identity import MemberId
from services.ingest.domain.ownership import Holding, MemberIdentities
from services.runtime.postgres.unit_of_work import UnitOfWork

VERSIONS = "SELECT member_id, version FROM member WHERE member_id = ANY($1::uuid[])"
HELD = "SELECT digest FROM identity WHERE member_id = ANY($1::uuid[])"
LOCK_HOLDINGS = """
SELECT digest, member_id, known_at FROM identity WHERE digest = ANY($1::bytea[]) ORDER BY digest FOR UPDATE
"""
SAVE_HOLDINGS = """
UPDATE identity SET member_id = given.member_id, known_at = given.known_at
FROM unnest($1::bytea[], $2::uuid[], $3::timestamptz[]) AS given (digest, member_id, known_at)
WHERE identity.digest = given.digest
"""
SAVE_VERSIONS = """
INSERT INTO member (member_id, version, status)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[]) ORDER BY 1
ON CONFLICT (member_id) DO UPDATE SET version = excluded.version, status = excluded.status
WHERE member.version < excluded.version
"""
OWNED_UNCLAIMED = """
SELECT DISTINCT checkout.identity_digest FROM checkout
JOIN identity ON identity.digest = checkout.identity_digest
WHERE checkout.fate = 'unclaimed' AND identity.member_id IS NOT NULL
    AND (checkout.waits_until IS NULL OR checkout.waits_until > $1)
LIMIT $2
"""
LOCK_UNCLAIMED = f"""
SELECT {COLUMNS} FROM checkout WHERE fate = 'unclaimed' AND identity_digest = ANY($1::bytea[])
    AND (waits_until IS NULL OR waits_until > $2)
ORDER BY event_id LIMIT $3 FOR UPDATE
"""


class PostgresRegister:
    """`reopen` reads a sealed checkout again."""

    def __init__(self, uow: UnitOfWork, reopen: Reopen) -> None:
        self._uow = uow
        self._reopen = reopen

    async def versions(self, members: Collection[MemberId]) -> Mapping[MemberId, int]:
        driver = await self._uow.driver()
        return {MemberId(member_id): version for member_id, version in await driver.fetch(VERSIONS, list(members))}

    async def lock_holdings(self, digests: Collection[bytes], members: Collection[MemberId]) -> Mapping[bytes, Holding]:
        driver = await self._uow.driver()
        # Read without a lock: what is taken from these members meanwhile is no longer theirs to lose.
        held = {row[0] for row in await driver.fetch(HELD, list(members))}
        wanted = sorted(held.union(digests))
        await driver.execute(PLACE_IDENTITIES, wanted)
        rows = await driver.fetch(LOCK_HOLDINGS, wanted)
        return {digest: Holding(digest, member_id, known_at) for digest, member_id, known_at in rows}

    async def save(self, states: Sequence[MemberIdentities], holdings: Collection[Holding]) -> None:
        driver = await self._uow.driver()
        await driver.execute(
            SAVE_HOLDINGS,
            [each.digest for each in holdings],
            [each.member_id for each in holdings],
            [each.known_at for each in holdings],
        )
        await driver.execute(
            SAVE_VERSIONS,
            [each.member_id for each in states],
            [each.version for each in states],
            [each.status for each in states],
        )

    async def owned_unclaimed(self, now: datetime, limit: int) -> Collection[bytes]:
        driver = await self._uow.driver()
        return {row[0] for row in await driver.fetch(OWNED_UNCLAIMED, now, limit)}

    async def lock_unclaimed(self, digests: Collection[bytes], now: datetime, limit: int) -> Sequence[Kept]:
        driver = await self._uow.driver()
        entries = [entry_of(row) for row in await driver.fetch(LOCK_UNCLAIMED, sorted(digests), now, limit)]
        return [Kept(entry, self._reopen(entry)) for entry in entries]
