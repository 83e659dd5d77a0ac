"""Gifts of campaigns, in the bytes in which the notifier publishes them, become points once."""

from datetime import datetime, timedelta

from schemas.envelope import event_headers
from schemas.purchases import ACTIVITY_V1, GIFT_SOURCE
from services.notifier.adapters.gifts import ACTIVITIES_TOPIC, encode, event_id
from services.notifier.domain.gifts import Gift
from services.notifier.domain.messages import MemberId
from services.runtime.ports import Message
from tests.support.ledger import WEDNESDAY, LedgerService, P, id_of, local, new_member, programme, purchase
from tests.support.programmes import with_change

BIRTHDAY = {
    "id": "birthday",
    "on": {"birthday": {}},
    "channels": ["email"],
    "template": "hello",
    "gift": {"unit": "points", "points": 100},
}
GIVING = with_change(P, "campaigns.1", BIRTHDAY)


def gift(member: str, reference: str = "birthday/2026", *, at: datetime = WEDNESDAY) -> Message:
    campaign, _, occurrence = reference.partition("/")
    given = Gift(MemberId(member), campaign, occurrence, at)
    headers = event_headers(event_type=ACTIVITY_V1, event_id=event_id(given), source=GIFT_SOURCE, at=at)
    return Message(ACTIVITIES_TOPIC, member, encode(given, recorded_at=at), headers)


async def test_C22_a_gift_is_credited_once_with_its_campaign_as_evidence(ledger: LedgerService) -> None:
    member = new_member()
    once, told_again = gift(member), gift(member, at=WEDNESDAY + timedelta(hours=12))
    await ledger.running.send(programme(GIVING), once, told_again, purchase(member, 1000))
    async with ledger.running.working():
        await ledger.until_recorded(2)
    points = await ledger.points(member)
    assert points["available"] == 110, "the same occasion at another instant is the same gift"
    assert datetime.fromisoformat(points["expiring"][0]["at"]) == local(2027, 4, 1)
    (recorded,) = (await ledger.ask(f"/v1/explain/{id_of(once)}"))["facts"]
    (award,) = recorded["fact"]["awards"]
    assert (award["rule"], award["points"], award["unit"]) == ("campaign:birthday", 100, "points")
    assert await ledger.offence() is None


async def test_a_gift_of_an_unknown_campaign_is_recorded_without_points(ledger: LedgerService) -> None:
    member = new_member()
    await ledger.running.send(programme(GIVING), gift(member, "easter/2026"), gift(member, "hello/x"))
    async with ledger.running.working():
        await ledger.until_recorded(2)
    assert [(fact["type"], fact["awards"]) for fact in await ledger.facts(member)] == [("activity_recorded", [])] * 2
