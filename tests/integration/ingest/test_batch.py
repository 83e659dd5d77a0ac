"""What a store that was offline has kept, through the whole door."""

import json

from tests.support.checkouts import RETURN, body, sale
from tests.support.ingest import IngestService

NDJSON = {"content-type": "application/x-ndjson"}


async def test_a_batch_goes_the_way_of_every_checkout(ingest: IngestService) -> None:
    await ingest.known(("card", "880012345678"))
    good = [sale(sequence=1), sale(sequence=2), RETURN | {"original": RETURN["original"] | {"sequence": 1}}]
    lines = [*map(body, good), b"{", body(sale(sequence=3, rounding=1)), body(good[0])]
    answer = await ingest.client.post("/v1/checkouts:batch", content=b"\n".join(lines), headers=NDJSON)
    told = [json.loads(line) for line in answer.text.splitlines()]
    assert [each["status"] for each in told] == [202, 202, 202, 400, 422, 202]
    await ingest.becomes(told[2]["event_id"], outcome="accepted")
    await ingest.becomes(told[0]["event_id"], outcome="accepted", duplicates=1)
    assert len(await ingest.published("purchases")) == 3


async def test_a_whole_day_of_an_offline_store_goes_in_at_once(ingest: IngestService) -> None:
    await ingest.known(("card", "880012345678"))
    content = b"".join(body(sale(sequence=number)) + b"\n" for number in range(1_000))
    answer = await ingest.client.post("/v1/checkouts:batch", content=content, headers=NDJSON)
    told = [json.loads(line) for line in answer.text.splitlines()]
    assert [(each["line"], each["status"]) for each in told] == [(line, 202) for line in range(1, 1_001)]
    await ingest.until(lambda: ingest.count("purchase HAVING count(*) = 1000"))
