"""Programmes as files, for tests: the example, and small ones with one thing changed."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

EXAMPLE = Path(__file__).parents[2] / "deploy" / "programmes" / "example.yaml"

SMALL: dict[str, Any] = {
    "programme": "acme",
    "version": 1,
    "effective_from": "2026-01-01T00:00:00+08:00",
    "time_zone": "Asia/Shanghai",
    "currency": "CNY",
    "units": {
        "points": {"name": {"zh": "积分", "en": "points"}, "expires": {"after": "P12M", "round": "end_of_month"}},
        "growth": {"kind": "qualifying", "name": {"zh": "成长值", "en": "growth"}},
    },
    "earning": {
        "exclude": {"categories": ["gift-card"]},
        "rules": [
            {"id": "base", "earn": {"unit": "points", "points": 1, "per": 100}, "tier_factor": {"gold": "1.5"}},
            {"id": "growth", "earn": {"unit": "growth", "points": 1, "per": 100}},
        ],
    },
    "tiers": {
        "metric": {"unit": "growth"},
        "levels": [
            {"id": "silver", "name": {"zh": "银卡", "en": "Silver"}, "reach": 1000},
            {"id": "gold", "name": {"zh": "金卡", "en": "Gold"}, "reach": 5000, "keep": 4000},
        ],
    },
    "rewards": [
        {"id": "latte", "price": {"points": 500}, "tiers": ["gold"]},
        {"id": "cash", "as_money": {"unit": "points", "points": 100, "minor": 100, "minimum": 500, "step": 100}},
    ],
    "campaigns": [{"id": "hello", "on": {"tier": "gold"}, "channels": ["email"], "template": "hello"}],
    "templates": {
        "hello": {"zh": {"subject": "您好", "body": "{{ member.name }}"}, "en": {"subject": "Hi", "body": "{{ tier }}"}}
    },
}
"""A programme that nobody complains about."""

NOTHING = object()


def changed(path: str, value: Any) -> dict[str, Any]:
    """The small programme with the part at `earning.rules.0.cap` set; NOTHING takes it away."""
    return with_change(SMALL, path, value)


def with_change(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    copy = deepcopy(document)
    here: Any = copy
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in parents:
        here = here[part]
    if value is NOTHING:
        del here[last]
    elif isinstance(here, list) and last == len(here):
        here.append(value)
    else:
        here[last] = value
    return copy


def as_yaml(document: dict[str, Any]) -> bytes:
    return yaml.safe_dump(document, allow_unicode=True, sort_keys=False).encode()
