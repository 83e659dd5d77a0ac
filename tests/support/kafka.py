"""Topics of one test: their own prefix on the run's broker, removed afterwards."""

import secrets

from aiokafka.admin import AIOKafkaAdminClient


def new_prefix() -> str:
    return f"t{secrets.token_hex(5)}."


async def delete_topics(bootstrap: str, prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        ours = [topic for topic in await admin.list_topics() if topic.startswith(prefix)]
        if ours:
            await admin.delete_topics(ours)
    finally:
        await admin.close()
