"""`loyalty bench redeem`: commands of a till, through the use case, as bare SQL, and over HTTP."""

import asyncio
import random
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import harmonic_mean

from httpx import AsyncClient, HTTPError

from services.ledger.adapters import canonical
from services.ledger.adapters.books import PostgresBooks
from services.ledger.adapters.programme import Programme
from services.ledger.adapters.till_books import PostgresTillBooks
from services.ledger.application.recording import Ledger
from services.ledger.application.redeeming import REDEEM, Asked, Tills
from services.ledger.domain.commands import ForPoints, RecordPurchase
from services.ledger.domain.facts import CommandKey, Line, Tender
from services.ledger.domain.ids import EventId, MemberId
from services.ops.bench.ledger_process import ledger_process
from services.ops.bench.purchases import SEED, programme_message
from services.ops.bench.till_floor import bare_till
from services.ops.stack.local import LocalStack, StackOptions
from services.ops.stack.ports import HOST, free_ports
from services.runtime.documents import DocumentHandler
from services.runtime.http.access import create_key
from services.runtime.http.auth import Principal
from services.runtime.http.idempotency import remember
from services.runtime.ports import Record
from services.runtime.postgres.engine import create_engine
from services.runtime.postgres.migrate import role_of
from services.runtime.postgres.unit_of_work import Database, UnitOfWork
from services.runtime.process.command import calm_the_collector
from services.runtime.process.definition import system_clock
from services.runtime.settings import ServiceSettings

CONNECTIONS = 16
SEED_BATCH = 500
SEED_NET = 1_000_000
START_SECONDS_MAX = 60.0
POLL_SECONDS = 0.1
POINTS = 5
ROUNDS = 10
TILL = Principal("bench", "bench", frozenset(), frozenset())
BODY_HASH = bytes(32)

Tell = Callable[[str], None]
Redeem = Callable[[MemberId], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class RedeemFigures:
    """Redemptions a second on `connections` at once; `ratio` = use case over the same SQL steps bare.

    Latencies over HTTP are those of a client that keeps all connections busy on the same machine.
    """

    members: int
    redemptions: int
    connections: int
    use_case_per_second: int
    bare_per_second: int
    ratio: float
    http_per_second: int
    http_p50_ms: float
    http_p99_ms: float


async def bench_redeem(*, redemptions: int, members: int, state_dir: Path, tell: Tell) -> RedeemFigures:
    """Runs everything on a stack of its own in `state_dir`; nothing is published meanwhile."""
    options = StackOptions(state_dir=state_dir, services=(), example_programme=False)
    rng = random.Random(SEED)
    async with LocalStack(options) as stack, _database(stack.database_url) as database:
        tell("giving the members points")
        await _publish_programme(database)
        known, strangers = ([_new_id(rng) for _ in range(members)] for _ in range(2))
        await _seed(database, [*known, *strangers])
        calm_the_collector()
        tell("through the use case, and the same steps bare")
        use_case, bare = await _side_by_side(database, known, strangers, redemptions)
        tell("over HTTP")
        http, latencies = await _over_http(stack, known, redemptions // 2, state_dir)
    return RedeemFigures(
        members=members,
        redemptions=redemptions,
        connections=CONNECTIONS,
        use_case_per_second=round(use_case),
        bare_per_second=round(bare),
        ratio=round(use_case / bare, 3),
        http_per_second=round(http),
        http_p50_ms=round(latencies[len(latencies) // 2] * 1000, 2),
        http_p99_ms=round(latencies[len(latencies) * 99 // 100] * 1000, 2),
    )


async def _side_by_side(
    database: Database, known: Sequence[MemberId], strangers: Sequence[MemberId], count: int
) -> tuple[float, float]:
    """Both rates, taken in turns: what else the machine does falls on both alike."""
    tills, part = _Tills(database), count // ROUNDS
    use_case, bare, numbers = [], [], dict[str, int]()
    for number in range(ROUNDS):
        use_case.append(await _rate(tills.redeem, known, part, number))
        async with bare_till(database.engine, CONNECTIONS, numbers) as till:
            bare.append(await _rate(till.redeem, strangers, part, number))
    return harmonic_mean(use_case), harmonic_mean(bare)


class _Tills:
    """Redeems as the API does, in this process: decided, recorded and remembered in one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tills = Tills(Ledger(canonical))
        self._programme = Programme(system_clock, ServiceSettings.model_fields["lead"].default)

    async def redeem(self, member: MemberId) -> None:
        key = str(uuid.uuid4())
        asked = Asked(member, REDEEM, CommandKey(TILL.owner, key, BODY_HASH.hex()), system_clock())

        async def attempt(uow: UnitOfWork) -> None:
            versions = partial(self._programme.known, uow.connection)
            till = await self._tills.open(PostgresTillBooks(uow), asked, versions)
            outcome = await till.redeem(ForPoints("points", POINTS), None)
            answer = {"redemption_id": asked.event_id, "available": outcome.state.units["points"].available}
            await remember(uow, TILL, f"{REDEEM} {member}", key, BODY_HASH, 201, answer)

        await self._database.run(attempt)


async def _rate(redeem: Redeem, members: Sequence[MemberId], count: int, seed: int = SEED) -> float:
    """Redemptions a second by as many workers as there are connections."""
    rng = random.Random(seed)
    waiting = iter([rng.choice(members) for _ in range(count)])

    async def worker() -> None:
        for member in waiting:
            await redeem(member)

    started = time.perf_counter()
    async with asyncio.TaskGroup() as workers:
        for _ in range(CONNECTIONS):
            workers.create_task(worker())
    return count / (time.perf_counter() - started)


async def _over_http(
    stack: LocalStack, members: Sequence[MemberId], count: int, state_dir: Path
) -> tuple[float, list[float]]:
    """The rate and every latency in seconds, sorted."""
    (port,) = free_ports(1)
    env = {**stack.env, "LOYALTY_LEDGER_PORT": str(port)}
    latencies: list[float] = []
    async with (
        ledger_process(env, stack.database_url, ("api",), state_dir),
        AsyncClient(base_url=f"http://{HOST}:{port}", headers=await _key(stack.database_url)) as client,
    ):
        await _until_ready(client)

        async def redeem(member: MemberId) -> None:
            started = time.perf_counter()
            answer = await client.post(
                f"/v1/members/{member}/redemptions",
                json={"unit": "points", "points": POINTS},
                headers={"Idempotency-Key": str(uuid.uuid4())},
            )
            answer.raise_for_status()
            latencies.append(time.perf_counter() - started)

        rate = await _rate(redeem, members, count)
    return rate, sorted(latencies)


async def _until_ready(client: AsyncClient) -> None:
    async with asyncio.timeout(START_SECONDS_MAX):
        while True:
            if await _is_ready(client):
                return
            await asyncio.sleep(POLL_SECONDS)


async def _is_ready(client: AsyncClient) -> bool:
    try:
        return (await client.get("/readyz")).is_success
    except HTTPError:
        return False


async def _key(url: str) -> dict[str, str]:
    async with _database(url, role=None) as owner:
        key = await create_key(owner, owner=TILL.owner, scopes=["points:redeem"], sources=())
    return {"Authorization": f"Bearer {key}"}


@asynccontextmanager
async def _database(url: str, role: str | None = role_of("ledger")) -> AsyncIterator[Database]:
    database = Database(create_engine(url, role=role, schema="ledger", pool_size=CONNECTIONS))
    try:
        yield database
    finally:
        await database.dispose()


async def _publish_programme(database: Database) -> None:
    now = datetime.now(UTC)
    message = programme_message(now)
    handler = DocumentHandler(lead=ServiceSettings.model_fields["lead"].default)
    record = Record(message.topic, 0, 0, message.key, message.headers, now, message.value)
    decoded = Record(message.topic, 0, 0, message.key, message.headers, now, handler.decode(record))
    async with database.begin() as uow:
        await handler.handle(uow, [decoded])
        await handler.caught_up(uow, 0, now, any_parked=False)


async def _seed(database: Database, members: Sequence[MemberId]) -> None:
    ledger, programme = Ledger(canonical), Programme(system_clock, ServiceSettings.model_fields["lead"].default)
    for start in range(0, len(members), SEED_BATCH):
        batch = members[start : start + SEED_BATCH]
        async with database.begin() as uow:
            versions = await programme.versions(uow)
            await ledger.record(PostgresBooks(uow), [(member, _purchase(member)) for member in batch], versions)


def _purchase(member: MemberId) -> RecordPurchase:
    now = datetime.now(UTC)
    return RecordPurchase(
        event_id=EventId(member),
        occurred_at=now,
        clock=now,
        position=None,
        kind="sale",
        source="pos.bench",
        store="0001",
        terminal="01",
        business_day=now.date(),
        sequence=1,
        fingerprint="0" * 64,
        currency="CNY",
        lines=(Line(1, "sku-1", "grocery", "1", SEED_NET, 0),),
        tenders=(Tender("card", SEED_NET),),
    )


def _new_id(rng: random.Random) -> MemberId:
    return MemberId(str(uuid.UUID(int=rng.getrandbits(128), version=4)))
