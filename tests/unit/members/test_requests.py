"""Every faulty field gets its pointer, and no message repeats what was sent."""

from typing import Any

import pytest
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from services.members.api.requests import (
    ConsentsAsked,
    IdentitiesAsked,
    IdentityToFind,
    IdentityToRemove,
    ProfileAsked,
    RegistrationAsked,
    StatusAsked,
    region_of,
)
from services.runtime.http.problem import Problem
from services.runtime.http.validation import invalid_request

LI: dict[str, Any] = {
    "identities": [{"kind": "card", "value": "880012345678"}, {"kind": "email", "value": "li@example.com"}],
    "name": "李雷",
    "locale": "zh-CN",
    "time_zone": "Asia/Shanghai",
    "birthday": {"calendar": "gregorian", "month": 2, "day": 29, "year": 1992},
    "consents": [{"purpose": "marketing", "channel": "email", "granted": True}],
}


def faults(model: type[BaseModel], body: Any) -> dict[str, str]:
    try:
        model.model_validate(body)
    except ValidationError as error:
        located = [each | {"loc": ("body", *each["loc"])} for each in error.errors()]
        problem = invalid_request(Request({"type": "http"}), RequestValidationError(located, body=body))
        return {each["pointer"]: each["code"] for each in problem.extra["errors"]}
    return {}


def test_the_example_is_valid() -> None:
    assert faults(RegistrationAsked, LI) == {}


def test_a_registration_may_say_nothing_at_all() -> None:
    assert faults(RegistrationAsked, {}) == {}


def identities(kind: str, value: object) -> dict[str, Any]:
    return {"identities": [{"kind": "card", "value": "1"}, {"kind": kind, "value": value}]}


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        pytest.param({"locale": "zh_cn"}, "/locale", "string_pattern_mismatch", id="locale"),
        pytest.param({"identities": "880012345678"}, "/identities", "tuple_type", id="identities are no list"),
        pytest.param(identities("iban", "x"), "/identities/1/kind", "literal_error", id="unknown kind"),
        pytest.param(identities("member", "123456789015"), "/identities/1/kind", "literal_error", id="member number"),
        pytest.param(identities("card", ""), "/identities/1/value", "string_too_short", id="empty value"),
        pytest.param(identities("card", " - "), "/identities/1/value", "identity_invalid", id="card without digits"),
        pytest.param(identities("card", 88), "/identities/1/value", "string_type", id="card as a number"),
        pytest.param(identities("phone", "12"), "/identities/1/value", "identity_invalid", id="phone"),
        pytest.param(identities("email", "li@"), "/identities/1/value", "identity_invalid", id="email"),
        pytest.param(identities("app", "a\u0007b"), "/identities/1/value", "identity_invalid", id="app"),
        pytest.param(identities("wechat", "o" * 255), "/identities/1/value", "string_too_long", id="wechat"),
        pytest.param(identities("external", "\n"), "/identities/1/value", "identity_invalid", id="external"),
        pytest.param({"identities": [{"kind": "card"}]}, "/identities/0/value", "missing", id="value missing"),
        pytest.param({"name": "   "}, "/name", "string_too_short", id="blank name"),
        pytest.param({"name": "n" * 101}, "/name", "string_too_long", id="long name"),
        pytest.param({"name": "Li\u0000Lei"}, "/name", "name_characters", id="control character in a name"),
        pytest.param({"name": "\u202eieL"}, "/name", "name_characters", id="name written backwards"),
        pytest.param({"name": "12345"}, "/name", "name_without_letters", id="number as a name"),
        pytest.param({"time_zone": "Shanghai"}, "/time_zone", "value_error", id="time zone"),
        pytest.param({"time_zone": 8}, "/time_zone", "string_type", id="offset as a time zone"),
        pytest.param({"birthday": {"month": 2, "day": 30}}, "/birthday/day", "no_such_day", id="30 February"),
        pytest.param({"birthday": {"month": 2, "day": 29, "year": 1991}}, "/birthday/day", "no_such_day", id="29 Feb"),
        pytest.param({"birthday": {"month": 4, "day": 31}}, "/birthday/day", "no_such_day", id="31 April"),
        pytest.param({"birthday": {"month": 13, "day": 1}}, "/birthday/month", "less_than_equal", id="month 13"),
        pytest.param({"birthday": {"month": 1, "day": 0}}, "/birthday/day", "greater_than_equal", id="day 0"),
        pytest.param({"birthday": {"month": 1}}, "/birthday/day", "missing", id="day missing"),
        pytest.param(
            {"birthday": {"month": 1, "day": 1, "year": 1899}}, "/birthday/year", "greater_than_equal", id="year"
        ),
        pytest.param({"birthday": {"month": True, "day": 1}}, "/birthday/month", "int_type", id="month true"),
        pytest.param(
            {"birthday": {"calendar": "julian", "month": 1, "day": 1}},
            "/birthday/calendar",
            "literal_error",
            id="calendar",
        ),
        pytest.param(
            {"birthday": {"calendar": "lunar", "month": 1, "day": 31}}, "/birthday/day", "no_such_day", id="lunar 31"
        ),
        pytest.param(
            {"birthday": {"month": 1, "day": 1, "leap_month": True}},
            "/birthday/leap_month",
            "leap_month_not_lunar",
            id="leap month of the common calendar",
        ),
        pytest.param(
            {"consents": [{"purpose": "spam", "channel": "email", "granted": True}]},
            "/consents/0/purpose",
            "literal_error",
            id="purpose",
        ),
        pytest.param(
            {"consents": [{"purpose": "marketing", "channel": "fax", "granted": True}]},
            "/consents/0/channel",
            "literal_error",
            id="channel",
        ),
        pytest.param(
            {"consents": [{"purpose": "marketing", "channel": "email", "granted": "yes"}]},
            "/consents/0/granted",
            "bool_type",
            id="granted yes",
        ),
        pytest.param({"consents": [LI["consents"][0]] * 2}, "/consents", "consent_repeated", id="consent twice"),
        pytest.param({"birthdya": {"month": 1, "day": 1}}, "/birthdya", "extra_forbidden", id="misspelt field"),
    ],
)
def test_a_faulty_field_of_a_registration_has_its_pointer(change: dict[str, Any], pointer: str, code: str) -> None:
    assert faults(RegistrationAsked, LI | change) == {pointer: code}


def test_all_faults_are_told_at_once() -> None:
    body = {"identities": [{"kind": "email", "value": "li@"}], "name": "", "birthday": {"month": 2, "day": 30}}
    assert set(faults(RegistrationAsked, body)) == {"/identities/0/value", "/name", "/birthday/day"}


@pytest.mark.parametrize(
    "birthday",
    [
        pytest.param({"month": 2, "day": 29}, id="29 February of no year"),
        pytest.param({"calendar": "lunar", "month": 12, "day": 30}, id="the last day of the lunar year"),
        pytest.param({"calendar": "lunar", "month": 4, "day": 1, "leap_month": True}, id="leap month"),
    ],
)
def test_an_unusual_birthday_is_taken(birthday: dict[str, Any]) -> None:
    assert faults(RegistrationAsked, {"birthday": birthday}) == {}


@pytest.mark.parametrize(
    ("model", "body", "pointer", "code"),
    [
        (ConsentsAsked, {"consents": []}, "/consents", "too_short"),
        (ConsentsAsked, {"consents": [LI["consents"][0]]}, "/consents/0/proof", "missing"),
        (IdentitiesAsked, {"identities": []}, "/identities", "too_short"),
        (IdentityToFind, {"kind": "phone", "value": "12"}, "/value", "identity_invalid"),
        (IdentityToFind, {"kind": "card", "value": "1", "locale": "China"}, "/locale", "string_pattern_mismatch"),
        (ProfileAsked, {"locale": None}, "/locale", "locale_missing"),
        (ProfileAsked, {"time_zone": "Mars"}, "/time_zone", "value_error"),
        (ProfileAsked, {"status": "active"}, "/status", "extra_forbidden"),
        (StatusAsked, {"reason": "He shouted at us"}, "/reason", "string_pattern_mismatch"),
    ],
)
def test_a_faulty_field_of_a_change_has_its_pointer(model: type[BaseModel], body: Any, pointer: str, code: str) -> None:
    assert faults(model, body) == {pointer: code}


def test_every_unreadable_identity_to_add_has_its_pointer() -> None:
    wish = IdentitiesAsked.model_validate(
        {
            "identities": [
                {"kind": "phone", "value": "1"},
                {"kind": "card", "value": "1"},
                {"kind": "email", "value": "x"},
            ]
        }
    )
    with pytest.raises(Problem) as problem:
        wish.normalised("zh-CN")
    assert [each["pointer"] for each in problem.value.extra["errors"]] == ["/identities/0/value", "/identities/2/value"]


def test_an_unreadable_identity_to_remove_has_its_pointer() -> None:
    with pytest.raises(Problem) as problem:
        IdentityToRemove.model_validate({"kind": "email", "value": "secret-but-wrong"}).identity("zh-CN")
    assert [each["pointer"] for each in problem.value.extra["errors"]] == ["/value"]
    assert "secret-but-wrong" not in str(problem.value.extra)


@pytest.mark.parametrize("kind", ["phone", "email", "card", "app"])
def test_a_message_never_repeats_the_value(kind: str) -> None:
    with pytest.raises(ValidationError) as error:
        RegistrationAsked.model_validate(identities(kind, "\u0001 very private"))
    assert "private" not in str(error.value)


@pytest.mark.parametrize(
    ("locale", "region"),
    [("zh-CN", "CN"), ("en-US", "US"), ("zh-Hant-TW", "TW"), ("en", "CN"), ("zh-Hans", "CN"), (None, "CN")],
)
def test_local_phone_numbers_are_of_the_locales_country(locale: str | None, region: str) -> None:
    assert region_of(locale) == region


def test_a_local_number_is_read_by_the_locale_of_its_registration() -> None:
    wish = RegistrationAsked.model_validate(
        {"locale": "en-US", "identities": [{"kind": "phone", "value": "202 555 0143"}]}
    )
    assert wish.identities[0].normalised(region_of(wish.locale)).value == "+12025550143"


def test_what_is_left_out_of_a_profile_stays_and_null_takes_away() -> None:
    wish = ProfileAsked.model_validate({"name": None, "time_zone": "Europe/Paris"}).wish()
    assert wish.named == {"name", "time_zone"}
    assert (wish.name, wish.time_zone) == (None, "Europe/Paris")
