"""One broker and one database server per test run, kept by a process that outlives every worker but not the run.

`python -m tests.support.stack kafka|postgres RUN_DIR PID` starts the server, says so in RUN_DIR, waits for PID to
end, stops the server and removes its data.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from services.ops.stack.errors import StackError
from services.ops.stack.probe import look_around
from services.ops.stack.processes import CLOCK_DRIFT_SECONDS, started_at
from services.ops.stack.providers import Broker, Database, broker, database, forget

RUN_DIRECTORY = "LOYALTY_TEST_RUN_DIRECTORY"
RUN_CONTROLLER = "LOYALTY_TEST_RUN_CONTROLLER"
READY_TIMEOUT_SECONDS = 120.0
STOP_TIMEOUT_SECONDS = 60.0


def begin_run() -> None:
    """Called once, by the process that controls the workers; they inherit its environment."""
    directory = Path(tempfile.mkdtemp(prefix="loyalty-tests-"))
    # The stand-in for root, as which PostgreSQL runs, must pass through.
    directory.chmod(0o755)
    os.environ |= {RUN_DIRECTORY: str(directory), RUN_CONTROLLER: str(os.getpid())}


def run_directory() -> Path:
    return Path(os.environ[RUN_DIRECTORY])


def server_address(kind: str, run_dir: Path) -> str:
    """The address of the run's server; whoever asks first starts it."""
    answer = run_dir / f"{kind}.ready"
    with locked(run_dir / f"{kind}.lock"):
        if not answer.exists():
            _start_keeper(kind, run_dir, answer)
    told = json.loads(answer.read_text())
    if "error" in told:
        raise StackError(told["error"])
    return str(told["address"])


def stop_servers(run_dir: Path) -> None:
    for file in run_dir.glob("*.keeper"):
        with contextlib.suppress(psutil.NoSuchProcess):
            keeper = psutil.Process(int(file.read_text()))
            keeper.send_signal(signal.SIGTERM)
            keeper.wait(STOP_TIMEOUT_SECONDS)
    forget(run_dir)


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _start_keeper(kind: str, run_dir: Path, answer: Path) -> None:
    with (run_dir / f"{kind}.log").open("ab") as log:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.support.stack", kind, str(run_dir), os.environ[RUN_CONTROLLER]],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (run_dir / f"{kind}.keeper").write_text(str(keeper.pid))
    deadline = time.monotonic() + READY_TIMEOUT_SECONDS
    while not answer.exists():
        ended = keeper.poll() is not None and not answer.exists()
        if ended or time.monotonic() > deadline:
            raise StackError(f"{kind} for the tests did not start:\n{(run_dir / f'{kind}.log').read_text()[-2000:]}")
        time.sleep(0.05)
    # The keeper is not ours to wait for: it ends after this process.
    keeper.returncode = 0


async def _keep(kind: str, run_dir: Path, controller: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stopped.set)
    server, address = await _start(kind, run_dir / kind)
    try:
        _tell(run_dir / f"{kind}.ready", {"address": address})
        over = asyncio.create_task(stopped.wait())
        born = started_at(controller)
        while not over.done() and born is not None and _is_alive(controller, born):
            await asyncio.wait([over], timeout=0.5)
        over.cancel()
    finally:
        await server.stop()
        forget(run_dir / kind)
        if not stopped.is_set():
            forget(run_dir)


def _is_alive(pid: int, born: float) -> bool:
    started = started_at(pid)
    return started is not None and abs(started - born) < CLOCK_DRIFT_SECONDS


async def _start(kind: str, state_dir: Path) -> tuple[Broker | Database, str]:
    found = await asyncio.to_thread(look_around)
    if kind == "kafka":
        kafka = await asyncio.to_thread(broker, found, state_dir)
        await kafka.start()
        return kafka, kafka.bootstrap
    postgres = database(found, state_dir)
    await postgres.start()
    return postgres, postgres.url


def _tell(file: Path, answer: dict[str, str]) -> None:
    scratch = file.with_suffix(".writing")
    scratch.write_text(json.dumps(answer))
    scratch.rename(file)


def main() -> None:
    kind, run_dir, controller = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    try:
        asyncio.run(_keep(kind, run_dir, controller))
    except StackError as error:
        _tell(run_dir / f"{kind}.ready", {"error": str(error)})
        os._exit(1)


if __name__ == "__main__":
    main()
