import io
import json
import logging

import pytest
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import IntegrityError

from services.runtime.errors import HaltError, Transient
from services.runtime.telemetry.log import configure_logging, describe, logger

SECRET = "li@example.com"


class Contact(BaseModel):
    phone: int


class UniqueViolation(Exception):
    sqlstate = "23505"


def invalid() -> ValidationError:
    try:
        Contact.model_validate({"phone": SECRET})
    except ValidationError as error:
        return error
    raise AssertionError("a word is no number")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        pytest.param(Transient("no broker answers"), "Transient: no broker answers", id="our own words"),
        pytest.param(HaltError("behind", "rebuild"), "HaltError: behind: rebuild", id="a halt"),
        pytest.param(AssertionError("seq 3 after 1"), "AssertionError: seq 3 after 1", id="an invariant"),
        pytest.param(
            ConnectionRefusedError(111, "refused"), "ConnectionRefusedError: [Errno 111] refused", id="system"
        ),
        pytest.param(ValueError(SECRET), "ValueError", id="a value"),
        pytest.param(KeyError(SECRET), "KeyError", id="a name"),
        pytest.param(UniqueViolation(SECRET), "UniqueViolation 23505", id="the driver"),
        pytest.param(
            IntegrityError(SECRET, {}, UniqueViolation(SECRET)), "IntegrityError: UniqueViolation 23505", id="database"
        ),
        pytest.param(invalid(), "ValidationError: phone int_parsing", id="a model"),
        pytest.param(
            ExceptionGroup(SECRET, [Transient("a"), KeyError(SECRET)]),
            "ExceptionGroup: Transient: a; KeyError",
            id="group",
        ),
    ],
)
def test_an_error_is_told_without_the_values_that_made_it(error: Exception, line: str) -> None:
    assert describe(error) == line


def test_a_line_is_json_with_event_service_level_and_time() -> None:
    out = io.StringIO()
    configure_logging("ledger", stream=out)
    logger("test").info("batch_applied", records=3)
    line = json.loads(out.getvalue())
    assert (line["event"], line["service"], line["level"], line["records"]) == ("batch_applied", "ledger", "info", 3)
    assert line["at"].endswith("Z")


def test_a_fault_is_logged_with_its_place_and_without_its_words() -> None:
    out = io.StringIO()
    configure_logging("ledger", stream=out)
    try:
        raise KeyError(SECRET)
    except KeyError as error:
        logger("test").error("failed", exc_info=error)
        logging.getLogger("library").exception("library_failed")
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["fault"] for line in lines] == ["KeyError", "KeyError"]
    assert all("test_log.py" in line["frames"][-1] for line in lines)
    assert SECRET not in out.getvalue()


def test_lines_below_the_level_are_not_written() -> None:
    out = io.StringIO()
    configure_logging("ledger", level="warning", stream=out)
    logger("test").info("unimportant")
    logging.getLogger("library").info("unimportant")
    assert out.getvalue() == ""
