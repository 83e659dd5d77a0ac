"""The ledger as the process that runs in production, to be killed; and how its group forgets it without waiting."""

import asyncio
import subprocess
from contextlib import AbstractAsyncContextManager

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.group import LeaveGroupRequest

from services.runtime.kafka.settings import KafkaSettings
from tests.support.ledger import LedgerService
from tests.support.service_process import service_process


def ledger_process(
    ledger: LedgerService, *roles: str, database_url: str, port: int = 0
) -> AbstractAsyncContextManager[subprocess.Popen[bytes]]:
    return service_process(ledger.running, *roles, database_url=database_url, port=port)


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
