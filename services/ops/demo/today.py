"""Today, live over HTTP: a new member, baskets that cross a tier, the welcome message, an explanation."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.panel import Panel

from services.ops.demo.journey import SOURCE, STORE_ZONE
from services.ops.demo.shop import DemoFailedError, Shop, eventually
from services.ops.explanation import money, narrate
from services.ops.mailbox import Mailbox
from services.runtime.ports import Clock

ADDRESS = "robin.rivera@example.com"
CARD = "6220990000000042"
STORE, TERMINAL = "00042", "07"
MAIL_WITHIN_SECONDS = 60.0
CONSENT_PROOF = {"source": "demo", "text": "asked at the till"}
ROBIN: dict[str, Any] = {
    "identities": [{"kind": "card", "value": CARD}, {"kind": "email", "value": ADDRESS}],
    "name": "Robin Rivera",
    "locale": "en-US",
    "time_zone": "America/New_York",
    "birthday": {"calendar": "gregorian", "month": 2, "day": 29, "year": 1992},
    "consents": [{"purpose": "marketing", "channel": "email", "granted": True, "proof": CONSENT_PROOF}],
}
BREAKFAST = (("coffee-1kg", "grocery/coffee", 2, 1898), ("bananas", "produce/tropical-fruit", 1, 214))
PARTY = (
    ("grill", "household/garden", 1, 42900),
    ("salad", "produce/salad-mix", 6, 2394),
    ("steak", "meat/beef", 4, 7196),
)
DESSERT = (("strawberries", "produce/berries", 3, 1497), ("ice-cream", "grocery/ice-cream", 2, 1098))

FLOWERS = {"reward": "flowers", "order": "R-0043"}
FLOWERS_KEY = "flowers-for-robin"

Goods = tuple[tuple[str, str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Today:
    """What the live part came to; `flowers` is the first answer to the redemption of `FLOWERS` by `FLOWERS_KEY`."""

    member_id: str
    flowers: dict[str, Any]


async def live(shop: Shop, mailbox: Mailbox, clock: Clock, console: Console) -> Today:
    """Every answer is waited for and shown; DemoFailedError where one does not come."""
    member_id = await shop.register(ROBIN, "robin")
    console.print(f"\nRobin joins today: member [bold]{member_id}[/], no points, no tier")
    await _buy(shop, clock, console, member_id, "breakfast", 1, BREAKFAST)
    party = await _buy(shop, clock, console, member_id, "a garden party", 2, PARTY)
    tier = await eventually("Robin's tier", lambda: _tier(shop, member_id))
    console.print(f"  tiering: Robin is [bold]{tier}[/] now")
    mail = await mailbox.arrival(lambda mail: ADDRESS in mail.to, within_seconds=MAIL_WITHIN_SECONDS)
    console.print(Panel(mail.text.strip(), title=mail.subject, subtitle=f"to {ADDRESS}, by SMTP", width=88))
    await eventually("the tier in the ledger", lambda: _tier_applied(shop, member_id))
    dessert = await _buy(shop, clock, console, member_id, "dessert, with the new tier", 3, DESSERT)
    await _send_again(shop, clock, console, member_id, dessert)
    flowers = await _redeem(shop, console, member_id)
    await _bring_back(shop, clock, console, member_id, party)
    return Today(member_id, flowers)


@dataclass(frozen=True, slots=True)
class _Sale:
    event_id: str
    checkout: dict[str, Any]


async def _buy(
    shop: Shop, clock: Clock, console: Console, member_id: str, what: str, sequence: int, goods: Goods
) -> _Sale:
    checkout = _checkout(clock(), sequence, goods)
    event_id = await shop.sell(checkout)
    explanation = await eventually(f"the books on {what}", lambda: shop.explanation(event_id))
    balance = await _available(shop, member_id)
    total = money(sum(price for *_, price in goods))
    console.print(f"\nRobin buys {what} for [bold]${total}[/] and has {balance} points. Why?")
    narrate({"event_id": event_id, "outcome": await shop.outcome(event_id), "explanation": explanation}, console)
    return _Sale(event_id, checkout)


async def _send_again(shop: Shop, clock: Clock, console: Console, member_id: str, sale: _Sale) -> None:
    before = await _available(shop, member_id)
    again = await shop.sell(sale.checkout)
    if again != sale.event_id:
        raise DemoFailedError(f"the same checkout got two ids: {sale.event_id} and {again}")
    await eventually("the duplicate at the door", lambda: _duplicate(shop, again))
    after = await _available(shop, member_id)
    if before != after:
        raise DemoFailedError(f"the same checkout earned twice: {before} points, then {after}")
    console.print(f"\nThe till sends the last one again: same id, one duplicate counted, still {after} points")


async def _redeem(shop: Shop, console: Console, member_id: str) -> dict[str, Any]:
    first = await shop.redeem(member_id, FLOWERS, FLOWERS_KEY)
    again = await shop.redeem(member_id, FLOWERS, FLOWERS_KEY)
    if first != again:
        raise DemoFailedError(f"the same key got two answers: {first} and {again}")
    left = first["balances"]["points"]["available"]
    console.print(f"\nRobin takes a bunch of flowers for {first['spent']['points']} points; {left} are left")
    console.print(
        "  the answer is lost and the till asks again with the same key: the first answer, nothing spent twice"
    )
    refusal = await shop.refusal(member_id, FLOWERS)
    console.print(f"  a second bunch: {refusal['code']}, {refusal['available']} of {refusal['required']}")
    return first


async def _bring_back(shop: Shop, clock: Clock, console: Console, member_id: str, party: _Sale) -> None:
    line = party.checkout["lines"][-1]
    before = await _available(shop, member_id)
    event_id = await shop.sell(_return(clock(), 4, party.checkout, line))
    explanation = await eventually("the return in the books", lambda: shop.explanation(event_id))
    after = await _available(shop, member_id)
    console.print(f"\nRobin brings back the {line['sku']} of the party: {before} points before, {after} after. Why?")
    narrate({"event_id": event_id, "outcome": await shop.outcome(event_id), "explanation": explanation}, console)


async def _available(shop: Shop, member_id: str) -> int:
    balances = await shop.balances(member_id)
    units: dict[str, Any] = balances["units"] if balances else {}
    return int(units["points"]["available"]) if "points" in units else 0


async def _tier(shop: Shop, member_id: str) -> str | None:
    found = await shop.tier(member_id)
    return found["tier"]["id"] if found else None


async def _tier_applied(shop: Shop, member_id: str) -> bool | None:
    page = await shop.entries(member_id)
    types = {entry["fact"]["type"] for entry in page["entries"]} if page else set()
    return True if "tier_applied" in types else None


async def _duplicate(shop: Shop, event_id: str) -> bool | None:
    outcome = await shop.outcome(event_id)
    return True if outcome and outcome["duplicates"] > 0 else None


def _return(now: datetime, sequence: int, sale: dict[str, Any], line: dict[str, Any]) -> dict[str, Any]:
    original = {name: sale[name] for name in ("store", "terminal", "business_day", "sequence", "kind")}
    returned = _checkout(now, sequence, ()) | {"kind": "return", "original": original}
    returned["lines"] = [line | {"line": 1, "of_line": line["line"]}]
    returned["tenders"] = [{"type": "card", "amount": line["net"]}]
    return returned


def _checkout(now: datetime, sequence: int, goods: Goods) -> dict[str, Any]:
    local = now.astimezone(STORE_ZONE)
    lines = [
        {"line": number, "sku": sku, "category": category, "quantity": str(quantity), "net": net}
        for number, (sku, category, quantity, net) in enumerate(goods, start=1)
    ]
    return {
        "source": SOURCE,
        "store": STORE,
        "terminal": TERMINAL,
        "business_day": local.date().isoformat(),
        "sequence": sequence,
        "kind": "sale",
        "occurred_at": local.isoformat(),
        "currency": "USD",
        "channel": "store",
        "time_zone": str(STORE_ZONE),
        "member": {"kind": "card", "value": CARD},
        "lines": lines,
        "tenders": [{"type": "card", "amount": sum(price for *_, price in goods)}],
    }
