"""A record of ours that is not understood is told by place and kind, without a word of what it says."""

import json
from typing import Any

import pytest

from schemas.points import POINTS_FACT
from schemas.programme import ProgrammeDocument
from schemas.tiers import TierChanged
from services.runtime.errors import NewerReleaseNeeded
from services.runtime.own_records import read_own
from tests.support.programmes import changed


@pytest.mark.parametrize(
    ("read", "body", "told"),
    [
        pytest.param(
            ProgrammeDocument.model_validate_json,
            changed("earning.rules.0.when", {"weather": "rain"}),
            "/earning/rules/0/when/weather (extra_forbidden)",
            id="a field in a part of a programme",
        ),
        pytest.param(
            ProgrammeDocument.model_validate_json,
            changed("tiers.metric.window", "school_year"),
            "/tiers/metric/window (literal_error)",
            id="a value",
        ),
        pytest.param(POINTS_FACT.validate_json, {"type": "points_lent"}, "its form (union_tag_invalid)", id="a fact"),
        pytest.param(TierChanged.model_validate_json, [], "its form (model_type)", id="a form"),
    ],
)
def test_what_is_not_known_is_named(read: Any, body: Any, told: str) -> None:
    with pytest.raises(NewerReleaseNeeded) as raised:
        read_own(read, json.dumps(body).encode(), "version 2")
    assert str(raised.value) == f"version 2 needs a newer release of this service, which does not know {told}"


def test_what_is_known_is_read() -> None:
    assert read_own(int, b"7", "a number") == 7
