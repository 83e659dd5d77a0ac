"""Dead letters of the door, from the record that cannot be read to the purchase, by the command that people run."""

import asyncio
from pathlib import Path
from uuid import uuid4

from sqlalchemy import text

from services.runtime.key_files import write_key_file
from tests.integration.ops.conftest import Door
from tests.support.checkouts import body, sale
from tests.support.odd_records import send_with_an_odd_header

KEY = "pos.acme/0457/03"
# Four digits are a phone number on Niue, and none in the region that this door is set to.
PHONE = {"member": {"kind": "phone", "value": "4002"}}
ON_NIUE = {"LOYALTY_PHONE_REGION": "NU"}


async def set_aside(door: Door, *values: bytes, key: str = KEY) -> list[int]:
    """Ids of the dead letters that these become, after those that there are."""
    there = await door.ingest.count("dead_letter")
    for value in values:
        await door.ingest.publish(value, key=key)
    return [row.id for row in await door.ingest.dead_letters(there + len(values))][there:]


async def test_a_sale_that_could_not_be_read_becomes_a_purchase_once_its_cause_is_mended(door: Door) -> None:
    await door.ingest.publish_programme()
    member = await door.ingest.known(("phone", "+6834002"))
    (letter,) = await set_aside(door, body(sale(**PHONE)))
    again = ("dlq", "redrive", "ingest", letter, letter, "--by", "ann")
    unmended = await door.operator.loyalty(*again)
    assert (unmended.code, f"{letter} stays open: identity_malformed" in unmended.out) == (1, True)
    assert (await door.operator.document(*again, **ON_NIUE))["redriven"] == [letter]
    (purchase,) = await door.ingest.published("purchases")
    assert purchase.key == member
    assert (await door.operator.document("dlq", "ls", "ingest"))["dead_letters"] == []
    (listed,) = (await door.operator.document("dlq", "ls", "--state", "redriven"))["dead_letters"]
    assert (listed["decided_by"], listed["state"]) == ("ann", "redriven")
    twice = await door.operator.loyalty(*again, **ON_NIUE)
    assert (twice.code, "it was redriven by ann" in twice.out) == (1, True)
    await door.ingest.becomes(listed["event_ref"], outcome="accepted", duplicates=0)
    gone = await door.operator.loyalty("dlq", "show", "ingest", letter, "--payload", "--by", "ann")
    assert (gone.code, "was redriven by ann: what was sent is no longer kept" in gone.said) == (1, True)


async def test_a_sale_that_is_redriven_while_the_till_sends_it_again_counts_once(door: Door) -> None:
    await door.ingest.publish_programme()
    await door.ingest.known(("phone", "+6834002"))
    letters = await set_aside(door, *[body(sale(sequence=number, **PHONE)) for number in range(20)])
    mended = {"member": {"kind": "phone", "value": "+6834002"}}
    done, *_ = await asyncio.gather(
        door.operator.document("dlq", "redrive", "ingest", "--all", "--by", "ann", **ON_NIUE),
        *(door.ingest.publish(body(sale(sequence=number, **mended))) for number in range(20)),
    )
    assert done["redriven"] == letters
    await door.ingest.until(lambda: door.ingest.count("checkout HAVING sum(duplicates) = 20"))
    purchases = await door.ingest.published("purchases")
    assert len({record.headers["ce_id"] for record in purchases}) == len(purchases) == 20


async def test_while_no_programme_is_known_nothing_is_redriven(door: Door) -> None:
    letters = await set_aside(door, body(sale(**PHONE)), body(sale(sequence=2, **PHONE)))
    answer = await door.operator.loyalty("dlq", "redrive", "ingest", "--all", "--by", "ann", "--json", **ON_NIUE)
    assert answer.code == 1
    assert answer.document | {"later": ""} == {"redriven": [], "refused": {}, "parked_keys": [], "later": ""}
    assert "programme" in answer.document["later"]
    listed = (await door.operator.document("dlq", "ls"))["dead_letters"]
    assert [(each["id"], each["state"]) for each in listed] == [(letter, "open") for letter in letters]


async def test_a_key_that_may_be_a_card_is_not_kept_with_who_chose_it(door: Door) -> None:
    await set_aside(door, b"{", key="4006381333931")
    for key in ("4006381333931", KEY):
        await door.operator.loyalty("dlq", "redrive", "ingest", "--key", key, "--by", "ann")
    async with door.ingest.owner.read() as connection:
        noted = await connection.scalars(text("SELECT why FROM access.operator_action ORDER BY id"))
    assert list(noted) == ["key (not shown)", f"key {KEY}"]


async def test_a_record_that_cannot_even_be_set_aside_is_named_and_can_be_left_out(door: Door) -> None:
    partition, offset = await send_with_an_odd_header(door.ingest.context.kafka, "checkouts")
    stopped = f"checkpoint WHERE state = 'stopped' AND partition = {partition} AND next_offset = {offset}"
    await door.ingest.until(lambda: door.ingest.count(stopped))
    lag = await door.operator.loyalty("lag", "--json")
    assert lag.code == 1
    assert [each["next_offset"] for each in lag.document["partitions"] if each["cause"]] == [offset]
    park = await door.operator.loyalty("dlq", "park", "checkouts", partition, offset, "--by", "ann")
    assert (park.code, "loyalty checkpoints move" in park.said) == (2, True)


async def test_nothing_is_redriven_on_tables_that_have_forgotten_what_they_published(door: Door) -> None:
    await door.ingest.publish_programme()
    await door.ingest.known(("phone", "+6834002"))
    (letter,) = await set_aside(door, body(sale(**PHONE)))
    await door.ingest.publish(b"{}", {"ce_id": str(uuid4())}, topic="purchases", key=str(uuid4()))
    refused = await door.operator.loyalty("dlq", "redrive", "ingest", letter, "--by", "ann", **ON_NIUE)
    assert (refused.code, "behind its topic `purchases`: restore" in refused.said) == (2, True)
    assert await door.ingest.count("purchase") == 0


async def test_a_code_or_a_key_chooses_and_one_bad_letter_does_not_hold_the_others_up(door: Door) -> None:
    await door.ingest.publish_programme()
    await door.ingest.known(("phone", "+6834002"))
    good, bad = await set_aside(door, body(sale(**PHONE)), b"{")
    (other,) = await set_aside(door, body(sale(sequence=2, **PHONE)), key="pos.acme/0457/04")
    by_code = await door.operator.document(
        "dlq", "redrive", "ingest", "--code", "identity_malformed", "--by", "ann", **ON_NIUE
    )
    assert by_code["redriven"] == [good, other]
    by_key = await door.operator.loyalty("dlq", "redrive", "ingest", "--key", KEY, "--by", "ann", "--json")
    assert (by_key.code, list(by_key.document["refused"])) == (1, [str(bad)])
    none = await door.operator.loyalty("dlq", "redrive", "ingest", "--code", "identity_malformed", "--by", "ann")
    assert (none.code, none.out) == (1, "nothing to redrive\n")


async def test_what_was_sent_is_shown_only_to_who_asks_by_name_and_that_is_kept(door: Door) -> None:
    value = body(sale(currency="yuan"))
    (letter,) = await set_aside(door, value)
    for words in (("dlq", "ls"), ("dlq", "ls", "--json"), ("dlq", "show", "ingest", letter), ("lag", "--json")):
        answer = await door.operator.loyalty(*words)
        assert answer.code == 0
        assert "880012345678" not in answer.out + answer.said
    assert (await door.operator.loyalty("dlq", "show", "ingest", letter, "--payload")).code == 2
    shown = await door.operator.document("dlq", "show", "ingest", letter, "--payload", "--by", "ann")
    assert shown["payload"]["value"].encode() == value
    assert shown["code"] == "string_pattern_mismatch"
    assert [(each["operator"], each["action"]) for each in shown["actions"]] == [("ann", "open")]
    assert (
        "880012345678" in (await door.operator.loyalty("dlq", "show", "ingest", letter, "--payload", "--by", "b")).out
    )


async def test_another_seal_key_opens_nothing_and_says_so(door: Door, tmp_path: Path) -> None:
    (letter,) = await set_aside(door, b"{")
    write_key_file(tmp_path / "another")
    other = {"LOYALTY_SEAL_KEY_FILE": str(tmp_path / "another")}
    for words in (("show", "ingest", letter, "--payload"), ("redrive", "ingest", "--all")):
        answer = await door.operator.loyalty("dlq", *words, "--by", "ann", **other)
        assert (answer.code, len(answer.said.splitlines())) == (2, 1)
        assert "LOYALTY_SEAL_KEY_FILE does not open" in answer.said
    missing = await door.operator.loyalty(
        "dlq", "show", "ingest", letter, "--payload", "--by", "a", LOYALTY_SEAL_KEY_FILE=""
    )
    assert (missing.code, "LOYALTY_SEAL_KEY_FILE is not set" in missing.said) == (2, True)


async def test_a_letter_is_discarded_with_a_name_and_a_reason_and_all_or_none(door: Door) -> None:
    first, second = await set_aside(door, body(sale(currency="yuan")), b"{")
    words = ("dlq", "discard", "ingest", first)
    nothing = await door.operator.loyalty(*words, second + 9, "--by", "ann", "--why", "a test till")
    assert (nothing.code, f"no open dead letter {second + 9}" in nothing.said) == (1, True)
    assert (await door.operator.loyalty(*words, "--by", "ann", "--why", " ")).code == 2
    assert (await door.operator.loyalty(*words, "--why", "a test till")).code == 2
    done = await door.operator.document(*words, first, "--by", "ann", "--why", "a test till")
    assert done == {"service": "ingest", "discarded": [first]}
    shown = await door.operator.document("dlq", "show", "ingest", first)
    assert (shown["state"], shown["decided_by"]) == ("discarded", "ann")
    assert [(each["action"], each["why"]) for each in shown["actions"]] == [("discard", "a test till")]
    await door.ingest.becomes(shown["event_ref"], outcome="dead_lettered", reason="string_pattern_mismatch")
    kept = await door.operator.loyalty("dlq", "redrive", "ingest", first, "--by", "bob")
    assert (kept.code, "it was discarded by ann" in kept.out) == (1, True)
    assert [each["id"] for each in (await door.operator.document("dlq", "ls"))["dead_letters"]] == [second]


async def test_the_list_has_pages_and_hides_a_key_that_may_be_a_card(door: Door) -> None:
    letters = await set_aside(door, *[b"{"] * 5)
    (sloppy,) = await set_aside(door, b"{", key="880012345678")
    newest = await door.operator.document("dlq", "ls", "--limit", "2")
    assert [(each["id"], each["key"]) for each in newest["dead_letters"]] == [
        (letters[4], KEY),
        (sloppy, "(not shown)"),
    ]
    assert newest["before"] == f"ingest/{letters[4]}"
    earlier = await door.operator.document("dlq", "ls", "ingest", "--before", newest["before"])
    assert ([each["id"] for each in earlier["dead_letters"]], earlier["before"]) == (letters[:4], None)
    for before in ("ingest/999999", "7", "till/7"):
        assert (await door.operator.loyalty("dlq", "ls", "--before", before)).code == 2
    lag = await door.operator.document("lag")
    assert lag["set_aside"][0] == {"service": "ingest", "dead_letters": 6, "parked_keys": 0}
    assert "loyalty dlq ls" in (await door.operator.loyalty("lag")).out
