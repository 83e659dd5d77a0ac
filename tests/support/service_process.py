"""A service as the process that runs in production, to be killed."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.running_services import RunningService

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def service_process(
    service: RunningService, *roles: str, database_url: str, port: int = 0
) -> AsyncIterator[subprocess.Popen[bytes]]:
    """`python -m services.NAME ROLES` on the same broker and database; killed with the block at the latest."""
    kafka, settings, name = service.context.kafka, service.context.settings, service.definition.name
    own = {
        "LOYALTY_KAFKA": kafka.bootstrap,
        "LOYALTY_TOPIC_PREFIX": kafka.prefix,
        "LOYALTY_DATABASE_URL": database_url,
        "LOYALTY_SEAL_KEY_FILE": str(settings.seal_key_file),
        f"LOYALTY_{name.upper()}_PORT": str(port),
    }
    running = subprocess.Popen(
        [sys.executable, "-m", f"services.{name}", *roles], cwd=ROOT, stdin=subprocess.DEVNULL, env=os.environ | own
    )
    try:
        yield running
    finally:
        running.kill()
        await asyncio.to_thread(running.wait)
