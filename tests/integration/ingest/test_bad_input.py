"""Nothing is lost: what cannot be read ends in the dead letters, with its reason, and the rest goes on."""

from datetime import UTC, datetime, timedelta

from services.runtime.kafka.dead_letters import dead_letter_context
from services.runtime.ports import SourcePosition
from tests.support.checkouts import FULL_SALE, body, sale
from tests.support.ingest import IngestService

CARD = ("card", "880012345678")


async def test_bad_records_become_dead_letters_with_their_reasons_and_good_ones_go_on(ingest: IngestService) -> None:
    await ingest.known(CARD)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    sent = {
        "invalid_json": b"{",
        "invalid_encoding": b'{"source": "\xff"}',
        "totals_mismatch": body(sale(rounding=7)),
        "occurred_in_future": body(sale(occurred_at=tomorrow)),
        "currency_mismatch": body(sale(currency="USD")),
        "missing": body(sale(lines=[{"line": 1, "net": 4090}])),
        "nested_too_deep": b'{"a":' * 33 + b"1" + b"}" * 33,
        "identity_malformed": body(sale(member={"kind": "phone", "value": "12"})),
    }
    await ingest.publish_many([*sent.values(), body(sale(sequence=7))])
    await ingest.publish(body(FULL_SALE), {"ce_specversion": "1.0", "ce_type": "com.example.sale"})
    rows = await ingest.dead_letters(len(sent) + 1)
    assert [row.code for row in rows] == [*sent, "unknown_type"]
    assert {row.pointer for row in rows} >= {"/tenders", "/occurred_at", "/currency", "/lines/0/sku", "/member/value"}
    for row, value in zip(rows, [*sent.values(), body(FULL_SALE)], strict=True):
        position = SourcePosition(row.topic, row.partition, row.offset)
        assert "880012345678" not in row.detail
        assert value not in row.sealed
        assert ingest.context.seal.open(row.sealed, dead_letter_context(position)) == value
    (purchase,) = await ingest.published("purchases")
    assert b'"sequence":7' in (purchase.value or b"")


async def test_a_dead_letter_is_told_as_the_outcome_of_its_checkout(ingest: IngestService) -> None:
    await ingest.publish(body(sale(currency="yuan")))
    (row,) = await ingest.dead_letters(1)
    await ingest.becomes(row.event_ref, outcome="dead_lettered", reason="string_pattern_mismatch")


async def test_without_a_programme_checkouts_wait_and_go_on_once_there_is_one(bare_ingest: IngestService) -> None:
    await bare_ingest.known(CARD)
    event_id = await bare_ingest.send(sale(currency="USD"))
    assert await bare_ingest.status(event_id) is None
    await bare_ingest.until(lambda: bare_ingest.count("checkpoint WHERE state = 'waiting' AND topic = 'checkouts'"))
    await bare_ingest.publish_programme(currency="USD")
    await bare_ingest.becomes(event_id, outcome="accepted")
