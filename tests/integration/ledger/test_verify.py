"""Books that were tampered with are found out, each kind of damage by its own check."""

from datetime import timedelta

import pytest

from services.ledger.adapters.verification import verify_books
from services.runtime.process.definition import system_clock
from tests.support.ledger import LedgerService, new_member, purchase, review

MEMBERS = sorted(new_member() for _ in range(3))
VICTIM = MEMBERS[1]
CHANGED_FACT = """
UPDATE entry SET fact = convert_to(replace(convert_from(fact, 'UTF8'), :was, :becomes), 'UTF8')
WHERE member_id = :id AND member_seq = 1
"""
COPIED_ACCOUNT = """
INSERT INTO account SELECT :stranger, member_seq, chain_head, state, due_at FROM account WHERE member_id = :id
"""


@pytest.fixture
async def kept(books: LedgerService) -> LedgerService:
    """Three members with three facts each."""
    await books.record(*(purchase(member) for member in MEMBERS for _ in range(2)), *(map(review, MEMBERS)))
    return books


async def test_sound_books_pass_with_their_sums(kept: LedgerService) -> None:
    verdict = await verify_books(kept.running.context.database, system_clock())
    assert (verdict.offence, verdict.members, verdict.facts, verdict.outbox) == (None, 3, 9, 9)
    points = verdict.totals()["points"]
    assert (points.issued, points.available) == (120, 120)


async def test_a_changed_fact_breaks_the_chain(kept: LedgerService) -> None:
    await kept.plant(CHANGED_FACT, was='"net":1000', becomes='"net":9000', id=VICTIM)
    await finds(kept, "chain", "number 1: the hash does not chain")


async def test_a_changed_hash_breaks_the_chain(kept: LedgerService) -> None:
    await kept.plant("UPDATE entry SET hash = sha256(hash) WHERE member_id = :id AND member_seq = 2", id=VICTIM)
    await finds(kept, "chain", "number 2: the hash does not chain")


async def test_a_removed_fact_leaves_a_gap(kept: LedgerService) -> None:
    await kept.plant("DELETE FROM entry WHERE member_id = :id AND member_seq = 2", id=VICTIM)
    await finds(kept, "chain", "number 3: expected number 2")


async def test_a_removed_last_fact_is_missed_by_the_account(kept: LedgerService) -> None:
    await kept.plant("DELETE FROM entry WHERE member_id = :id AND member_seq = 3", id=VICTIM)
    await finds(kept, "cache", "number 2: the account stands at number 3")


async def test_a_changed_account_is_not_the_fold(kept: LedgerService) -> None:
    await kept.change_account(VICTIM, '"visits":2', '"visits":3')
    await finds(kept, "cache", "visits: the cache has 3, the facts say 2")


async def test_a_changed_chain_head_is_not_the_fold(kept: LedgerService) -> None:
    await kept.plant("UPDATE account SET chain_head = sha256(chain_head) WHERE member_id = :id", id=VICTIM)
    await finds(kept, "cache", "the account stands at number 3")


async def test_an_account_that_is_gone_is_missed(kept: LedgerService) -> None:
    await kept.plant("DELETE FROM account WHERE member_id = :id", id=VICTIM)
    await finds(kept, "cache", "there is no account")


async def test_an_account_without_facts_is_found(kept: LedgerService) -> None:
    stranger = new_member()
    await kept.plant(COPIED_ACCOUNT, stranger=stranger, id=VICTIM)
    offence = await kept.offence()
    assert offence is not None
    assert (offence.check, offence.detail) == ("cache", f"member {stranger} has an account and no entries")


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE due SET due_at = due_at + interval '1 day' WHERE member_id = :id",
        "DELETE FROM due WHERE member_id = :id",
        "UPDATE account SET due_at = NULL WHERE member_id = :id",
    ],
)
async def test_a_wrong_due_date_is_found(kept: LedgerService, damage: str) -> None:
    await kept.plant(damage, id=VICTIM)
    await finds(kept, "due", "due at")


async def test_an_outbox_that_does_not_move_is_found(kept: LedgerService) -> None:
    verdict = await verify_books(kept.running.context.database, system_clock() + timedelta(minutes=1))
    assert verdict.offence is not None
    assert verdict.offence.check == "outbox"
    assert verdict.offence.detail.startswith("9 facts wait since")


async def finds(ledger: LedgerService, check: str, detail: str) -> None:
    offence = await ledger.offence()
    assert offence is not None
    assert (offence.check, VICTIM in offence.detail) == (check, True), offence
    assert detail in offence.detail
