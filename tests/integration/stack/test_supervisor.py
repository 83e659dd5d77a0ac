"""One service kept alive."""

import asyncio
import os
import signal
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.ops.stack.errors import StackError
from services.ops.stack.ports import free_ports
from services.ops.stack.supervisor import ServiceProcess

TIMEOUT_SECONDS = 30

READY_AT_ONCE = textwrap.dedent("""
    import http.server, json, sys
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            print(json.dumps({"event": "asked", "level": "warning", "path": self.path}), file=sys.stderr, flush=True)
    http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
""")


class Remembered:
    """Progress that a test can wait for."""

    def __init__(self) -> None:
        self.problems: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    def step_begins(self, what: str) -> None:
        """Not asked for here."""

    def step_ends(self, what: str) -> None:
        """Not asked for here."""

    def note(self, line: str) -> None:
        """Not asked for here."""

    def problem(self, source: str, line: str) -> None:
        self.problems.put_nowait((source, line))

    async def until(self, words: str) -> None:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while words not in (await self.problems.get())[1]:
                continue


async def test_a_killed_service_is_started_again(tmp_path: Path) -> None:
    progress = Remembered()
    async with supervised(tmp_path, READY_AT_ONCE, progress) as service:
        await service.wait_until_ready()
        assert service.pid is not None
        os.kill(service.pid, signal.SIGKILL)
        await progress.until("ended with signal 9, starts again in 0.5 s")
        await service.wait_until_ready()
        assert service.restarts == 1


async def test_warnings_of_a_service_are_shown_and_its_log_is_kept(tmp_path: Path) -> None:
    progress = Remembered()
    async with supervised(tmp_path, READY_AT_ONCE, progress) as service:
        await service.wait_until_ready()
        await progress.until("warning: asked path=/readyz")
    assert '"event": "asked"' in (tmp_path / "till.log").read_text()


async def test_a_service_that_cannot_start_is_given_up_with_its_last_words(tmp_path: Path) -> None:
    async with supervised(tmp_path, "raise SystemExit('no table account')", Remembered()) as service:
        with pytest.raises(StackError, match="no table account"):
            await service.wait_until_ready()


@asynccontextmanager
async def supervised(tmp_path: Path, program: str, progress: Remembered) -> AsyncIterator[ServiceProcess]:
    (port,) = free_ports(1)
    service = ServiceProcess(
        "till",
        [sys.executable, "-c", program, str(port)],
        port=port,
        env=os.environ,
        run_dir=tmp_path / "run",
        log=tmp_path / "till.log",
        progress=progress,
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(service.run())
        try:
            yield service
        finally:
            await service.stop()
