"""From the outbox to the topic, and the guard that reads it back."""

from pathlib import Path

import pytest
from sqlalchemy import text

from schemas.members import MemberState
from services.members.adapters.publication import MemberTopic
from services.runtime.errors import HaltError
from services.runtime.kafka.guard import check_topics_not_ahead
from services.runtime.kafka.reader import read_topic
from services.runtime.kafka.topics import apply_topics
from services.runtime.ports import Record
from tests.support.members import MembersService, members_service


async def published(service: MembersService) -> list[Record[bytes | None]]:
    return [record async for batch in read_topic(service.context.kafka, "members") for record in batch]


async def check(service: MembersService) -> None:
    context = service.context
    await check_topics_not_ahead(kafka=context.kafka, database=context.database, owner=MemberTopic())


async def test_every_version_is_published_in_order_under_the_members_key(
    database_url: str, tmp_path: Path, kafka: str, clean_topics: str
) -> None:
    async with members_service(database_url, tmp_path, kafka=kafka, topic_prefix=clean_topics) as service:
        await apply_topics(service.context.kafka, partitions=2)
        member_id = await service.register()
        member = f"/v1/members/{member_id}"
        await service.write("PATCH", member, {"locale": "en-GB"})
        await service.write("POST", f"{member}/close", {})
        await service.relay_until_empty()
        records = await published(service)
        states = [MemberState.model_validate_json(record.value or b"") for record in records]
        assert {record.key for record in records} == {member_id}
        assert [(state.version, state.status, state.locale) for state in states] == [
            (1, "active", "zh-CN"),
            (2, "active", "en-GB"),
            (3, "closed", "en-GB"),
        ]
        assert records[0].headers["ce_id"] == f"{member_id}/1"


async def test_a_database_behind_its_topic_is_noticed_before_anything_is_decided(
    database_url: str, tmp_path: Path, kafka: str, clean_topics: str
) -> None:
    async with members_service(database_url, tmp_path, kafka=kafka, topic_prefix=clean_topics) as service:
        await apply_topics(service.context.kafka, partitions=2)
        await check(service)
        await service.register()
        await service.relay_until_empty()
        await check(service)
        async with service.owner.begin() as uow:
            await uow.connection.execute(text("TRUNCATE member_event"))
        with pytest.raises(HaltError, match="behind its topic `members`") as halt:
            await check(service)
        assert "restore the newest backup of schema `members`" in halt.value.remedy
