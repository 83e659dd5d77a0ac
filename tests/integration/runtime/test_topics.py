"""Topics are made from the table, and compared with it."""

from services.runtime.kafka.reader import end_offsets
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.kafka.topics import apply_topics, topic_specs


async def test_missing_topics_are_created_and_found_unchanged_the_next_time(kafka: str, clean_topics: str) -> None:
    settings = KafkaSettings(bootstrap=kafka, prefix=clean_topics)
    made = await apply_topics(settings, partitions=2)
    assert [each.change for each in made] == ["created"] * len(topic_specs())
    again = await apply_topics(settings, partitions=2)
    assert [each.change for each in again] == ["unchanged"] * len(topic_specs()), again
    assert len(await end_offsets(settings, "points")) == 2
    assert len(await end_offsets(settings, "programme")) == 1


async def test_a_numbered_topic_with_another_partition_count_is_told_and_left_alone(
    kafka: str, clean_topics: str
) -> None:
    settings = KafkaSettings(bootstrap=kafka, prefix=clean_topics)
    await apply_topics(settings, partitions=2)
    told = {each.topic: each for each in await apply_topics(settings, partitions=4)}
    assert told["points"].change == "differs"
    assert told["points"].detail == "2 partitions instead of 4; never changed in place, its records are numbered"
    assert len(await end_offsets(settings, "points")) == 2
