"""The table of topics as configuration of the broker."""

from services.runtime.kafka.topics import topic_specs

DAY_MS = 86_400_000
SPECS = {spec.name: spec for spec in topic_specs()}


def test_facts_are_kept_for_ever() -> None:
    for name in ("purchases", "points", "tiers", "messages"):
        assert SPECS[name].config == {"cleanup.policy": "delete", "retention.ms": "-1"}


def test_what_tills_sent_is_kept_for_seven_days() -> None:
    assert SPECS["checkouts"].config["retention.ms"] == str(7 * DAY_MS)


def test_members_are_compacted_and_their_tombstones_kept_for_ninety_days() -> None:
    assert SPECS["members"].config == {"cleanup.policy": "compact", "delete.retention.ms": str(90 * DAY_MS)}


def test_the_programme_has_one_partition_and_the_brokers_time() -> None:
    assert SPECS["programme"].partitions == 1
    assert SPECS["programme"].config["message.timestamp.type"] == "LogAppendTime"


def test_numbered_topics_are_those_whose_records_count_per_member() -> None:
    assert {name for name, spec in SPECS.items() if spec.numbered} == {"points", "tiers", "messages"}
