"""Somebody's birthday is today: a present in the books and a mail in their language, at their own hour."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.panel import Panel

from services.ops.demo.shop import DemoFailedError, Shop, eventually
from services.ops.mailbox import Mailbox
from services.runtime.ports import Clock

ADDRESS = "lin.wei@example.com"
MAIL_WITHIN_SECONDS = 60.0
CONGRATULATED_FROM_HOUR = 9
# Between them it is always past nine in the morning, and still the same day.
ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/New_York")
CONSENT_PROOF = {"source": "demo", "text": "asked in the app"}


async def celebrate(shop: Shop, mailbox: Mailbox, clock: Clock, console: Console) -> str:
    """The member's id; DemoFailedError where the present or the mail does not come."""
    zone, today = _place(clock())
    member_id = await shop.register(_person(zone, today), "lin-wei")
    where = f"from {zone}, where it is {today:%H:%M} on the birthday"
    console.print(f"\nLin Wei registers {where}: member {member_id}", soft_wrap=True)
    present = await eventually("the birthday present", lambda: _present(shop, member_id))
    console.print(f"  the books: {present} points as a present")
    try:
        mail = await mailbox.arrival(lambda mail: ADDRESS in mail.to, within_seconds=MAIL_WITHIN_SECONDS)
    except TimeoutError:
        raise DemoFailedError(f"no birthday mail within {MAIL_WITHIN_SECONDS:.0f} s") from None
    console.print(Panel(mail.text.strip(), title=mail.subject, subtitle=f"to {ADDRESS}, by SMTP", width=88))
    return member_id


def _place(now: datetime) -> tuple[str, datetime]:
    for zone in ZONES:
        local = now.astimezone(ZoneInfo(zone))
        if local.hour >= CONGRATULATED_FROM_HOUR:
            return zone, local
    raise DemoFailedError(f"it is before nine o'clock in each of {', '.join(ZONES)}")


def _person(zone: str, today: datetime) -> dict[str, Any]:
    return {
        "identities": [{"kind": "email", "value": ADDRESS}],
        "name": "林薇",
        "locale": "zh-CN",
        "time_zone": zone,
        "birthday": {"calendar": "gregorian", "month": today.month, "day": today.day, "year": 1996},
        "consents": [{"purpose": "marketing", "channel": "email", "granted": True, "proof": CONSENT_PROOF}],
    }


async def _present(shop: Shop, member_id: str) -> int | None:
    balances = await shop.balances(member_id)
    return int(balances["units"]["points"]["available"]) if balances and "points" in balances["units"] else None
