"""What a new platform needs before its services: tables, topics, a key."""

import os
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from services.ops.stack.errors import StackError
from services.runtime.http.access import create_key, list_keys
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.kafka.topics import apply_topics
from services.runtime.postgres.migrate import migrate_all


async def migrate_all_services(database_url: str) -> None:
    await migrate_all(database_url)


async def apply_all_topics(kafka: KafkaSettings) -> None:
    for topic in await apply_topics(kafka):
        if topic.change == "differs":
            raise StackError(f"Topic {kafka.physical(topic.topic)} is not what this release needs: {topic.detail}")


async def ensure_api_key(database_url: str, file: Path, *, owner: str, scopes: Sequence[str]) -> str:
    """Good for every source; the one in `file` as long as the database knows it, else a new one."""
    engine = create_async_engine(database_url, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            if file.exists():
                kept = file.read_text().strip()
                known = {key.id for key in await list_keys(connection) if key.revoked_at is None}
                if kept.split("_")[1:2] and kept.split("_")[1] in known:
                    return kept
            key = await create_key(connection, owner=owner, scopes=scopes, sources=("*",))
        write_private(file, key)
        return key
    finally:
        await engine.dispose()


def write_private(file: Path, content: str) -> None:
    """At no moment readable by anybody but its owner."""
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.write(content + "\n")
