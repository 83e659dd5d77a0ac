"""Personal data under one key per member: destroying the key erases the person, in backups too."""

import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.members.application import ConsentGiven, Person
from services.members.domain.member import Identity
from services.runtime.key_files import KEY_BYTES
from services.runtime.seal import Seal

_NAME = "name"
_BIRTH_YEAR = "birth_year"


class SealedVault:
    """The port Vault; `master` wraps the members' keys and lives outside the database."""

    def __init__(self, connection: AsyncConnection, master: Seal) -> None:
        self._connection = connection
        self._master = master
        self._opened: dict[UUID, Seal] = {}

    async def keep_person(self, member_id: UUID, person: Person) -> None:
        year = None if person.birth_year is None else str(person.birth_year)
        for field, value in ((_NAME, person.name), (_BIRTH_YEAR, year)):
            if value is None:
                await self._connection.execute(_DROP_FIELD, {"member_id": member_id, "field": field})
            else:
                sealed = await self._sealed(member_id, field, value)
                await self._connection.execute(_KEEP_FIELD, {"member_id": member_id, "field": field, "sealed": sealed})

    async def person(self, member_id: UUID) -> Person:
        seal = await self._seal(member_id)
        if seal is None:
            return Person()
        rows = await self._connection.execute(_FIELDS, {"member_id": member_id})
        known = {row.field: seal.open(bytes(row.sealed), _context(member_id, row.field)).decode() for row in rows}
        year = known.get(_BIRTH_YEAR)
        return Person(name=known.get(_NAME), birth_year=None if year is None else int(year))

    async def keep_identities(self, member_id: UUID, values: Mapping[Identity, str]) -> None:
        rows = [
            {
                "member_id": member_id,
                "kind": identity.kind,
                "digest": identity.digest,
                "sealed": await self._sealed(member_id, _field_of(identity), value),
            }
            for identity, value in values.items()
        ]
        if rows:
            await self._connection.execute(_KEEP_IDENTITY, rows)

    async def identities(self, member_id: UUID) -> Mapping[Identity, str]:
        seal = await self._seal(member_id)
        if seal is None:
            return {}
        values: dict[Identity, str] = {}
        for row in await self._connection.execute(_IDENTITIES, {"member_id": member_id}):
            identity = Identity(row.kind, bytes(row.digest))
            values[identity] = seal.open(bytes(row.sealed), _context(member_id, _field_of(identity))).decode()
        return values

    async def drop_identities(self, member_id: UUID, identities: Sequence[Identity]) -> None:
        digests = [identity.digest for identity in identities]
        await self._connection.execute(_DROP_IDENTITIES, {"member_id": member_id, "digests": digests})

    async def keep_proofs(self, member_id: UUID, version: int, consents: Sequence[ConsentGiven], at: datetime) -> None:
        rows = [
            {
                "member_id": member_id,
                "version": version,
                "purpose": consent.purpose,
                "channel": consent.channel,
                "granted": consent.granted,
                "given_at": at,
                "sealed": await self._sealed_proof(member_id, version, consent),
            }
            for consent in consents
        ]
        if rows:
            await self._connection.execute(_KEEP_PROOF, rows)

    async def _sealed_proof(self, member_id: UUID, version: int, consent: ConsentGiven) -> bytes:
        field = f"proof/{version}/{consent.purpose}/{consent.channel}"
        return await self._sealed(member_id, field, json.dumps(dict(consent.proof), sort_keys=True))

    async def _sealed(self, member_id: UUID, field: str, value: str) -> bytes:
        seal = await self._seal(member_id) or await self._new_seal(member_id)
        return seal.seal(value.encode(), _context(member_id, field))

    async def _seal(self, member_id: UUID) -> Seal | None:
        if member_id not in self._opened:
            wrapped = await self._connection.scalar(_KEY, {"member_id": member_id})
            if wrapped is None:
                return None
            self._opened[member_id] = Seal(self._master.open(bytes(wrapped), _context(member_id, "key")))
        return self._opened[member_id]

    async def _new_seal(self, member_id: UUID) -> Seal:
        key = secrets.token_bytes(KEY_BYTES)
        wrapped = self._master.seal(key, _context(member_id, "key"))
        await self._connection.execute(_KEEP_KEY, {"member_id": member_id, "wrapped": wrapped})
        self._opened[member_id] = Seal(key)
        return self._opened[member_id]


def _context(member_id: UUID, field: str) -> bytes:
    return b"members/" + member_id.bytes + b"/" + field.encode()


def _field_of(identity: Identity) -> str:
    return f"identity/{identity.kind}/{identity.digest.hex()}"


_KEY = text("SELECT wrapped FROM vault_key WHERE member_id = :member_id")
_KEEP_KEY = text("INSERT INTO vault_key (member_id, wrapped) VALUES (:member_id, :wrapped)")
_FIELDS = text("SELECT field, sealed FROM vault_field WHERE member_id = :member_id")
_KEEP_FIELD = text(
    "INSERT INTO vault_field (member_id, field, sealed) VALUES (:member_id, :field, :sealed)"
    " ON CONFLICT (member_id, field) DO UPDATE SET sealed = excluded.sealed"
)
_DROP_FIELD = text("DELETE FROM vault_field WHERE member_id = :member_id AND field = :field")
_IDENTITIES = text("SELECT kind, digest, sealed FROM vault_identity WHERE member_id = :member_id")
_KEEP_IDENTITY = text(
    "INSERT INTO vault_identity (member_id, digest, kind, sealed) VALUES (:member_id, :digest, :kind, :sealed)"
    " ON CONFLICT (member_id, digest) DO UPDATE SET sealed = excluded.sealed"
)
_DROP_IDENTITIES = text(
    "DELETE FROM vault_identity WHERE member_id = :member_id AND digest = ANY(CAST(:digests AS bytea[]))"
)
_KEEP_PROOF = text(
    "INSERT INTO consent_proof (member_id, version, purpose, channel, granted, given_at, sealed)"
    " VALUES (:member_id, :version, :purpose, :channel, :granted, :given_at, :sealed)"
)
