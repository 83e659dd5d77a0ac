"""What this release does when a newer one has written first: nothing is guessed, and it is said what helps."""

import json
from typing import Any

from services.runtime.ports import Message
from tests.support.ledger import LedgerService, P, new_member, programme, purchase
from tests.support.programmes import with_change
from tests.support.till import Till, points

NEWER_RULE = with_change(with_change(P, "version", 2), "earning.rules.0.when", {"weather": "rain"})
NEWER_BODY = "UPDATE ledger.document_version SET body = convert_to(:body, 'UTF8') WHERE version = 1"


def unread(document: dict[str, Any]) -> Message:
    """The programme as a service publishes it that knows more than this one."""
    known = programme(P | {"version": document["version"]})
    event = json.loads(known.value or b"") | {"document": document}
    return Message(known.topic, known.key, json.dumps(event).encode(), known.headers)


async def test_a_programme_of_a_newer_release_stops_its_topic_and_names_what_is_not_known(
    ledger: LedgerService,
) -> None:
    await ledger.running.send(programme(), unread(NEWER_RULE), purchase(new_member()))
    async with ledger.running.working():
        stopped = await ledger.until_partition("programme", "stopped")
        await ledger.until_partition("purchases", "waiting")
    assert stopped.cause is not None
    assert "a record of topic `programme` needs a newer release of this service" in stopped.cause
    assert "/document/earning/rules/0/when/weather (extra_forbidden)" in stopped.cause
    assert await ledger.entries() == 0


async def test_a_till_is_told_to_wait_where_the_rules_in_the_database_are_of_a_newer_release(till: Till) -> None:
    member = await till.member_with(100)
    body = (unread(NEWER_RULE).value or b"").decode()
    await till.ledger.plant(NEWER_BODY, body=body)
    problem = await till.refused(member, points(10), status=503)
    assert problem["code"] == "not_ready"
    assert "version 1 needs a newer release of this service" in problem["detail"]


async def test_a_tier_change_for_a_reason_of_a_newer_release_stops_its_partition(ledger: LedgerService) -> None:
    member = new_member()
    value = json.dumps({"member_id": member, "member_seq": 1, "reason": "by_acclamation"}).encode()
    await ledger.running.send(programme(), Message("tiers", member, value, {"ce_id": f"{member}/1"}))
    async with ledger.running.working():
        stopped = await ledger.until_partition("tiers", "stopped")
    assert stopped.cause is not None
    assert "a record of topic `tiers` needs a newer release of this service" in stopped.cause
