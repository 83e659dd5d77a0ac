"""What is said about a failure never quotes what a record said."""

import asyncpg
import pytest
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import IntegrityError

from services.runtime.errors import NotReady
from services.runtime.kafka.causes import describe


class Person(BaseModel):
    age: int


def caught(raising: Exception) -> Exception:
    try:
        raise raising
    except Exception as error:
        return error


def test_an_assertion_keeps_its_words_and_its_place() -> None:
    told = describe(caught(AssertionError("expected 5, found 7")))
    assert told.startswith("AssertionError: expected 5, found 7 (test_causes.py:")


def test_our_own_errors_keep_their_words() -> None:
    assert describe(NotReady("no programme known")) == "NotReady: no programme known"


def test_a_foreign_error_is_told_without_its_words() -> None:
    assert "li@example.com" not in describe(caught(ValueError("li@example.com is no number")))


def test_a_validation_error_is_told_without_its_input() -> None:
    with pytest.raises(ValidationError) as caught_error:
        Person.model_validate({"age": "li@example.com"})
    assert "li@example.com" not in describe(caught_error.value)
    assert describe(caught_error.value).startswith("ValidationError")


def test_a_database_error_is_told_by_state_and_constraint() -> None:
    cause = asyncpg.UniqueViolationError("Key (email)=(li@example.com) already exists")
    cause.constraint_name = "person_email_key"
    told = describe(IntegrityError("INSERT", {}, cause))
    assert told == "IntegrityError: SQLSTATE 23505, constraint person_email_key"
