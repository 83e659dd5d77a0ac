"""Records as they come from outside, made fit for keeping."""

from datetime import UTC, datetime

import pytest
from aiokafka.structs import ConsumerRecord

from services.runtime.kafka.records import identity_of, storable, to_record
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.ports import SourcePosition

SETTINGS = KafkaSettings("localhost:9092", prefix="shop.")


def raw(
    *, key: bytes | None = b"k", value: bytes | None = b"v", headers: tuple[tuple[str, bytes], ...] = ()
) -> ConsumerRecord[bytes, bytes]:
    return ConsumerRecord("shop.points", 2, 7, 1_772_000_000_500, 0, key, value, None, 1, 1, headers)


def test_a_record_carries_the_logical_topic_and_an_aware_time() -> None:
    record = to_record(SETTINGS, raw(headers=(("ce_id", b"m/1"),)))
    assert record.position == SourcePosition("points", 2, 7)
    assert record.appended_at == datetime.fromtimestamp(1_772_000_000.5, UTC)
    assert (record.key, record.headers) == ("k", {"ce_id": "m/1"})


def test_a_tombstone_has_no_value() -> None:
    assert to_record(SETTINGS, raw(value=None)).value is None


@pytest.mark.parametrize("data", [b"\xff\xfe", b"a\x00b", b"\xed\xa0\x80"])
def test_any_bytes_become_text_that_the_database_takes(data: bytes) -> None:
    told = storable(data)
    assert "\x00" not in told
    assert told.encode()


def test_a_record_is_known_by_its_event_id_or_else_by_its_bytes() -> None:
    assert identity_of(to_record(SETTINGS, raw(headers=(("ce_id", b"m/1"),)))) == "m/1"
    one, other = to_record(SETTINGS, raw(value=b"1")), to_record(SETTINGS, raw(value=b"2"))
    assert identity_of(one) != identity_of(other)
    assert identity_of(one) == identity_of(to_record(SETTINGS, raw(value=b"1")))
