from datetime import date
from typing import Any
from uuid import UUID

import pytest

from services.ingest.domain.identity import EventId, MemberId, activity_id, checkout_id
from tests.support.checkouts import FULL_SALE, LINES, RETURN, sale, submission

NAME: dict[str, Any] = {
    "source": "pos.acme",
    "store": "0457",
    "terminal": "03",
    "business_day": date(2026, 3, 11),
    "sequence": 1841,
    "kind": "sale",
}


def fingerprint_of(**changes: Any) -> str:
    return submission(sale(**changes)).arrival.fingerprint.hex()


def full(**changes: Any) -> str:
    return submission(FULL_SALE | changes).arrival.fingerprint.hex()


def test_the_documented_sale_has_the_published_id() -> None:
    assert str(checkout_id(**NAME)) == "b2ed42ed-da2f-1124-576b-7c98c3e92b70"


def test_an_activity_has_the_published_id() -> None:
    member_id = MemberId(UUID("0c7d3f0e-55a1-4c58-9d0b-2f3a51a7f001"))
    found = activity_id(source="app.acme", member_id=member_id, activity="review", reference="order-17")
    assert str(found) == "65a8b00b-ee73-27c5-c970-a2cdc344c716"


@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("source", "pos.acm"),
        ("store", "457"),
        ("terminal", "3"),
        ("business_day", date(2026, 3, 12)),
        ("sequence", 184),
        ("kind", "return"),
    ],
)
def test_every_part_of_the_name_makes_another_checkout(field: str, other: object) -> None:
    assert checkout_id(**NAME | {field: other}) != checkout_id(**NAME)


def test_parts_that_run_together_to_the_same_text_are_still_different() -> None:
    assert checkout_id(**NAME | {"store": "04", "terminal": "5703"}) != checkout_id(
        **NAME | {"store": "045", "terminal": "703"}
    )


def test_a_return_names_its_sale_by_the_id_of_that_sale() -> None:
    assert submission(RETURN).arrival.original_id == EventId(checkout_id(**NAME))


def test_the_documented_sale_has_the_published_fingerprint() -> None:
    assert fingerprint_of() == "6ce08936e54471f50ca6b1df1b530e7b7d74830ed555c0d9b07769051edcb4b2"


def test_a_sale_with_every_field_has_the_published_fingerprint() -> None:
    assert full() == "9ab299157faaa805a6b038ea868d441f86549211df82d90912dcd1f143085e84"


@pytest.mark.parametrize(
    "same",
    [
        pytest.param({"occurred_at": "2026-03-11T01:24:31Z"}, id="the same instant in another zone"),
        pytest.param({"occurred_at": "2026-03-11T09:24:31.000+08:00"}, id="the instant with empty decimals"),
        pytest.param(
            {"tax_included": True, "rounding": 0, "tenders": [{"amount": 4090, "type": "card"}]}, id="defaults"
        ),
        pytest.param({"lines": LINES[::-1]}, id="lines in another order"),
        pytest.param({"lines": [LINES[0] | {"quantity": "01.00"}, LINES[1]]}, id="another spelling of a quantity"),
        pytest.param({"lines": [LINES[0] | {"name": "Latte"}, LINES[1]]}, id="a line's name"),
        pytest.param({"member": None}, id="without a member"),
        pytest.param({"member": {"kind": "phone", "value": "+8613800138000"}}, id="another member"),
        pytest.param({"receipt": "R-1"}, id="a receipt"),
        pytest.param({"flags": ["offline"]}, id="a flag"),
        pytest.param({"recorded_at": "2026-03-11T10:00:00+08:00"}, id="when the till recorded it"),
    ],
)
def test_what_does_not_change_the_sale_does_not_change_its_fingerprint(same: dict[str, Any]) -> None:
    assert fingerprint_of(**same) == fingerprint_of()


@pytest.mark.parametrize(
    "other",
    [
        {"occurred_at": "2026-03-11T09:24:32+08:00"},
        {"currency": "USD"},
        {"rounding": 1, "tenders": [{"type": "card", "amount": 4091}]},
        {"tenders": [{"type": "cash", "amount": 4090}]},
        {"tenders": [{"type": "card", "amount": 4000}, {"type": "cash", "amount": 90}]},
        {"tenders": [{"type": "card", "amount": 4090, "reference": "x"}]},
        *(
            {"lines": [LINES[0] | change, LINES[1]]}
            for change in (
                {"line": 9},
                {"sku": "latte-m"},
                {"category": "drinks"},
                {"quantity": "2"},
                {"tax": 150},
                {"unit_price": 2640},
                {"discounts": [{"id": "x", "amount": 1}]},
                {"gtin": "1"},
                {"serial": "1"},
                {"of_line": 1},
            )
        ),
    ],
)
def test_other_money_or_goods_have_another_fingerprint(other: dict[str, Any]) -> None:
    assert fingerprint_of(**other) != fingerprint_of()


def test_a_return_of_another_sale_has_another_fingerprint() -> None:
    other = RETURN | {"original": RETURN["original"] | {"sequence": 1842}}
    assert submission(other).arrival.fingerprint != submission(RETURN).arrival.fingerprint
