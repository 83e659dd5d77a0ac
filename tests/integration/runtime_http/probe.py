"""Starts the probe as a process of its own and watches it from outside."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

PATIENCE_SECONDS = 30.0
ROOT = Path(__file__).resolve().parents[3]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


class Probe:
    def __init__(self, child: asyncio.subprocess.Process, log: Path, port: int, switches: Path) -> None:
        self.child = child
        self._log = log
        self._switches = switches
        self.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=10)

    def switch(self, name: str, *, on: bool = True) -> None:
        if on:
            (self._switches / name).touch()
        else:
            (self._switches / name).unlink()

    async def is_on(self, name: str) -> None:
        await self._until(lambda: (self._switches / name).exists(), name)

    async def readiness(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first report of /readyz that is as wanted."""
        last: dict[str, Any] = {}
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (last and wanted(last)):
                assert self.child.returncode is None, self.text()
                last = await self._report()
                await asyncio.sleep(0.02)
        return last

    async def ready(self) -> None:
        await self.readiness(lambda report: bool(report["ready"]))

    def kill(self, number: signal.Signals) -> None:
        self.child.send_signal(number)

    async def exit_code(self) -> int:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.child.wait()

    async def logged(self, event: str) -> dict[str, Any]:
        await self._until(lambda: any(line.get("event") == event for line in self.lines()), event)
        return next(line for line in self.lines() if line.get("event") == event)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines() if line.startswith("{") and line.endswith("}")]

    def text(self) -> str:
        return self._log.read_text()

    async def _report(self) -> dict[str, Any]:
        try:
            report: dict[str, Any] = (await self.http.get("/readyz")).json()
        except httpx.TransportError:
            return {}
        return report

    async def _until(self, condition: Callable[[], bool], what: str) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                assert self.child.returncode is None or condition(), f"ended before {what}: {self.text()}"
                await asyncio.sleep(0.02)


@asynccontextmanager
async def running(
    directory: Path, env: Mapping[str, str], *roles: str, port: int | None = None, switches: tuple[str, ...] = ()
) -> AsyncIterator[Probe]:
    port = port or free_port()
    for name in switches:
        (directory / name).touch()
    own = {"PROBE_DIR": str(directory), "LOYALTY_PROGRAMME_PORT": str(port), "LOYALTY_GUARD_RECHECK_SECONDS": "0.2"}
    log = directory / "probe.log"
    with log.open("wb") as out:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.support.probe_process", *roles,
            cwd=ROOT, env={**os.environ, **own, **env}, stdout=out, stderr=out,
        )  # fmt: skip
    probe = Probe(child, log, port, directory)
    try:
        yield probe
    finally:
        await probe.http.aclose()
        if child.returncode is None:
            child.kill()
            await child.wait()
