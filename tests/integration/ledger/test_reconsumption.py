"""After a consumer's bug: its position is moved back by hand, and what was handled changes nothing."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.ledger import LedgerService, new_member, programme, purchase

ROOT = Path(__file__).resolve().parents[3]


async def loyalty(ledger: LedgerService, database_url: str, *words: str) -> tuple[int, str, str]:
    kafka = ledger.running.context.kafka
    given = {
        "LOYALTY_DATABASE_URL": database_url,
        "LOYALTY_KAFKA": kafka.bootstrap,
        "LOYALTY_TOPIC_PREFIX": kafka.prefix,
    }
    command = [sys.executable, "-m", "services.ops", "checkpoints", *words]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, env=os.environ | given, capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stdout, done.stderr


async def stands_at(ledger: LedgerService) -> dict[int, int]:
    rows = await ledger.query("SELECT partition, next_offset FROM checkpoint WHERE topic = 'purchases'")
    return {row.partition: row.next_offset for row in rows}


async def test_what_is_read_again_from_the_beginning_changes_nothing(ledger: LedgerService, database_url: str) -> None:
    member = new_member()
    await ledger.running.send(programme(), *(purchase(member, 1000) for _ in range(3)))
    async with ledger.running.working():
        await ledger.until_recorded(3)
        (partition,) = [partition for partition, offset in (await stands_at(ledger)).items() if offset]
        words = ("move", "ledger", "purchases", str(partition), "beginning", "--json")
        code, out, _ = await loyalty(ledger, database_url, *words)
        assert code == 0
        assert json.loads(out) == {
            "service": "ledger", "topic": "purchases", "partition": partition, "was": 3, "is": 0,
        }  # fmt: skip
        # The owner is fenced by the move and takes the partition again where it now stands.
        await ledger.running.send(purchase(member, 500))
        await ledger.until_recorded(4)
    assert (await ledger.points(member))["available"] == 35
    assert await ledger.offence() is None


async def test_a_position_outside_the_topic_is_refused_with_its_ends(ledger: LedgerService, database_url: str) -> None:
    code, _, said = await loyalty(ledger, database_url, "move", "ledger", "purchases", "0", "7")
    assert (code, "goes from 0 to 0: 7 is not in it" in said) == (2, True)


async def test_a_position_that_nobody_holds_is_not_moved(ledger: LedgerService, database_url: str) -> None:
    code, _, said = await loyalty(ledger, database_url, "move", "ledger", "purchases", "0", "end")
    assert (code, "ledger holds no position in purchases/0" in said) == (1, True)


async def test_positions_are_shown_with_their_state(ledger: LedgerService, database_url: str) -> None:
    await ledger.running.send(programme(), purchase(new_member()))
    async with ledger.running.working():
        await ledger.until_recorded(1)
    code, out, _ = await loyalty(ledger, database_url, "show", "ledger", "--json")
    purchases = [row for row in json.loads(out) if row["topic"] == "purchases"]
    assert code == 0
    assert sum(row["next_offset"] for row in purchases) == 1
    assert {row["state"] for row in purchases} == {"running"}
