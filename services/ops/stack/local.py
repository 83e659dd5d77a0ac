"""The whole platform on this machine, as an async context manager."""

import asyncio
import contextlib
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from services.ops.mailbox import Mailbox, keep
from services.ops.stack.bootstrap import apply_all_topics, ensure_api_key, migrate_all_services, write_private
from services.ops.stack.errors import PortTaken, StackError
from services.ops.stack.keys import ensure_keys
from services.ops.stack.lock import only_one
from services.ops.stack.ports import HOST, free_ports, is_free
from services.ops.stack.probe import look_around
from services.ops.stack.processes import stop_orphans
from services.ops.stack.programme import publish_example_programme
from services.ops.stack.progress import Progress, Silent, step
from services.ops.stack.providers import Broker, Database, broker, database
from services.ops.stack.services import DEFAULT_PORTS, existing_services, port_setting, url_setting
from services.ops.stack.supervisor import ServiceProcess
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.settings import ServiceSettings

WATCH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class StackOptions:
    """`services` None = all there are; `free_service_ports` lets several stacks run side by side."""

    state_dir: Path = Path(".loyalty")
    services: Sequence[str] | None = None
    free_service_ports: bool = False
    topic_prefix: str | None = None
    example_programme: bool = True
    extra_env: dict[str, str] = field(default_factory=dict)


class LocalStack:
    """Kafka, PostgreSQL and the services, ready when the block begins, gone when it ends; data stay."""

    def __init__(self, options: StackOptions, progress: Progress | None = None) -> None:
        self._options = options
        self._state = options.state_dir.absolute()
        self._progress: Progress = progress or Silent()
        self._cleanup = contextlib.AsyncExitStack()
        self._broker: Broker | None = None
        self._database: Database | None = None
        self.services: dict[str, ServiceProcess] = {}
        self.env: dict[str, str] = {}
        self.api_key: str | None = None
        self.mailbox: Mailbox | None = None

    @property
    def kafka(self) -> str:
        return self.env["LOYALTY_KAFKA"]

    @property
    def database_url(self) -> str:
        return self.env["LOYALTY_DATABASE_URL"]

    @property
    def environment_file(self) -> Path:
        """Shell lines with every address and key, there as long as the stack runs."""
        return self._state / "env"

    @property
    def mail_directory(self) -> Path:
        """Where `watch` keeps what the mailbox received."""
        return self._state / "mail"

    def url(self, service: str) -> str:
        return self.services[service].url

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._cleanup.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._cleanup.aclose()

    async def watch(self) -> None:
        """Runs until cancelled; tells of mail, and of servers that have ended, which only a new start repairs."""
        told: set[str] = set()
        shown = 0
        while True:
            mails = self.mailbox.received if self.mailbox else []
            for number, mail in enumerate(mails[shown:], start=shown + 1):
                self._progress.note(f"mail kept in {keep(mail, number, self.mail_directory)}: {mail.subject}")
            shown = len(mails)
            for server in (self._broker, self._database):
                for name in server.exited() if server else ():
                    if name not in told:
                        self._progress.problem(name, f"has ended; stop and start again, its log is in {self._state}")
                        told.add(name)
            await asyncio.sleep(WATCH_SECONDS)

    async def _start(self) -> None:
        self._cleanup.enter_context(only_one(self._state))
        for name in await stop_orphans(self._state / "run"):
            self._progress.note(f"stopped {name}, left over from a run that was killed")
        names = self._service_names()
        ports = self._service_ports(names)
        await self._start_servers()
        self.env = self._environment(ports)
        with step(self._progress, "database migrations"):
            await migrate_all_services(self.database_url)
        with step(self._progress, "topics"):
            await apply_all_topics(self._kafka_settings())
        await self._make_api_keys()
        await self._open_mailbox()
        if names:
            await self._start_services(names, ports)
        if self._options.example_programme and "programme" in self.services:
            await self._publish_example()
        self._write_environment()

    async def _open_mailbox(self) -> None:
        if "LOYALTY_SMTP_HOST" in self.env:
            return
        self.mailbox = await self._cleanup.enter_async_context(Mailbox())
        self.env |= {"LOYALTY_SMTP_HOST": HOST, "LOYALTY_SMTP_PORT": str(self.mailbox.port)}

    def _service_names(self) -> tuple[str, ...]:
        there = existing_services()
        wanted = there if self._options.services is None else tuple(self._options.services)
        for name in wanted:
            if name not in there:
                raise StackError(f"There is no service {name}; there are {', '.join(there) or 'none'}")
        return wanted

    def _service_ports(self, names: Sequence[str]) -> dict[str, int]:
        if self._options.free_service_ports:
            return dict(zip(names, free_ports(len(names)), strict=True))
        ports = {name: int(os.environ.get(port_setting(name)) or DEFAULT_PORTS[name]) for name in names}
        for name, port in ports.items():
            if not is_free(port):
                setting = port_setting(name)
                raise PortTaken(f"Port {port} of {name} is taken by another program: stop it, or set {setting}")
        return ports

    async def _start_servers(self) -> None:
        found = await asyncio.to_thread(look_around)
        self._database = database(found, self._state)
        self._cleanup.push_async_callback(self._stop_server, "PostgreSQL", self._database)
        with step(self._progress, "PostgreSQL"):
            await self._database.start()
        what = "Kafka" if found.kafka_jars or found.kafka_address else "Kafka (downloads it the first time)"
        with step(self._progress, what):
            self._broker = await asyncio.to_thread(broker, found, self._state)
            self._cleanup.push_async_callback(self._stop_server, "Kafka", self._broker)
            await self._broker.start()

    async def _stop_server(self, name: str, server: Broker | Database) -> None:
        with step(self._progress, f"stopping {name}"):
            await server.stop()

    def _environment(self, ports: dict[str, int]) -> dict[str, str]:
        assert self._broker is not None
        assert self._database is not None
        own = {
            **ensure_keys(self._state / "keys"),
            **{port_setting(name): str(port) for name, port in ports.items()},
            **{url_setting(name): f"http://{HOST}:{port}" for name, port in ports.items()},
            "LOYALTY_HOST": HOST,
            "LOYALTY_KAFKA": self._broker.bootstrap,
            "LOYALTY_DATABASE_URL": self._database.url,
            "PYTHONUNBUFFERED": "1",
        }
        if self._options.topic_prefix is not None:
            own["LOYALTY_TOPIC_PREFIX"] = self._options.topic_prefix
        return {**os.environ, **own, **self._options.extra_env}

    def _kafka_settings(self) -> KafkaSettings:
        prefix = self._options.topic_prefix
        given = {"kafka": self.kafka} | ({} if prefix is None else {"topic_prefix": prefix})
        return ServiceSettings.load("ops", **given).kafka_settings()

    async def _start_services(self, names: Sequence[str], ports: dict[str, int]) -> None:
        logs = self._state / "logs"
        logs.mkdir(exist_ok=True)
        supervision = await self._cleanup.enter_async_context(asyncio.TaskGroup())
        self._cleanup.push_async_callback(self._stop_services)
        for name in names:
            service = ServiceProcess(
                name,
                [sys.executable, "-m", f"services.{name}"],
                port=ports[name],
                env=self.env,
                run_dir=self._state / "run",
                log=logs / f"{name}.log",
                progress=self._progress,
            )
            self.services[name] = service
            supervision.create_task(service.run())
        with step(self._progress, f"services ({', '.join(names)})"):
            await asyncio.gather(*(service.wait_until_ready() for service in self.services.values()))

    async def _stop_services(self) -> None:
        with step(self._progress, "stopping services"):
            await asyncio.gather(*(service.stop() for service in self.services.values()))

    async def _make_api_keys(self) -> None:
        url, keys = self.database_url, self._state / "keys"
        self.api_key = await ensure_api_key(url, keys / "api-key", owner="local", scopes=("*",))
        self.env["LOYALTY_KEY"] = self.api_key
        self.env["LOYALTY_NOTIFIER_KEY"] = await ensure_api_key(
            url, keys / "notifier-key", owner="notifier", scopes=("contacts:read",)
        )

    def _write_environment(self) -> None:
        ours = {name: value for name, value in self.env.items() if name.startswith("LOYALTY_")}
        lines = (f"export {name}={shlex.quote(value)}" for name, value in sorted(ours.items()))
        write_private(self.environment_file, "\n".join(lines))
        self._cleanup.callback(self.environment_file.unlink, missing_ok=True)

    async def _publish_example(self) -> None:
        if await publish_example_programme(self.url("programme"), self.api_key or ""):
            self._progress.note("published the example programme deploy/programmes/example.yaml: there was none")
