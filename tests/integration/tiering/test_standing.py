"""From the topic `points` to the topic `tiers` and to the answer over HTTP, on a real broker and database."""

from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from schemas.tiers import TierChanged
from services.runtime.errors import HaltError
from services.runtime.ports import Message
from tests.support.points_streams import PointsStream, member
from tests.support.running_services import RunningService, eventually
from tests.support.tiering_worlds import at


async def tier(service: RunningService, member_id: str, moment: str | None = None) -> dict[str, Any]:
    params = {"at": moment} if moment else {}
    answer = await service.client.get(f"/v1/members/{member_id}/tier", params=params)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def until_known(service: RunningService, member_id: str) -> None:
    async def known() -> bool:
        return (await service.client.get(f"/v1/members/{member_id}/tier")).status_code == 200

    await eventually(known)


async def test_C15_gold_by_june_is_published_and_told(service_with_programme: RunningService) -> None:
    service, stream = service_with_programme, PointsStream()
    facts = [stream.fact(at(2026, 3, 2), points=900, growth=900), stream.fact(at(2026, 6, 10, 18), growth=4300)]
    await service.send(member(stream.member_id, at(2026, 1, 1)), *facts)
    async with service.working():
        (record,) = await service.until_published("tiers", 1)
        await until_known(service, stream.member_id)
    change = TierChanged.model_validate_json(record.value or b"")
    assert (change.from_tier, change.to_tier, change.event_id) == (None, "gold", stream.event_id(2))
    assert (change.effective_from, change.valid_until) == (at(2026, 6, 11, 0), at(2028, 1, 1, 0))
    before, after = [await tier(service, stream.member_id, f"2026-06-{day}T00:00:00+08:00") for day in (10, 11)]
    assert (before["tier"]["id"], before["next"]["tier"]["id"], before["next"]["missing"]) == (None, "silver", 100)
    assert after["tier"] == {"id": "gold", "name": {"zh": "金卡", "en": "Gold"}, "benefits": []}
    assert (after["since"], after["valid_until"]) == ("2026-06-10T16:00:00Z", "2027-12-31T16:00:00Z")
    assert after["metric"]["value"] == 5200
    assert (after["keep"]["missing"], after["keep"]["until"]) == (4000, "2027-12-31T16:00:00Z")


async def test_changes_are_numbered_and_chained(service_with_programme: RunningService) -> None:
    service, stream = service_with_programme, PointsStream()
    await service.send(stream.fact(at(2026, 3, 2), growth=1000), stream.fact(at(2026, 6, 10), growth=4000))
    async with service.working():
        records = await service.until_published("tiers", 2)
    head = sha256(stream.member_id.encode()).digest()
    for number, record in enumerate(records, start=1):
        head = sha256(head + (record.value or b"")).digest()
        assert record.key == stream.member_id
        assert (record.headers["member_seq"], record.headers["hash"]) == (str(number), head.hex())


async def test_a_fact_that_comes_twice_counts_once(service_with_programme: RunningService) -> None:
    service, stream = service_with_programme, PointsStream()
    first, second = stream.fact(at(2026, 3, 2), growth=600), stream.fact(at(2026, 3, 3), growth=600)
    await service.send(member(stream.member_id, at(2026, 1, 1)), first, first, second, first, second)
    async with service.working():
        await service.until_published("tiers", 1)
        await until_known(service, stream.member_id)
    standing = await tier(service, stream.member_id, "2026-03-04T00:00:00+08:00")
    assert standing["metric"]["value"] == 1200
    assert len(await service.published("tiers")) == 1


async def test_a_late_purchase_is_published_with_its_own_start(service_with_programme: RunningService) -> None:
    service, stream = service_with_programme, PointsStream()
    await service.send(stream.fact(at(2026, 6, 10), growth=1000), stream.fact(at(2026, 3, 1), growth=1000))
    await service.send(member(stream.member_id, at(2026, 1, 1)))
    async with service.working():
        records = await service.until_published("tiers", 2)
        await until_known(service, stream.member_id)
    late = TierChanged.model_validate_json(records[1].value or b"")
    assert (late.effective_from, late.retroactive, late.reason) == (at(2026, 3, 2, 0), True, "late_purchase")
    history = (await service.client.get(f"/v1/members/{stream.member_id}/tier/history", params={"limit": 1})).json()
    assert [change["member_seq"] for change in history["changes"]] == [2]
    rest = await service.client.get(
        f"/v1/members/{stream.member_id}/tier/history", params={"cursor": history["next_cursor"]}
    )
    assert [change["member_seq"] for change in rest.json()["changes"]] == [1]
    assert rest.json()["next_cursor"] is None


async def test_a_gap_stops_its_partition_with_member_expected_and_found(
    service_with_programme: RunningService,
) -> None:
    service = service_with_programme
    broken = PointsStream("00000000-0000-4000-8000-000000000001")
    first = broken.fact(at(2026, 3, 2), growth=1)
    broken.skip()
    others = [PointsStream() for _ in range(8)]
    await service.send(first, broken.fact(at(2026, 3, 3), growth=1))
    await service.send(*(other.fact(at(2026, 3, 2), growth=1000) for other in others))

    def causes() -> list[str]:
        assert service.context.consumer is not None
        partitions = service.context.consumer.status().partitions
        return [each.cause or "" for each in partitions if each.state == "stopped"]

    async def stopped() -> bool:
        return bool(causes())

    async with service.working():
        await eventually(stopped)
        await service.until_published("tiers", 1)
        (cause,) = causes()
    assert f"points of member {broken.member_id}: expected number 2, found number 3" in cause


async def test_points_wait_until_a_programme_is_known(service: RunningService) -> None:
    stream = PointsStream()
    await service.send(member(stream.member_id, at(2026, 1, 1)), stream.fact(at(2026, 3, 2), growth=1000))

    async def waiting() -> bool:
        assert service.context.consumer is not None
        return any(
            "no programme is known" in (each.cause or "") for each in service.context.consumer.status().partitions
        )

    async with service.working():
        await eventually(waiting)
        answer = await service.client.get(f"/v1/members/{stream.member_id}/tier")
    assert await service.published("tiers") == []
    assert answer.status_code in (404, 503)


async def test_members_come_and_go(service_with_programme: RunningService) -> None:
    service, stream = service_with_programme, PointsStream()
    path = f"/v1/members/{stream.member_id}/tier"
    await service.send(member(stream.member_id, at(2026, 1, 1)))
    async with service.working():
        await until_known(service, stream.member_id)
        base = await tier(service, stream.member_id)
        assert (base["tier"], base["since"], base["keep"]) == ({"id": None, "name": None, "benefits": []}, None, None)
        await service.send(Message("members", stream.member_id, None, {}))

        async def gone() -> bool:
            return (await service.client.get(path)).status_code == 404

        await eventually(gone)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("0191f3a0-0000-7000-8000-00000000dead/tier", 404, "member_unknown"),
        ("0191f3a0-0000-7000-8000-00000000dead/tier/history", 404, "member_unknown"),
        ("not-an-id/tier", 422, "invalid_request"),
        ("0191f3a0-0000-7000-8000-00000000dead/tier?at=2026-06-10T12:00:00", 422, "invalid_request"),
        ("0191f3a0-0000-7000-8000-00000000dead/tier?at=9999-12-31T23:59:59Z", 422, "invalid_request"),
    ],
)
async def test_questions_without_an_answer(service: RunningService, path: str, status: int, code: str) -> None:
    answer = await service.client.get(f"/v1/members/{path}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_tiers_are_read_with_a_right_of_their_own(service: RunningService) -> None:
    headers = await service.client_with("points:read")
    answer = await service.client.get("/v1/members/0191f3a0-0000-7000-8000-00000000dead/tier", headers=headers)
    assert answer.status_code == 403


async def test_an_emptied_database_is_behind_its_topic(service_with_programme: RunningService) -> None:
    service, stream = service_with_programme, PointsStream()
    await service.send(stream.fact(at(2026, 3, 2), growth=1000))
    async with service.working():
        await service.until_published("tiers", 1)
    await service.check_guard()
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with service.context.database.begin() as uow:
            await uow.connection.execute(text("DELETE FROM tier_change"))
    async with service.owner.begin() as uow:
        await uow.connection.execute(text("DELETE FROM tiering.tier_change"))
    with pytest.raises(HaltError, match="restore the newest backup of schema `tiering`"):
        await service.check_guard()


async def test_a_return_lowers_the_metric_of_its_sales_year_and_takes_no_tier_away(
    service_with_programme: RunningService,
) -> None:
    service, stream = service_with_programme, PointsStream()
    sale = stream.fact(at(2026, 12, 20), growth=5200)
    back = stream.returned(at(2026, 12, 20), at(2027, 1, 10), growth=900)
    await service.send(member(stream.member_id, at(2026, 1, 1)), sale, back, stream.fact(at(2027, 1, 11), growth=100))
    async with service.working():
        await service.until_published("tiers", 1)
        await until_known(service, stream.member_id)

        async def all_taken() -> bool:
            return bool((await tier(service, stream.member_id, "2027-01-12T00:00:00+08:00"))["metric"]["value"] == 100)

        await eventually(all_taken)
    year_end, later = [await tier(service, stream.member_id, f"{day}T12:00:00+08:00") for day in DAYS]
    assert (year_end["metric"]["value"], year_end["tier"]["id"]) == (4300, "gold")
    assert later["tier"]["id"] == "gold"
    assert len(await service.published("tiers")) == 1


DAYS = ("2026-12-31", "2027-01-12")
