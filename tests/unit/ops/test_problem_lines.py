"""What of a service's log reaches the terminal."""

import json

from services.ops.stack.supervisor import problem_in


def test_a_warning_is_shown_with_its_fields_and_without_routine_ones() -> None:
    line = json.dumps({"event": "partition_stopped", "level": "error", "at": "…", "service": "ledger", "partition": 3})
    assert problem_in(line) == "error: partition_stopped partition=3"


def test_information_is_not_a_problem() -> None:
    assert problem_in(json.dumps({"event": "ready", "level": "info"})) is None


def test_a_line_that_is_not_json_is_not_a_problem() -> None:
    assert problem_in("Traceback (most recent call last):") is None
    assert problem_in('"error"') is None
