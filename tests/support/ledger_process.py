"""The ledger as the process that runs in production, to be killed; and how its group forgets it without waiting."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.group import LeaveGroupRequest

from services.runtime.kafka.settings import KafkaSettings
from tests.support.ledger import LedgerService

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def ledger_process(
    ledger: LedgerService, *roles: str, database_url: str, port: int = 0
) -> AsyncIterator[subprocess.Popen[bytes]]:
    """`python -m services.ledger ROLES` on the same broker and database; killed with the block at the latest."""
    kafka, settings = ledger.running.context.kafka, ledger.running.context.settings
    own = {
        "LOYALTY_KAFKA": kafka.bootstrap,
        "LOYALTY_TOPIC_PREFIX": kafka.prefix,
        "LOYALTY_DATABASE_URL": database_url,
        "LOYALTY_SEAL_KEY_FILE": str(settings.seal_key_file),
        "LOYALTY_LEDGER_PORT": str(port),
    }
    running = subprocess.Popen(
        [sys.executable, "-m", "services.ledger", *roles], cwd=ROOT, stdin=subprocess.DEVNULL, env=os.environ | own
    )
    try:
        yield running
    finally:
        running.kill()
        await asyncio.to_thread(running.wait)


async def kill(process: subprocess.Popen[bytes], kafka: KafkaSettings, group: str = "ledger") -> None:
    """SIGKILL; then what the broker does by itself when the dead member's session has run out, half a minute later."""
    process.kill()
    await asyncio.to_thread(process.wait)
    await expel_members(kafka, group)


async def expel_members(kafka: KafkaSettings, group: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        (answer,) = await admin.describe_consumer_groups([kafka.physical(group)])
        coordinator = await admin.find_coordinator(kafka.physical(group))
        for described in answer.to_object()["groups"]:
            for member in described["members"]:
                leave = LeaveGroupRequest(kafka.physical(group), member["member_id"])
                await admin._send_request(leave, coordinator)
    finally:
        await admin.close()
