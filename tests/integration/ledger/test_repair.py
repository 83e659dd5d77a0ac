"""`loyalty verify --repair`: what is derived is made again from the entries, beside live traffic."""

import asyncio
import json

import pytest
from sqlalchemy import text

from services.ledger.adapters.mending import Repair, repair_books
from tests.support.ledger import PATIENT, LedgerService, new_member, purchase
from tests.support.rebuilding import Rebuilder
from tests.support.running_services import eventually
from tests.support.till import Till, points

COPIED_ACCOUNT = (
    "INSERT INTO account SELECT :stranger, member_seq, chain_head, state FROM account WHERE member_id = :id"
)
UNREADABLE = "UPDATE account SET state = 'x' WHERE member_id = :id"


@pytest.fixture
async def member(till: Till) -> str:
    """Has 90 points, and one of the three mugs."""
    member = await till.member_with(100)
    await till.redeemed(member, {"reward": "mug"})
    return member


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE account SET member_seq = 1 WHERE member_id = :id",
        "UPDATE account SET chain_head = sha256(chain_head) WHERE member_id = :id",
        UNREADABLE,
        "UPDATE account SET state = NULL, chain_head = NULL, member_seq = 0 WHERE member_id = :id",
        "DELETE FROM account WHERE member_id = :id",
        "UPDATE due SET due_at = due_at + interval '1 day' WHERE member_id = :id",
        "DELETE FROM due WHERE member_id = :id",
        "UPDATE account SET due_at = NULL WHERE member_id = :id",
    ],
)
async def test_a_wrong_account_is_made_again_from_its_entries(till: Till, member: str, damage: str) -> None:
    sound = await account(till.ledger, member)
    await till.ledger.plant(damage, id=member)
    assert await till.ledger.offence() is not None

    repaired = await repair(till.ledger)

    assert [each.what for each in repaired.mended] == [f"member {member}"]
    assert repaired.beyond == []
    assert await account(till.ledger, member) == sound
    assert await till.ledger.offence() is None
    assert (await repair(till.ledger)).mended == []


async def test_a_wrong_stock_is_counted_again(till: Till, member: str) -> None:
    await till.ledger.plant("UPDATE reward_stock SET taken = 3 WHERE reward = 'mug'")
    (mended,) = (await repair(till.ledger)).mended
    assert (mended.what, mended.was) == ("reward mug", "the row had 3 gone, the facts say 1")
    await till.redeemed(member, {"reward": "mug"})
    assert await till.ledger.offence() is None


async def test_entries_that_are_damaged_are_left_alone_and_named(till: Till, member: str) -> None:
    broken, lost, wrong = [await till.member_with(100) for _ in range(3)]
    await till.ledger.record(purchase(lost))
    await till.ledger.plant("UPDATE entry SET hash = sha256(hash) WHERE member_id = :id", id=broken)
    await till.ledger.plant("DELETE FROM entry WHERE member_id = :id AND member_seq = 2", id=lost)
    await till.ledger.plant(UNREADABLE, id=wrong)
    before = await account(till.ledger, lost)

    repaired = await repair(till.ledger)

    assert [each.what for each in repaired.mended] == [f"member {wrong}"]
    assert {each.what: each.was for each in repaired.beyond} == {
        f"member {broken}": f"member {broken}, number 1: the hash does not chain this fact to the one before it",
        f"member {lost}": "the entries end at number 1, the account stands further on",
    }
    assert await account(till.ledger, lost) == before


async def test_an_account_whose_entries_are_gone_is_no_wrong_cache(till: Till, member: str) -> None:
    stranger = new_member()
    await till.ledger.plant(COPIED_ACCOUNT, stranger=stranger, id=member)
    repaired = await repair(till.ledger)
    assert [each.what for each in repaired.beyond] == [f"member {stranger}"]


async def test_a_repair_waits_for_a_redemption_of_the_same_member(till: Till, member: str) -> None:
    await till.ledger.plant("UPDATE account SET due_at = NULL WHERE member_id = :id", id=member)
    async with till.ledger.running.context.database.engine.connect() as connection:
        await connection.execute(PATIENT)
        await connection.execute(text("SELECT FROM account WHERE member_id = :id FOR UPDATE"), {"id": member})
        repairing = asyncio.create_task(repair(till.ledger))
        await eventually(lambda: till.ledger.has_waiting_sessions("SELECT FROM account"))
        await connection.rollback()
    await asyncio.gather(repairing, *(till.ask(member, points(10)) for _ in range(5)))
    assert await till.available(member) == 40
    assert await till.ledger.offence() is None


async def test_stock_counted_again_beside_redemptions_is_right(till: Till) -> None:
    members = [await till.member_with(100) for _ in range(4)]
    await till.redeemed(members[0], {"reward": "mug"})
    await till.ledger.plant("UPDATE reward_stock SET taken = 0 WHERE reward = 'mug'")
    answers = asyncio.gather(*(till.ask(each, {"reward": "mug"}) for each in members))
    await repair(till.ledger)
    await answers
    assert await till.ledger.offence() is None


async def test_the_command_says_what_it_repaired_and_that_all_holds(till: Till, member: str, database_url: str) -> None:
    await till.ledger.plant(UNREADABLE, id=member)
    # Nobody relays here, and facts that wait too long are an offence of their own.
    await till.ledger.query("DELETE FROM outbox RETURNING 1")
    command = Rebuilder(till.ledger, database_url)
    code, out, said = await command.loyalty("verify", "--repair", "--json")
    assert code == 0
    assert json.loads(out)["repaired"] == [{"what": f"member {member}", "was": "the stored account cannot be read"}]
    assert json.loads(out)["holds"]
    assert "the topic was not asked whether it is ahead" in said


async def test_the_command_says_what_it_cannot_repair(till: Till, member: str, database_url: str) -> None:
    await till.ledger.plant("UPDATE entry SET hash = sha256(hash) WHERE member_id = :id AND member_seq = 2", id=member)
    code, out, _ = await Rebuilder(till.ledger, database_url).loyalty("verify", "--repair")
    assert code == 1
    assert f"not repaired member {member}" in out
    assert "take the ledger from its topic" in out
    code, out, _ = await Rebuilder(till.ledger, database_url).loyalty("verify", "--repair", "--json")
    told = json.loads(out)
    assert (code, told["repaired"], [each["what"] for each in told["not_repaired"]]) == (1, [], [f"member {member}"])


async def repair(ledger: LedgerService) -> Repair:
    return await repair_books(ledger.running.owner)


async def account(ledger: LedgerService, member: str) -> list[tuple[object, ...]]:
    sql = "SELECT a.*, d.due_at FROM account a LEFT JOIN due d USING (member_id) WHERE member_id = :id"
    return [tuple(row) for row in await ledger.query(sql, id=member)]
