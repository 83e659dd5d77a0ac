"""The topic `members`, and the answers over HTTP."""

from collections.abc import AsyncIterator
from importlib import import_module

import httpx
import pytest
from sqlalchemy import text

from schemas.members import Consent, MemberState
from services.notifier.__main__ import served
from services.runtime.errors import Fenced
from services.runtime.http.app import create_app
from services.runtime.http.readiness import Readiness
from services.runtime.kafka.checkpoints import Advance, PartitionId, advance, lock, take
from services.runtime.ports import Record
from tests.support.api_keys import FixedKeys, authenticator_of, bearer
from tests.support.contact_desk import ContactDesk
from tests.support.notifier import (
    NotifierUnderTest,
    contact,
    member_record,
    new_member,
    programme,
    tier_changed,
    tier_record,
)


@pytest.fixture
async def http(notifier: NotifierUnderTest) -> AsyncIterator[httpx.AsyncClient]:
    keys = FixedKeys()
    key = keys.add("reader", "messages:read")
    app = create_app(
        title="notifier",
        routers=served(notifier.context).routers,
        readiness=Readiness(),
        authenticator=authenticator_of(keys),
    )
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://notifier", headers=bearer(key)) as client:
        yield client


async def test_the_messages_of_a_member_show_every_step(
    notifier: NotifierUnderTest, desk: ContactDesk, http: httpx.AsyncClient
) -> None:
    member = new_member()
    desk.contacts[member] = contact(member)
    await notifier.know(programme())
    await notifier.take("tiers", tier_record(tier_changed(member, notifier.clock.now)))
    await notifier.sender.run_once()
    answer = await http.get(f"/v1/members/{member}/messages")
    assert answer.status_code == 200
    (message,) = answer.json()["messages"]
    assert (message["campaign"], message["occurrence"], message["fate"]) == ("welcome-gold", f"{member}/1", "sent")
    assert [(step["member_seq"], step["fate"]) for step in message["steps"]] == [
        (1, "planned"),
        (2, "submitting"),
        (3, "sent"),
    ]


async def test_pages_follow_one_another_from_the_newest_message(
    notifier: NotifierUnderTest, http: httpx.AsyncClient
) -> None:
    member, occurrences, cursor = new_member(), [], None
    await notifier.know(programme())
    for seq, (before, after) in enumerate([("silver", "gold"), ("gold", "silver"), ("silver", "gold")], start=1):
        change = tier_changed(member, notifier.clock.now, member_seq=seq, from_tier=before, to_tier=after)
        await notifier.take("tiers", tier_record(change))
    for _ in range(2):
        params = {"limit": "1"} | ({"cursor": cursor} if cursor else {})
        page = (await http.get(f"/v1/members/{member}/messages", params=params)).json()
        occurrences += [message["occurrence"] for message in page["messages"]]
        cursor = page["next_cursor"]
    assert occurrences == [f"{member}/3", f"{member}/1"]
    assert cursor is None


async def test_a_member_who_is_known_and_was_told_nothing_has_no_messages(
    notifier: NotifierUnderTest, http: httpx.AsyncClient
) -> None:
    member = new_member()
    await notifier.take("members", _registered(notifier, member))
    answer = await http.get(f"/v1/members/{member}/messages")
    assert answer.json() == {"member_id": member, "upcoming": [], "messages": [], "next_cursor": None}


async def test_unknown_members_and_malformed_ids_are_told_apart(http: httpx.AsyncClient) -> None:
    unknown = await http.get(f"/v1/members/{new_member()}/messages")
    malformed = await http.get("/v1/members/nobody/messages")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "member_unknown")
    assert malformed.status_code == 422


async def test_of_a_member_the_highest_version_is_kept(notifier: NotifierUnderTest) -> None:
    member = new_member()
    await notifier.take("members", _registered(notifier, member, version=2, status="blocked"))
    await notifier.take("members", _registered(notifier, member, version=1))
    assert await _state(notifier) == ("blocked", "zh-CN", [["marketing", "email", True]])


async def test_a_tombstone_leaves_nothing_but_the_fact_of_erasure(notifier: NotifierUnderTest) -> None:
    member = new_member()
    await notifier.take("members", _registered(notifier, member))
    await notifier.take("members", member_record(None, member))
    assert await _state(notifier) == ("erased", None, [])


async def test_the_migration_to_birthdays_has_members_read_from_the_beginning(
    notifier: NotifierUnderTest,
) -> None:
    migration = import_module("services.notifier.migrations.versions.0002_birthdays")
    members = PartitionId("notifier", "members", 0)
    held = await take(notifier.database, members, owner="before", begin_offset=0)
    async with notifier.database.begin() as uow:
        await advance(uow, members, Advance(17, 16, "m/1", frozenset()))
        await uow.connection.execute(text(migration.READ_MEMBERS_AGAIN))
    with pytest.raises(Fenced):
        async with notifier.database.begin() as uow:
            await lock(uow, members, epoch=held.epoch, expected_offset=17)
    again = await take(notifier.database, members, owner="after", begin_offset=0)
    assert (again.next_offset, again.last_offset, again.last_id) == (0, None, None)


def _registered(
    notifier: NotifierUnderTest, member: str, *, version: int = 1, status: str = "active"
) -> Record[bytes | None]:
    now = notifier.clock.now
    state = MemberState.model_validate(
        {
            "member_id": member,
            "version": version,
            "status": status,
            "joined_at": now,
            "recorded_at": now,
            "consents": [Consent(purpose="marketing", channel="email", granted=True, at=now)],
        }
    )
    return member_record(state.model_dump_json().encode(), member)


async def _state(notifier: NotifierUnderTest) -> tuple[object, ...]:
    async with notifier.database.read() as connection:
        row = (await connection.execute(text("SELECT status, locale, consents FROM member_state"))).one()
    return tuple(row)
