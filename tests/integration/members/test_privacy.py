"""Who a member is can be read with the keys alone: not from a table, a message or a log line."""

import base64
import io
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from services.runtime.key_files import write_key_file
from services.runtime.telemetry.log import configure_logging
from tests.support.members import LI, MembersService, members_service

PERSONAL = ("李雷", "李磊", "880012345678", "li@example.com", "13800138000", "form 7", "till 3")


@pytest.fixture
def log_lines() -> Iterator[io.StringIO]:
    """Everything that this process logs, down to debug."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    lines = io.StringIO()
    configure_logging("members", level="DEBUG", stream=lines)
    yield lines
    root.handlers[:] = handlers
    root.setLevel(level)


async def live(service: MembersService) -> str:
    """A member who does everything once, and is refused once."""
    member = f"/v1/members/{await service.register()}"
    phone = {"kind": "phone", "value": "13800138000"}
    await service.write("POST", f"{member}/identities", {"identities": [phone]})
    await service.write("PATCH", member, {"name": "李磊"})
    proof = {"source": "till 3"}
    yes = {"purpose": "marketing", "channel": "sms", "granted": True, "proof": proof}
    await service.write("PUT", f"{member}/consents", {"consents": [yes]})
    await service.write("POST", "/v1/members", {"identities": [phone]})
    await service.write("POST", "/v1/members", LI | {"name": "李雷\u0000"})
    await service.client.post("/v1/identities:lookup", json=phone)
    return member


async def everything_stored(service: MembersService) -> str:
    async with service.owner.read() as connection:
        tables = await connection.scalars(
            text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'members'")
        )
        contents = [await connection.scalars(text(f'SELECT t::text FROM members."{table}" t')) for table in tables]
    return "\n".join(row for rows in contents for row in rows)


def spellings(value: str) -> set[str]:
    encoded = value.encode()
    return {value, encoded.hex(), base64.b64encode(encoded).decode().rstrip("="), ascii(value)[1:-1]}


async def test_no_table_holds_a_personal_word_in_the_clear(service: MembersService) -> None:
    await live(service)
    stored = await everything_stored(service)
    assert "consents_given" in stored
    assert [value for value in PERSONAL if any(each in stored for each in spellings(value))] == []


async def test_nothing_to_be_published_holds_a_personal_word(service: MembersService) -> None:
    await live(service)
    messages = await service.unpublished()
    assert len(messages) == 4
    published = "\n".join(f"{each.key} {each.headers} {(each.value or b'').decode()}" for each in messages)
    assert [value for value in PERSONAL if any(each in published for each in spellings(value))] == []


async def test_no_log_line_holds_a_personal_word(service: MembersService, log_lines: io.StringIO) -> None:
    member = await live(service)
    await service.client.get(member)
    await service.client.get(f"{member}/contact?purpose=marketing&channel=sms")
    logged = log_lines.getvalue()
    assert logged
    assert [value for value in PERSONAL if any(each in logged for each in spellings(value))] == []


async def test_two_members_with_the_same_name_look_different_in_the_vault(service: MembersService) -> None:
    await service.register(identities=[])
    await service.register(identities=[])
    async with service.owner.read() as connection:
        sealed = list(await connection.scalars(text("SELECT sealed FROM vault_field WHERE field = 'name'")))
    assert len(set(sealed)) == 2


async def test_without_the_master_key_the_vault_cannot_be_read(
    service: MembersService, database_url: str, tmp_path: Path
) -> None:
    member = f"/v1/members/{await service.register()}"
    other = tmp_path / "other"
    other.mkdir()
    (other / "identity").write_bytes((tmp_path / "identity").read_bytes())
    write_key_file(other / "vault")
    async with members_service(database_url, other) as stranger:
        response = await stranger.client.get(member)
        assert response.status_code == 500
        assert "李雷" not in response.text


@pytest.mark.parametrize("key", ["vault", "identity"])
async def test_with_another_key_nobody_is_registered(
    service: MembersService, database_url: str, tmp_path: Path, key: str
) -> None:
    await service.register()
    other = tmp_path / "other"
    shutil.copytree(tmp_path, other)
    (other / key).unlink()
    write_key_file(other / key)
    async with members_service(database_url, other) as stranger:
        response = await stranger.write("POST", "/v1/members", LI)
        found = await stranger.client.post("/v1/identities:lookup", json=LI["identities"][0])
    assert (response.status_code, found.status_code) == (503, 503)
    assert f"LOYALTY_{key.upper()}_KEY_FILE" in response.json()["what"]


async def test_a_sealed_field_moved_to_another_member_does_not_open(service: MembersService) -> None:
    first = await service.register(identities=[])
    second = await service.register(identities=[], name="韩梅梅")
    async with service.owner.begin() as uow:
        await uow.connection.execute(text("DELETE FROM vault_field WHERE member_id = :id"), {"id": second})
        await uow.connection.execute(
            text("UPDATE vault_field SET member_id = :second WHERE member_id = :first"),
            {"first": first, "second": second},
        )
    response = await service.client.get(f"/v1/members/{second}")
    assert response.status_code == 500
    assert "李雷" not in response.text


async def test_once_its_key_is_destroyed_a_member_has_no_name_and_keeps_the_rest(service: MembersService) -> None:
    member_id = await service.register()
    async with service.owner.begin() as uow:
        await uow.connection.execute(text("DELETE FROM vault_key WHERE member_id = :id"), {"id": member_id})
    shown = (await service.client.get(f"/v1/members/{member_id}")).json()
    assert (shown["personal"]["name"], shown["version"]) == (None, 1)
    assert {each["value"] for each in shown["personal"]["identities"]} == {None}
    contact = await service.client.get(f"/v1/members/{member_id}/contact?purpose=marketing&channel=email")
    assert contact.json()["address"] is None


@pytest.mark.parametrize("table", ["member_event", "consent_proof"])
async def test_the_services_role_cannot_change_what_has_happened(service: MembersService, table: str) -> None:
    await service.register()
    for change in (f"UPDATE {table} SET version = 2", f"DELETE FROM {table}", f"TRUNCATE {table}"):
        with pytest.raises(DBAPIError, match="permission denied"):
            async with service.context.database.begin() as uow:
                await uow.connection.execute(text(change))


async def test_the_services_role_cannot_see_another_service(service: MembersService) -> None:
    async with service.owner.begin() as uow:
        await uow.connection.execute(text("CREATE SCHEMA IF NOT EXISTS neighbour"))
        await uow.connection.execute(text("CREATE TABLE neighbour.secret (id int)"))
    with pytest.raises(DBAPIError, match="permission denied"):
        async with service.context.database.read() as connection:
            await connection.execute(text("SELECT * FROM neighbour.secret"))
