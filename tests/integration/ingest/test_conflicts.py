"""One identity, two checkouts: what `loyalty conflicts` shows, and what becomes of a decision."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from schemas.outcomes import Outcome
from schemas.purchases import Purchase
from services.ingest.domain.identity import EventId, second_id
from services.ops.operator_actions import actions_on
from tests.support.checkouts import LINES, RETURN, sale
from tests.support.commands import Operator, operator_beside
from tests.support.ingest import IngestService

CARD, PHONE = ("card", "880012345678"), ("phone", "+8613800138000")
BY_PHONE = {"member": {"kind": "phone", "value": "+8613800138000"}}
SECOND = sale(lines=LINES[:1], tenders=[{"type": "cash", "amount": 2640}], occurred_at="2026-03-11T10:00:00+08:00")
WORDS = ("--by", "ann", "--why", "the till began again at 1")


@pytest.fixture
def operator(ingest: IngestService, database_url: str) -> Iterator[Operator]:
    with operator_beside(ingest.context, database_url) as operator:
        yield operator


async def in_conflict(ingest: IngestService, *seconds: dict[str, Any]) -> str:
    event_id = await ingest.send(sale())
    await ingest.becomes(event_id, outcome="accepted")
    for count, second in enumerate(seconds, start=1):
        await ingest.send(second)
        await ingest.becomes(event_id, conflicts=count)
    return event_id


async def purchases(ingest: IngestService) -> list[Purchase]:
    return [Purchase.model_validate_json(record.value or b"") for record in await ingest.published("purchases")]


async def decisions(ingest: IngestService) -> list[Outcome]:
    told = [Outcome.model_validate_json(record.value or b"") for record in await ingest.published("outcomes")]
    return [each for each in told if each.conflict is not None]


async def test_conflicts_are_listed_and_laid_side_by_side_without_naming_anybody(
    ingest: IngestService, operator: Operator
) -> None:
    li = await ingest.known(CARD)
    event_id = await in_conflict(ingest, SECOND)
    (listed,) = await operator.document("conflicts", "ls")
    assert (listed["event_id"], listed["reasons"], listed["undecided"]) == (event_id, ["other_content"], 1)
    assert await operator.document("conflicts", "ls", "--before", event_id) == []
    assert await operator.document("conflicts", "ls", "--state", "decided") == []
    shown = await operator.document("conflicts", "show", event_id)
    assert (shown["outcome"], shown["member_id"], len(shown["content"]["lines"])) == ("accepted", li, 2)
    (conflict,) = shown["conflicts"]
    assert conflict["content"]["tenders"] == [{"type": "cash", "amount": 2640}]
    assert (conflict["reason"], conflict["times"], conflict["verdict"]) == ("other_content", 1, None)
    assert "880012345678" not in json.dumps(shown)
    unnamed = await operator.loyalty("conflicts", "show", event_id, "--payload")
    assert (unnamed.code, "--by takes" in unnamed.said) == (2, True)
    opened = await operator.document("conflicts", "show", event_id, "--payload", "--by", "ann")
    (seen,) = await actions_on(ingest.owner, f"conflict {event_id}")
    assert (seen.operator, seen.action) == ("ann", "open")
    assert opened["conflicts"][0]["payload"]["member"]["value"] == "880012345678"
    text = await operator.loyalty("conflicts", "show", event_id)
    assert "line 1: 1 × latte-l, 26.40" in text.out
    assert f"to decide: loyalty conflicts decide {event_id}" in text.out
    assert event_id in (await operator.loyalty("conflicts", "ls")).out


async def test_a_page_of_open_conflicts_goes_on_behind_one_that_was_decided_meanwhile(
    ingest: IngestService, operator: Operator
) -> None:
    await ingest.known(CARD)
    older = await in_conflict(ingest, SECOND)
    newer = await ingest.send(sale(sequence=7))
    await ingest.send(SECOND | {"sequence": 7})
    await ingest.becomes(newer, conflicts=1)
    (listed,) = await operator.document("conflicts", "ls", "--limit", "1")
    assert listed["event_id"] == newer
    await operator.document("conflicts", "decide", newer, "--keep-first", *WORDS)
    (behind,) = await operator.document("conflicts", "ls", "--limit", "1", "--before", newer)
    assert behind["event_id"] == older


async def test_the_first_is_kept_and_the_decision_is_published_and_shown(
    ingest: IngestService, operator: Operator
) -> None:
    await ingest.known(CARD)
    event_id = await in_conflict(ingest, SECOND)
    decided = await operator.document("conflicts", "decide", event_id, "--keep-first", *WORDS)
    assert (decided["verdict"], decided["accepted_as"]) == ("kept_first", None)
    status = await ingest.status(event_id)
    assert status is not None
    assert status["conflicts"][0]["verdict"] == "kept_first"
    (told,) = await decisions(ingest)
    assert told.conflict is not None
    assert (told.event_id, told.fate, told.conflict.decided_by, told.outcome_seq) == (event_id, "accepted", "ann", 1)
    assert told.conflict.fingerprint == status["conflicts"][0]["fingerprint"] != told.fingerprint
    assert await ingest.count("conflict WHERE sealed_body IS NULL") == 1
    assert len(await purchases(ingest)) == 1
    again = await operator.loyalty("conflicts", "decide", event_id, "--keep-first", *WORDS)
    assert (again.code, len(await decisions(ingest))) == (0, 1)
    other = await operator.loyalty("conflicts", "decide", event_id, "--accept-second", *WORDS)
    assert (other.code, len(await purchases(ingest))) == (1, 1)
    assert "ann has decided it before: kept_first" in other.said


async def test_a_second_sale_is_accepted_under_an_id_of_its_own_and_counted_once(
    ingest: IngestService, operator: Operator
) -> None:
    li = await ingest.known(CARD)
    event_id = await in_conflict(ingest, SECOND)
    decided = await operator.document("conflicts", "decide", event_id, "--accept-second", *WORDS)
    accepted_as = decided["accepted_as"]
    await ingest.becomes(accepted_as, outcome="accepted", member_id=li)
    bought = {each.event_id: each for each in await purchases(ingest)}
    second = bought.pop(accepted_as)
    assert accepted_as == str(second_id(EventId(UUID(event_id)), bytes.fromhex(second.fingerprint)))
    assert (set(bought), second.member_id) == ({event_id}, li)
    assert (second.sequence, sum(line.net for line in second.lines)) == (1841, 2640)
    (told,) = await decisions(ingest)
    assert told.conflict is not None
    assert told.conflict.accepted_as == accepted_as

    await ingest.send(SECOND)
    await ingest.read_again("checkouts")
    await ingest.becomes(await ingest.send(sale(sequence=7)), outcome="accepted")
    assert await operator.document("conflicts", "decide", event_id, "--accept-second", *WORDS) == decided
    status = await ingest.becomes(event_id, conflicts=1)
    assert (status["conflicts"][0]["verdict"], status["conflicts"][0]["accepted_as"]) == (
        "accepted_second",
        accepted_as,
    )
    await ingest.becomes(accepted_as, outcome="accepted", duplicates=0)
    assert len(await purchases(ingest)) == 3


async def test_a_second_sale_with_a_card_of_nobody_waits_for_it_like_any_other(
    ingest: IngestService, operator: Operator
) -> None:
    await ingest.known(CARD)
    event_id = await in_conflict(ingest, SECOND | BY_PHONE)
    decided = await operator.document("conflicts", "decide", event_id, "--accept-second", *WORDS)
    accepted_as = decided["accepted_as"]
    await ingest.becomes(accepted_as, outcome="unclaimed", reason="unknown_identity")
    wang = await ingest.known(PHONE)
    await ingest.becomes(accepted_as, outcome="accepted", member_id=wang)
    claimed_by = {each.event_id: each.claimed_by for each in await purchases(ingest)}
    assert claimed_by == {event_id: "till", accepted_as: "registration"}


async def test_one_content_with_two_cards_is_one_second_sale(ingest: IngestService, operator: Operator) -> None:
    li = await ingest.known(CARD)
    without = {name: value for name, value in SECOND.items() if name != "member"}
    event_id = await in_conflict(ingest, without, SECOND)
    decided = await operator.document("conflicts", "decide", event_id, "--accept-second", *WORDS)
    await ingest.becomes(decided["accepted_as"], outcome="accepted", member_id=li)
    assert sorted(each.claimed_by for each in await purchases(ingest)) == ["claim", "till"]
    assert await ingest.count("conflict WHERE verdict = 'accepted_second'") == 2


async def test_a_second_return_is_let_in_as_well(ingest: IngestService, operator: Operator) -> None:
    li = await ingest.known(CARD)
    await ingest.becomes(await ingest.send(sale()), outcome="accepted")
    returned = await ingest.send(RETURN)
    await ingest.becomes(returned, outcome="accepted")
    other = RETURN | {"lines": [RETURN["lines"][0] | {"net": 100}], "tenders": [{"type": "card", "amount": 100}]}
    await ingest.send(other)
    await ingest.becomes(returned, conflicts=1)
    decided = await operator.document("conflicts", "decide", returned, "--accept-second", *WORDS)
    await ingest.becomes(decided["accepted_as"], outcome="accepted", member_id=li)


async def test_the_same_sale_with_another_member_is_no_second_sale(ingest: IngestService, operator: Operator) -> None:
    await ingest.known(CARD)
    await ingest.known(PHONE)
    event_id = await in_conflict(ingest, sale(**BY_PHONE))
    refused = await operator.loyalty("conflicts", "decide", event_id, "--accept-second", *WORDS)
    assert (refused.code, "no second sale" in refused.said, "takes the sale back" in refused.said) == (1, True, True)
    assert await ingest.count("conflict WHERE verdict IS NULL") == 1
    await operator.document("conflicts", "decide", event_id, "--keep-first", *WORDS)
    assert len(await purchases(ingest)) == 1


async def test_of_several_contents_one_is_named(ingest: IngestService, operator: Operator) -> None:
    await ingest.known(CARD)
    event_id = await in_conflict(
        ingest, SECOND, SECOND | {"rounding": -40, "tenders": [{"type": "cash", "amount": 2600}]}
    )
    unnamed = await operator.loyalty("conflicts", "decide", event_id, "--keep-first", *WORDS)
    assert unnamed.code == 2
    shown = await operator.document("conflicts", "show", event_id)
    first, second = (each["fingerprint"] for each in shown["conflicts"])
    assert first in unnamed.said
    await operator.document("conflicts", "decide", event_id, first[:12].upper(), "--keep-first", *WORDS)
    # The other one is the only one left to decide.
    decided = await operator.document("conflicts", "decide", event_id, "--accept-second", *WORDS)
    assert decided["accepted_as"] == str(second_id(EventId(UUID(event_id)), bytes.fromhex(second)))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("show", "00000000-0000-0000-0000-000000000001"), 1, "no conflict under"),
        (("decide", "00000000-0000-0000-0000-000000000001", "--keep-first", *WORDS), 1, "no conflict under"),
        (("decide", "00000000-0000-0000-0000-000000000001", *WORDS), 2, "--keep-first or --accept-second"),
        (("decide", "00000000-0000-0000-0000-000000000001", "xyz", "--keep-first", *WORDS), 2, "no fingerprint"),
        (("decide", "00000000-0000-0000-0000-000000000001", "--keep-first", *WORDS[:3], " "), 2, "--why takes"),
        (("show", "1841"), 2, "EVENT_ID"),
    ],
)
async def test_wrong_use_says_what_to_do(operator: Operator, words: tuple[str, ...], code: int, said: str) -> None:
    answer = await operator.loyalty("conflicts", *words)
    assert (answer.code, said in answer.said) == (code, True), answer


async def test_nothing_is_decided_upon_a_database_that_is_behind_its_topics(
    ingest: IngestService, operator: Operator
) -> None:
    await ingest.known(CARD)
    event_id = await in_conflict(ingest, SECOND)
    assert await ingest.published("purchases")
    await ingest.execute("TRUNCATE purchase")
    answer = await operator.loyalty("conflicts", "decide", event_id, "--accept-second", *WORDS)
    assert (answer.code, "behind its topic `purchases`" in answer.said) == (2, True)
