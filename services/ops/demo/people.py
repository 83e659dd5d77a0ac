"""Who the demo's members are: the study knows households by number only, so all that names them is made up."""

import random
from typing import Any

SEED = 1912
FIRST = (
    "Ada", "Ben", "Carmen", "Diego", "Elena", "Felix", "Grace", "Hugo", "Ines", "Jonas", "Kira", "Liam",
    "Maya", "Noor", "Oscar", "Priya", "Quinn", "Rosa", "Sami", "Tess", "Uma", "Viktor", "Wen", "Yara",
)  # fmt: skip
LAST = (
    "Abbott", "Brooks", "Castillo", "Dalton", "Ellis", "Fraser", "Grant", "Hayes", "Irving", "Jensen",
    "Keller", "Lindqvist", "Moreno", "Novak", "Okafor", "Patel", "Reyes", "Santos", "Turner", "Walsh",
)  # fmt: skip
FAMILY_ZH = ("李", "王", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴")
GIVEN_ZH = ("雷", "伟", "芳", "娜", "敏", "静", "磊", "洋", "艳", "婷")
CHINESE_SHARE = 0.2
CONSENT_SHARE = 0.8


def card_of(household: int) -> str:
    """The number on the household's card."""
    return f"6220{household:08}"


def person(household: int) -> dict[str, Any]:
    """The body of a registration; the same household is always the same person."""
    rng = random.Random(f"{SEED}/{household}")
    chinese = rng.random() < CHINESE_SHARE
    name = rng.choice(FAMILY_ZH) + rng.choice(GIVEN_ZH) if chinese else f"{rng.choice(FIRST)} {rng.choice(LAST)}"
    return {
        "identities": [
            {"kind": "card", "value": card_of(household)},
            {"kind": "email", "value": f"household-{household}@example.com"},
        ],
        "name": name,
        "locale": "zh-CN" if chinese else "en-US",
        "time_zone": "America/New_York",
        "birthday": {
            "calendar": "gregorian",
            "month": rng.randint(1, 12),
            "day": rng.randint(1, 28),
            "year": rng.randint(1945, 2004),
        },
        "consents": [{"purpose": "marketing", "channel": "email", "granted": rng.random() < CONSENT_SHARE}],
    }
