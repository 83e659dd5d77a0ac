"""A bad checkout for every field of the contract, found from the contract itself, and for every rule beside it."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from schemas.checkouts import Checkout, Discount, Identity, Line, Original, Tender
from tests.support.checkouts import FULL_SALE, LINES, RETURN, SALE, VOID, sale

PARTS: dict[tuple[str | int, ...], type[BaseModel]] = {
    (): Checkout,
    ("member",): Identity,
    ("lines", 0): Line,
    ("lines", 0, "discounts", 0): Discount,
    ("tenders", 0): Tender,
    ("original",): Original,
}
NO_JSON_TYPE_OF_OURS = 1.5
LONG = "x" * 201
BOUNDS: tuple[tuple[str, Any, str | None], ...] = (
    ("/source", "", None),
    ("/source", "pos acme", None),
    ("/store", "-1", None),
    ("/terminal", "t" * 65, None),
    ("/business_day", "2026-02-30", None),
    ("/business_day", "11.03.2026", None),
    ("/business_day", 20523, None),
    ("/sequence", -1, None),
    ("/sequence", "1841", None),
    ("/sequence", 2**53, None),
    ("/kind", "refund", None),
    ("/occurred_at", "2026-03-11T09:24:31", "timezone_aware"),
    ("/occurred_at", "yesterday", None),
    ("/occurred_at", 1773192271, None),
    ("/occurred_at", "1969-12-31T00:00:00Z", None),
    ("/recorded_at", "2026-13-01T00:00:00Z", None),
    ("/currency", "cny", None),
    ("/currency", "RMBX", None),
    ("/channel", "drone", None),
    ("/member", "880012345678", None),
    ("/member/kind", "passport", None),
    ("/member/value", "", None),
    ("/member/value", "88\n00", None),
    ("/member/value", "8" * 255, None),
    ("/lines/0/line", 0, None),
    ("/lines/0/sku", "", None),
    ("/lines/0/sku", LONG, None),
    ("/lines/0/category", "drinks//coffee", None),
    ("/lines/0/quantity", "-1", None),
    ("/lines/0/quantity", "1e3", None),
    ("/lines/0/quantity", 1, None),
    ("/lines/0/net", -1, None),
    ("/lines/0/net", "2640", None),
    ("/lines/0/net", 10**13 + 1, None),
    ("/lines/0/tax", -1, None),
    ("/lines/0/unit_price", -1, None),
    ("/lines/0/discounts", [{"id": "x", "amount": 1}] * 51, "too_long"),
    ("/lines/0/discounts/0/id", "", None),
    ("/lines/0/discounts/0/amount", -1, None),
    ("/lines/0/gtin", "", None),
    ("/lines/0/serial", LONG, None),
    ("/lines/0/name", "a\tb", None),
    ("/lines/0/of_line", 0, None),
    ("/tenders/0/type", "cheque", None),
    ("/tenders/0/amount", -3590, None),
    ("/tenders/0/reference", "", None),
    ("/tenders", [{"type": "cash", "amount": 1}] * 101, "too_long"),
    ("/rounding", 10**13 + 1, None),
    ("/tax_included", "yes", None),
    ("/tax_included", 1, None),
    ("/original", "1841", None),
    ("/original/kind", "void", None),
    ("/original/business_day", "today", None),
    ("/receipt", "", None),
    ("/receipt", LONG, None),
    ("/flags/0", "practice", None),
    ("/flags", ["offline"] * 5, "too_long"),
    ("/partner", "mall 7", None),
    ("/time_zone", "Asia/Peking", "value_error"),
    ("/txn_uuid", LONG, None),
    ("/attributes", [], None),
    ("/attributes", {f"a{n}": n for n in range(51)}, "too_long"),
    ("/attributes/queue", 1.5, "attribute_type"),
    ("/attributes/queue", {"more": 1}, "attribute_type"),
)


@dataclass(frozen=True)
class Bad:
    """What is sent, and the place and code of its only fault."""

    name: str
    checkout: dict[str, Any]
    pointer: str
    code: str | None = None


def of_the_wrong_type() -> Iterator[Bad]:
    for part, model in PARTS.items():
        for field in model.model_fields:
            path = (*part, field)
            yield Bad(f"{_pointer(path)} is a fraction", _changed(path, NO_JSON_TYPE_OF_OURS), _pointer(path))


def missing() -> Iterator[Bad]:
    for part, model in PARTS.items():
        for field, info in model.model_fields.items():
            if info.is_required():
                path = (*part, field)
                yield Bad(f"{_pointer(path)} is missing", _changed(path, None), _pointer(path), "missing")


def out_of_bounds() -> Iterator[Bad]:
    for pointer, value, code in BOUNDS:
        path = tuple(int(step) if step.isdecimal() else step for step in pointer.removeprefix("/").split("/"))
        yield Bad(f"{pointer} = {str(value)[:30]!r}", _changed(path, value), pointer, code)


def against_the_rules() -> Iterator[Bad]:
    half = [{"type": "cash", "amount": 4089}]
    yield Bad("tenders do not pay for the lines", sale(tenders=half), "/tenders", "totals_mismatch")
    yield Bad("tax on top is not paid", sale(tax_included=False), "/tenders", "totals_mismatch")
    yield Bad("rounding is not paid", sale(rounding=1), "/tenders", "totals_mismatch")
    yield Bad("no lines", sale(lines=[], tenders=[]), "/lines", "lines_missing")
    yield Bad("a line number twice", sale(lines=[LINES[0], LINES[1] | {"line": 1}]), "/lines", "line_repeated")
    yield Bad("a sale of a sale", sale(original=RETURN["original"]), "/original", "original_not_allowed")
    yield Bad("a return of nothing", RETURN | {"lines": [], "tenders": []}, "/lines", "lines_missing")
    of_a_return = RETURN | {"original": RETURN["original"] | {"kind": "return"}}
    yield Bad("a return of a return", of_a_return, "/original/kind", "original_not_a_sale")
    yield Bad("a return that is not paid back", RETURN | {"tenders": []}, "/tenders", "totals_mismatch")
    yield Bad("a void of nothing", {k: v for k, v in VOID.items() if k != "original"}, "/original", "original_missing")
    yield Bad("a void with lines", VOID | {"lines": LINES}, "/lines", "lines_not_allowed")
    yield Bad("in the future", sale(occurred_at="2026-03-11T10:11:00+08:00"), "/occurred_at", "occurred_in_future")
    yield Bad("no phone", sale(member={"kind": "phone", "value": "12"}), "/member/value", "identity_malformed")
    yield Bad("no address", sale(member={"kind": "email", "value": "li"}), "/member/value", "identity_malformed")
    yield Bad("no member id", sale(member={"kind": "member", "value": "7"}), "/member/value", "identity_malformed")


def _changed(path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    checkout = copy.deepcopy(RETURN | {"member": SALE["member"]} if path[0] == "original" else FULL_SALE)
    place: Any = checkout
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return checkout


def _pointer(path: tuple[str | int, ...]) -> str:
    return "".join(f"/{step}" for step in path)


EVERY = (*of_the_wrong_type(), *missing(), *out_of_bounds(), *against_the_rules())
