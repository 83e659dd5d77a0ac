"""Keeps one service alive: starts it, reads its log, starts it again with growing pauses, stops it."""

import asyncio
import json
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from services.ops.stack.errors import StackError
from services.ops.stack.ports import HOST
from services.ops.stack.processes import Child, spawn, stop
from services.ops.stack.progress import Progress

READY_TIMEOUT_SECONDS = 90.0
STOP_TIMEOUT_SECONDS = 30.0
POLL_SECONDS = 0.1
PAUSE_SECONDS_FIRST = 0.5
PAUSE_SECONDS_MAX = 30.0
STEADY_SECONDS = 60.0
EXITS_BEFORE_READY_MAX = 3
WORTH_SHOWING = frozenset({"warning", "error", "critical"})


class ServiceProcess:
    """One service in one process, restarted until it is told to stop."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        port: int,
        env: Mapping[str, str],
        run_dir: Path,
        log: Path,
        progress: Progress,
    ) -> None:
        self.name = name
        self._command = command
        self.port = port
        self.restarts = 0
        self._env = env
        self._run_dir = run_dir
        self._log = log
        self._progress = progress
        self._child: Child | None = None
        self._stopping = asyncio.Event()
        self._last_lines: deque[str] = deque(maxlen=5)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        """None while it waits to be started again."""
        return self._child.pid if self._child is not None and self._child.running else None

    async def run(self) -> None:
        """Returns after `stop`."""
        pause, clock = PAUSE_SECONDS_FIRST, asyncio.get_running_loop().time
        while not self._stopping.is_set():
            began = clock()
            code = await self._run_once()
            if self._stopping.is_set():
                break
            pause = PAUSE_SECONDS_FIRST if clock() - began > STEADY_SECONDS else pause
            self._progress.problem(self.name, f"ended with {_reason(code)}, starts again in {pause:g} s")
            # An entry of the log was shown when it came, if it was worth it; what else a dying process says was not.
            if self._last_lines and _entry(self._last_lines[-1]) is None:
                self._progress.problem(self.name, self._last_lines[-1])
            self.restarts += 1
            if await self._stopped_within(pause):
                break
            pause = min(2 * pause, PAUSE_SECONDS_MAX)

    async def stop(self) -> None:
        self._stopping.set()
        if self._child is not None and not await stop(self._child, timeout_seconds=STOP_TIMEOUT_SECONDS):
            self._progress.problem(self.name, f"did not stop within {STOP_TIMEOUT_SECONDS:g} s and was killed")

    async def wait_until_ready(self) -> None:
        reason = "no answer"
        try:
            async with asyncio.timeout(READY_TIMEOUT_SECONDS), httpx.AsyncClient(trust_env=False) as client:
                while True:
                    ready, reason = await self._is_ready(client, reason)
                    if ready:
                        return
                    if self.restarts >= EXITS_BEFORE_READY_MAX:
                        raise StackError(self._complaint(f"ended {self.restarts} times before it was ready"))
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError as late:
            message = f"was not ready after {READY_TIMEOUT_SECONDS:g} s ({reason})"
            raise StackError(self._complaint(message)) from late

    async def _run_once(self) -> int:
        self._child = await spawn(self.name, self._command, run_dir=self._run_dir, env=self._env)
        if self._stopping.is_set():
            await stop(self._child, timeout_seconds=STOP_TIMEOUT_SECONDS)
        try:
            await self._read_log(self._child)
            return await self._child.process.wait()
        finally:
            self._child.record.unlink(missing_ok=True)

    async def _read_log(self, child: Child) -> None:
        assert child.process.stdout is not None
        with self._log.open("ab") as file:
            while line := await _line(child.process.stdout):
                file.write(line)
                file.flush()
                self._look_at(line.decode(errors="replace").rstrip())

    def _look_at(self, line: str) -> None:
        if line:
            self._last_lines.append(line)
        if (problem := problem_in(line)) is not None:
            self._progress.problem(self.name, problem)

    async def _is_ready(self, client: httpx.AsyncClient, before: str) -> tuple[bool, str]:
        try:
            answer = await client.get(f"{self.url}/readyz", timeout=5)
        except httpx.HTTPError:
            return False, before
        return answer.status_code == 200, answer.text[:500]

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def _complaint(self, what: str) -> str:
        return f"{self.name} {what}, see {self._log}:\n" + "\n".join(self._last_lines)


def problem_in(line: str) -> str | None:
    """A log line of level warning or above in short: event and fields without the routine ones."""
    entry = _entry(line)
    if entry is None or entry.get("level") not in WORTH_SHOWING:
        return None
    routine = ("event", "level", "at", "timestamp", "service", "logger", "frames")
    fields = " ".join(f"{key}={value}" for key, value in entry.items() if key not in routine)
    return f"{entry['level']}: {entry.get('event', '')} {fields}".rstrip()


def _entry(line: str) -> dict[str, Any] | None:
    """None for what is no entry of a log."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


async def _line(stream: asyncio.StreamReader) -> bytes:
    """The next line, or what is there of one that is longer than the reader's buffer."""
    try:
        return await stream.readuntil(b"\n")
    except asyncio.IncompleteReadError as end:
        return end.partial
    except asyncio.LimitOverrunError as overrun:
        return await stream.readexactly(overrun.consumed)


def _reason(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
