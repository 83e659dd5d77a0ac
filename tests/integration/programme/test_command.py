"""`loyalty programme publish` against a service that listens."""

import asyncio
import json
from pathlib import Path

from typer.testing import CliRunner, Result

from services.ops.__main__ import build
from services.runtime.http.access import create_key
from tests.support.programmes import EXAMPLE, SMALL, as_yaml
from tests.support.running_services import RunningService


async def publish(service: RunningService, file: Path, *options: str) -> Result:
    key = await create_key(service.owner, owner="marketing", scopes=["programme:write"], sources=[])
    async with service.listening() as url:
        arguments = ["programme", "publish", str(file), "--url", url, "--key", key, *options]
        return await asyncio.to_thread(CliRunner().invoke, build(), arguments)


async def test_a_published_version_says_when_it_starts(service: RunningService) -> None:
    result = await publish(service, EXAMPLE)
    assert result.exit_code == 0, result.output
    assert last_line(result) == "published version 1; it starts at 2025-12-31T16:00:00Z"


async def test_the_wrong_predecessor_is_told(service: RunningService) -> None:
    result = await publish(service, EXAMPLE, "--replaces", "4")
    assert result.exit_code == 1
    assert result.stderr == "not published: no version is published yet, so 0 is what the next one replaces, not 4\n"


async def test_mistakes_come_with_their_lines(service: RunningService, tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_bytes(as_yaml(SMALL | {"currency": "CNX"}))
    result = await publish(service, file)
    assert result.exit_code == 1
    assert f"{file}:5: error unknown_currency at currency" in result.stdout


async def test_programs_read_the_answer_as_json(service: RunningService) -> None:
    result = await publish(service, EXAMPLE, "--json")
    assert json.loads(last_line(result))["published_by"] == "marketing"


async def test_a_service_that_is_away_is_told_with_its_address() -> None:
    arguments = ["programme", "publish", str(EXAMPLE), "--url", "http://127.0.0.1:9", "--key", "lk_a_b"]
    result = await asyncio.to_thread(CliRunner().invoke, build(), arguments)
    assert result.exit_code == 2
    assert "http://127.0.0.1:9 does not answer" in result.stderr


def last_line(result: Result) -> str:
    """Behind what the service, which shares the process here, has logged."""
    return result.stdout.splitlines()[-1]
