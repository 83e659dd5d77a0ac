"""Child processes that leave no orphan: tied to our life, written down, found again after a crash."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

LAUNCHER = Path(__file__).with_name("launch.py")
KILL_TIMEOUT_SECONDS = 10.0
# Start times are counted from the boot; the boot's own time moves when the clock is corrected.
CLOCK_DRIFT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Identity:
    """Other than root, for a program that refuses root; `reach_everything` lets it pass private directories."""

    user: str
    reach_everything: bool = False


@dataclass(frozen=True, slots=True)
class Child:
    """A running process; `record` is the file that lets a later run find it."""

    name: str
    process: asyncio.subprocess.Process
    record: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process.returncode is None


async def spawn(
    name: str,
    command: Iterable[str],
    *,
    run_dir: Path,
    log: Path | None = None,
    env: Mapping[str, str] | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
    identity: Identity | None = None,
) -> Child:
    """Output is appended to `log`, or can be read from the child's stdout when there is none."""
    launcher = [sys.executable, "-I", "-S", str(LAUNCHER)]
    launcher += ["--parent", str(os.getpid()), "--signal", str(int(death_signal))]
    if identity is not None:
        launcher += ["--user", identity.user, *(["--reach-everything"] if identity.reach_everything else [])]
    output = None if log is None else log.open("ab")
    try:
        process = await asyncio.create_subprocess_exec(
            *launcher,
            "--",
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE if output is None else output,
            stderr=asyncio.subprocess.STDOUT,
            env=None if env is None else dict(env),
            # Ctrl-C reaches only us: the children are stopped one after another.
            start_new_session=True,
        )
    finally:
        if output is not None:
            output.close()
    return Child(name, process, _write_record(run_dir, name, process.pid))


async def stop(child: Child, *, with_signal: signal.Signals = signal.SIGTERM, timeout_seconds: float) -> bool:
    """False if it had to be killed."""
    obeyed = True
    if child.running:
        child.process.send_signal(with_signal)
        try:
            await asyncio.wait_for(child.process.wait(), timeout_seconds)
        except TimeoutError:
            obeyed = False
            child.process.kill()
            await child.process.wait()
    child.record.unlink(missing_ok=True)
    return obeyed


async def stop_orphans(run_dir: Path) -> list[str]:
    """Ends what an earlier run of ours left behind, and only that: pid and start time must both match."""
    found = [(path.stem, process) for path in sorted(run_dir.glob("*.json")) if (process := _recorded(path))]
    await asyncio.to_thread(end_processes, [process for _, process in found])
    for path in run_dir.glob("*.json"):
        path.unlink(missing_ok=True)
    return [name for name, _ in found]


def end_processes(processes: list[psutil.Process], with_signal: signal.Signals = signal.SIGTERM) -> None:
    for process in processes:
        _signal(process, with_signal)
    _, alive = psutil.wait_procs(processes, timeout=KILL_TIMEOUT_SECONDS)
    for process in alive:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=KILL_TIMEOUT_SECONDS)


def started_at(pid: int) -> float | None:
    """Seconds since the epoch; with the pid it names a process for ever. None if there is none."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


def _signal(process: psutil.Process, with_signal: signal.Signals) -> None:
    try:
        process.send_signal(with_signal)
    except psutil.NoSuchProcess:
        return


def _write_record(run_dir: Path, name: str, pid: int) -> Path:
    run_dir.mkdir(parents=True, exist_ok=True)
    record = run_dir / f"{name}.json"
    record.write_text(json.dumps({"pid": pid, "started_at": started_at(pid)}))
    return record


def _recorded(record: Path) -> psutil.Process | None:
    try:
        wanted = json.loads(record.read_text())
        process = psutil.Process(wanted["pid"])
        return process if abs(process.create_time() - wanted["started_at"]) < CLOCK_DRIFT_SECONDS else None
    except (psutil.NoSuchProcess, ValueError, KeyError, TypeError):
        return None
