import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.runtime.errors import HaltError, Transient
from services.runtime.http.readiness import Check, Readiness
from services.runtime.kafka.faults import is_broker_trouble
from services.runtime.kafka.guard import TopicOwner, check_topics_not_ahead
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.postgres.faults import is_transient, sqlstate
from services.runtime.postgres.migrate import pending_migrations
from services.runtime.postgres.unit_of_work import Database
from services.runtime.process.waiting import backoff_seconds, stopped_within
from services.runtime.telemetry.log import describe, logger
from services.runtime.telemetry.metrics import Metrics

RELEASE_AFTER_RECHECKS = 3
MIGRATE = "run `loyalty migrate`"
# The session's role, schema or table does not exist: nobody has migrated this database yet.
_UNMIGRATED_STATES = frozenset({"22023", "3F000", "42704", "42P01"})
_log = logger(__name__)


class StartGuard:
    """Keeps the gate shut until the schema is current and no topic is ahead of this database.

    What can pass by itself (a broker or database that is away) is tried again sooner than what a person must mend.
    """

    def __init__(
        self,
        *,
        service: str,
        database: Database,
        kafka: KafkaSettings,
        owner: TopicOwner | None,
        readiness: Readiness,
        metrics: Metrics,
        recheck_seconds: float,
    ) -> None:
        self._service = service
        self._database = database
        self._kafka = kafka
        self._owner = owner
        self._readiness = readiness
        self._metrics = metrics
        self.recheck_seconds = recheck_seconds
        self._holds: dict[str, HaltError] = {}
        self._schema = Check(ok=False, detail="not looked at yet")
        readiness.add("migrations", self._migrations)
        readiness.shut("starting")

    async def passed(self, stop: asyncio.Event) -> bool:
        """Returns once the gate is open, or False when the process is to stop before that."""
        attempt = 0
        while not stop.is_set():
            try:
                await self._check()
            except HaltError as halt:
                self._halt(halt)
                pause = self.recheck_seconds
            except Exception as error:
                self._wait_for(error)
                pause = backoff_seconds(attempt)
            else:
                self._open()
                return True
            attempt += 1
            await stopped_within(stop, pause)
        return False

    async def passed_again(self, stop: asyncio.Event) -> None:
        """For a role that halted: pauses, and waits until everything that is checked at start holds again."""
        while not await stopped_within(stop, self.recheck_seconds):
            try:
                await self._check()
            except HaltError as halt:
                self._halt(halt)
            except Exception as error:
                self._wait_for(error)
            else:
                return

    def hold(self, role: str, halt: HaltError) -> None:
        """Shuts the gate for a role that must not go on, although the checks at start were passed."""
        self._holds[role] = halt
        self._halt(halt)

    @asynccontextmanager
    async def released_later(self, role: str) -> AsyncIterator[None]:
        """Lets go of a held role once it has kept running: one that halts again at once must not open the gate."""
        loop = asyncio.get_running_loop()
        timer = loop.call_later(RELEASE_AFTER_RECHECKS * self.recheck_seconds, self._release, role)
        try:
            yield
        finally:
            timer.cancel()

    def _release(self, role: str) -> None:
        if self._holds.pop(role, None) is not None and not self._holds:
            self._open()

    def _halt(self, halt: HaltError) -> None:
        if self._readiness.gate.detail != halt.what:
            _log.error("halted", what=halt.what, remedy=halt.remedy)
        self._readiness.shut(halt.what, halt.remedy)
        self._metrics.set("loyalty_halted", 1)

    async def _check(self) -> None:
        try:
            async with self._database.read() as connection:
                pending = await pending_migrations(self._service, connection)
        except Exception as error:
            if sqlstate(error) not in _UNMIGRATED_STATES:
                raise
            pending = [f"all ({describe(error)})"]
        if pending:
            self._schema = Check(ok=False, detail=f"not migrated: {', '.join(pending)}", remedy=MIGRATE)
            raise HaltError(f"the schema {self._service} is behind: {', '.join(pending)}", MIGRATE)
        self._schema = Check(ok=True)
        if self._owner is not None:
            await check_topics_not_ahead(kafka=self._kafka, database=self._database, owner=self._owner)

    def _wait_for(self, error: Exception) -> None:
        if isinstance(error, Transient):
            what = "waiting"
        elif sqlstate(error) is not None:
            what = "waiting for the database"
        elif is_transient(error) or is_broker_trouble(error):
            what = "waiting for the broker or the database"
        else:
            raise error
        detail = f"{what}: {describe(error)}"
        if self._readiness.gate.detail != detail:
            _log.warning("start_waits", detail=detail)
        self._readiness.shut(detail)

    def _open(self) -> None:
        self._readiness.open()
        self._metrics.set("loyalty_halted", 0)
        _log.info("ready_to_work")

    async def _migrations(self) -> Check:
        return self._schema
