"""Members from files, registered by the members service: once, whoever they are already."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from services.members.__main__ import DEFINITION
from services.runtime.http.access import create_key
from services.runtime.key_files import write_key_file
from tests.support.import_command import ImportCommand
from tests.support.imports import table
from tests.support.members import LI, SCOPES
from tests.support.running_services import RunningService, running_service

HAN: dict[str, Any] = {
    "identities": [{"kind": "external", "value": "crm-2"}, {"kind": "phone", "value": "13800000002"}]
}


class Busy:
    """In front of the service: says so to the first requests, as one that sheds load does."""

    def __init__(self, app: ASGIApp, answers: list[int]) -> None:
        self._app = app
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._answers:
            status = self._answers.pop()
            await JSONResponse({"code": "busy"}, status, {"Retry-After": "0"})(scope, receive, send)
            return
        await self._app(scope, receive, send)


@pytest.fixture
async def members(database_url: str, tmp_path: Path) -> AsyncIterator[RunningService]:
    identity, vault = tmp_path / "identity", tmp_path / "vault"
    write_key_file(identity)
    write_key_file(vault)
    async with running_service(
        DEFINITION, database_url=database_url, keys=tmp_path, identity_key_file=identity, vault_key_file=vault
    ) as service:
        yield service


async def command(members: RunningService, directory: Path, url: str, *scopes: str) -> ImportCommand:
    key = await create_key(members.owner, owner="crm", scopes=scopes or SCOPES, sources=())
    return ImportCommand(directory, {"LOYALTY_KEY": key, "LOYALTY_MEMBERS_URL": url})


def write(directory: Path, *people: dict[str, Any]) -> str:
    (directory / "members.ndjson").write_text("".join(json.dumps(person) + "\n" for person in people))
    return "members.ndjson"


async def registered(members: RunningService) -> int:
    async with members.owner.read() as connection:
        return int((await connection.exec_driver_sql("SELECT count(*) FROM members.member")).scalar_one())


async def test_members_are_registered_once_however_often_the_file_is_imported(
    members: RunningService, tmp_path: Path
) -> None:
    file = write(tmp_path, LI, HAN, HAN)
    async with members.listening() as url:
        loyalty_import = await command(members, tmp_path, url)
        first = await loyalty_import("members", file)
        again = await loyalty_import("members", file, "--restart")
        other = await (await command(members, tmp_path, url))("members", file, "--restart")
    assert (first.code, first.counts) == (0, {"registered": 2, "existing": 1})
    assert (again.code, again.counts.get("rejected", 0), sum(again.counts.values())) == (0, 0, 3)
    assert (other.code, other.counts) == (0, {"existing": 3})
    assert await registered(members) == 2


async def test_who_is_a_member_with_other_data_is_left_as_they_are_and_somebody_elses_identity_is_refused(
    members: RunningService, tmp_path: Path
) -> None:
    renamed = LI | {"name": "韩梅梅", "locale": "en-GB"}
    wider = {"identities": [*LI["identities"], {"kind": "phone", "value": "13800000009"}]}
    of_both = {"identities": [LI["identities"][0], HAN["identities"][1]]}
    file = write(tmp_path, LI, HAN)
    async with members.listening() as url:
        loyalty_import = await command(members, tmp_path, url)
        assert (await loyalty_import("members", file)).counts == {"registered": 2}
        ran = await loyalty_import("members", write(tmp_path, renamed, wider, of_both), "--restart")
    assert (ran.code, ran.counts) == (1, {"existing": 1, "rejected": 2})
    wide, both = (entry["errors"][0] for entry in loyalty_import.rejected())
    assert (wide["pointer"], wide["code"]) == ("/identities/2", "identity_taken")
    assert "not this phone" in wide["detail"]
    assert both["code"] == "identities_of_several"
    assert not [trace for trace in ("880012345678", "li@example", "1380000") if trace in ran.words]
    assert await registered(members) == 2


async def test_a_table_of_members_goes_in_past_a_service_that_is_busy_for_a_while(
    members: RunningService, tmp_path: Path
) -> None:
    rows = [f"88{number:010},m{number}@example.com,1992-02-29,yes" for number in range(40)]
    file = table(tmp_path, *rows, "12,no address,,", header="card,email,birthday,consent_marketing_email")
    answers = [429, 503] * 12
    members.app.add_middleware(Busy, answers=answers)
    async with members.listening() as url:
        ran = await (await command(members, tmp_path, url))("members", file.name)
    assert (ran.code, ran.counts, answers) == (1, {"registered": 40, "rejected": 1}, [])
    assert await registered(members) == 40


async def test_a_key_that_may_not_is_told_before_anybody_is_registered(members: RunningService, tmp_path: Path) -> None:
    file = write(tmp_path, LI)
    async with members.listening() as url:
        ran = await (await command(members, tmp_path, url, "members:read"))("members", file)
        assert (ran.code, "this key may not do it: scope_missing" in ran.words) == (2, True)
        stranger = ImportCommand(tmp_path, {"LOYALTY_KEY": "lk_a_b", "LOYALTY_MEMBERS_URL": url})
        ran = await stranger("members", file)
        assert (ran.code, "does not know this key" in ran.words) == (2, True)
    assert await registered(members) == 0
