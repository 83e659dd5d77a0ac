import hashlib

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from services.runtime.http.access import create_key, list_keys, revoke_key
from services.runtime.http.auth import CACHE_SECONDS, Authenticator, Principal
from services.runtime.http.problem import Problem
from services.runtime.postgres.unit_of_work import Database


async def test_a_new_key_speaks_for_its_owner_in_every_service(office: Database, service: Database) -> None:
    key = await create_key(office, owner="till-7", scopes=["points:redeem"], sources=["pos.acme"])
    assert await Authenticator(service).authenticate(key) == Principal(
        key.split("_")[1], "till-7", frozenset({"points:redeem"}), frozenset({"pos.acme"})
    )


async def test_the_secret_is_not_kept(office: Database) -> None:
    key = await create_key(office, owner="till-7", scopes=["x"])
    secret = key.split("_", 2)[2]
    async with office.read() as connection:
        row = (await connection.execute(text("SELECT k::text AS shown, hash FROM access.api_key AS k"))).one()
    assert secret not in row.shown
    assert bytes(row.hash) == hashlib.sha256(secret.encode()).digest()


async def test_a_revoked_key_ends_at_once_for_who_has_not_seen_it_and_in_thirty_seconds_for_who_has(
    office: Database, service: Database
) -> None:
    now = 0.0
    key = await create_key(office, owner="till-7", scopes=["x"])
    has_seen_it = Authenticator(service, seconds=lambda: now)
    await has_seen_it.authenticate(key)
    assert await revoke_key(office, key.split("_")[1])
    with pytest.raises(Problem, match="unauthenticated"):
        await Authenticator(service).authenticate(key)
    now = CACHE_SECONDS
    with pytest.raises(Problem, match="unauthenticated"):
        await has_seen_it.authenticate(key)


async def test_a_key_is_revoked_once(office: Database) -> None:
    key_id = (await create_key(office, owner="till-7", scopes=["x"])).split("_")[1]
    assert await revoke_key(office, key_id)
    assert not await revoke_key(office, key_id)
    assert not await revoke_key(office, "unknown")
    (listed,) = await list_keys(office)
    assert (listed.id, listed.owner, listed.revoked_at is not None) == (key_id, "till-7", True)


async def test_keys_may_be_made_inside_a_transaction_of_the_callers(office: Database) -> None:
    async with office.begin() as uow:
        await create_key(uow.connection, owner="till-7", scopes=["x"])
    assert [key.owner for key in await list_keys(office)] == ["till-7"]


async def test_a_service_may_read_keys_and_not_write_them(service: Database) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        await create_key(service, owner="intruder", scopes=["*"])
    with pytest.raises(ProgrammingError, match="permission denied"):
        await revoke_key(service, "any")
    assert await list_keys(service) == []
