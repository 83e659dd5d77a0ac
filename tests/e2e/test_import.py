"""A shop that brings what it has: its members, their receipts and reviews, from files to points."""

import json
from pathlib import Path

import pytest

from tests.support.import_command import ImportCommand
from tests.support.imports import table
from tests.support.line import Line, address_of, new_card

pytestmark = pytest.mark.asyncio(loop_scope="module")

YUAN = 100


async def test_members_receipts_and_reviews_from_files_become_points_once(line: Line, tmp_path: Path) -> None:
    loyalty_import = ImportCommand(tmp_path, line.stack.env)
    card = new_card()
    sale = line.checkout(card, 30 * YUAN)
    crm = table(tmp_path, f"{card},{address_of(card)},韩梅梅", header="card,email,name", name="crm.csv")
    (tmp_path / "sales.ndjson").write_text(json.dumps(sale) + "\n")
    review = f"card,{card},pos.acme,review,R-1,{sale['occurred_at']}"
    stranger = review.replace(card, "000").replace("R-1", "R-2")
    header = "member_kind,member_value,source,activity,reference,occurred_at"
    reviews = table(tmp_path, review, stranger, header=header, name="reviews.csv")

    members = await loyalty_import("members", crm.name)
    sales = await loyalty_import("checkouts", "sales.ndjson")
    found = await line.http.post(
        f"{line.stack.url('members')}/v1/identities:lookup", json={"kind": "card", "value": card}
    )
    member = found.json()["member_id"]
    await line.until_points(member, 30)
    first = await loyalty_import("activities", reviews.name)
    again = await loyalty_import("activities", reviews.name, "--restart")

    assert (members.counts, sales.counts) == ({"registered": 1}, {"published": 1})
    assert first.counts == again.counts == {"received": 1, "rejected": 1}
    assert loyalty_import.rejected()[0]["errors"][0]["code"] == "member_unknown"
    await line.until_points(member, 50)
