"""Who is at work in a consumer group."""

from aiokafka.admin import AIOKafkaAdminClient

from services.runtime.kafka.faults import broker_trouble_is_transient
from services.runtime.kafka.settings import KafkaSettings


async def group_members(kafka: KafkaSettings, group: str) -> list[str]:
    """The hosts of the members, one for each; one that was killed counts until its session has run out."""
    admin = AIOKafkaAdminClient(**kafka.client_options())
    with broker_trouble_is_transient():
        await admin.start()
        try:
            (answer,) = await admin.describe_consumer_groups([kafka.physical(group)])
        finally:
            await admin.close()
    return sorted(member["client_host"] for told in answer.to_object()["groups"] for member in told["members"])
