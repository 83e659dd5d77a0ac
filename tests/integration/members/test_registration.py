import asyncio
from uuid import UUID, uuid4

from tests.support.check_digits import checks
from tests.support.members import LI, MembersService


async def test_a_registration_answers_the_id_and_is_readable_at_once(service: MembersService) -> None:
    response = await service.write("POST", "/v1/members", LI)
    assert response.status_code == 201
    answer = response.json()
    assert set(answer) == {"member_id", "joined_at", "version", "status", "consents"}
    member = (await service.client.get(f"/v1/members/{answer['member_id']}")).json()
    assert (member["version"], member["status"], member["locale"]) == (1, "active", "zh-CN")
    assert member["birthday"] == {"calendar": "gregorian", "month": 2, "day": 29, "leap_month": False}
    assert (member["personal"]["name"], member["personal"]["birth_year"]) == ("李雷", 1992)


async def test_a_member_gets_a_number_of_our_own(service: MembersService) -> None:
    member_id = await service.register()
    member = (await service.client.get(f"/v1/members/{member_id}")).json()
    own = [each["value"] for each in member["personal"]["identities"] if each["kind"] == "member"]
    assert own[0] == member_id
    assert checks(own[1])
    for value in own:
        found = await service.client.post("/v1/identities:lookup", json={"kind": "member", "value": value})
        assert found.json() == {"member_id": member_id}


async def test_an_identity_of_somebody_else_is_refused_by_kind_and_not_by_value(service: MembersService) -> None:
    await service.register()
    response = await service.write(
        "POST", "/v1/members", {"identities": [{"kind": "email", "value": "LI@example.com"}]}
    )
    assert (response.status_code, response.headers["content-type"]) == (409, "application/problem+json")
    problem = response.json()
    assert (problem["code"], problem["kind"]) == ("identity_taken", "email")
    assert "example.com" not in response.text


async def test_of_many_who_register_one_card_at_once_exactly_one_gets_it(service: MembersService) -> None:
    def wish(number: int) -> dict[str, object]:
        own = {"kind": "phone", "value": f"1380013{8000 + number}"}
        card = {"kind": "card", "value": "880012345678"}
        return {"identities": [own, card] if number % 2 else [card, own]}

    answers = await asyncio.gather(*(service.write("POST", "/v1/members", wish(number)) for number in range(12)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 11
    assert {answer.json()["kind"] for answer in answers if answer.status_code == 409} == {"card"}
    winner = next(answer.json()["member_id"] for answer in answers if answer.status_code == 201)
    found = await service.client.post("/v1/identities:lookup", json={"kind": "card", "value": "8800 1234 5678"})
    assert found.json() == {"member_id": winner}
    # Who lost the card has taken nothing else either.
    free = await service.client.post("/v1/identities:lookup", json={"kind": "phone", "value": "13800138999"})
    assert free.status_code == 404


async def test_the_same_key_and_body_get_the_first_answer(service: MembersService) -> None:
    first = await service.write("POST", "/v1/members", LI, key="once")
    again = await service.write("POST", "/v1/members", LI, key="once")
    assert (again.status_code, again.json()) == (201, first.json())


async def test_the_same_key_at_the_same_time_registers_once(service: MembersService) -> None:
    answers = await asyncio.gather(*(service.write("POST", "/v1/members", LI, key="once") for _ in range(6)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["member_id"] for answer in answers}) == 1


async def test_the_same_key_for_another_body_is_refused(service: MembersService) -> None:
    await service.write("POST", "/v1/members", LI, key="once")
    other = await service.write("POST", "/v1/members", {"name": "韩梅梅"}, key="once")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_write_without_an_idempotency_key_is_refused(service: MembersService) -> None:
    response = await service.client.post("/v1/members", json=LI)
    assert response.status_code == 422
    assert "dempotency" in response.json()["errors"][0]["pointer"]


async def test_a_faulty_registration_is_told_every_fault(service: MembersService) -> None:
    body = LI | {
        "identities": [{"kind": "phone", "value": "12"}],
        "birthday": {"month": 2, "day": 30},
        "time_zone": "?",
    }
    response = await service.write("POST", "/v1/members", body)
    assert response.status_code == 422
    pointers = {each["pointer"] for each in response.json()["errors"]}
    assert pointers == {"/identities/0/value", "/birthday/day", "/time_zone"}


async def test_a_birthday_that_has_not_come_is_refused(service: MembersService) -> None:
    response = await service.write("POST", "/v1/members", {"birthday": {"month": 1, "day": 1, "year": 2199}})
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "/birthday/year")


async def test_an_unknown_member_is_not_found_and_a_malformed_id_is_refused(service: MembersService) -> None:
    for path in ("", "/contact?purpose=marketing&channel=email"):
        unknown = await service.client.get(f"/v1/members/{uuid4()}{path}")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "member_unknown")
        malformed = await service.client.get(f"/v1/members/not-an-id{path}")
        assert (malformed.status_code, malformed.json()["errors"][0]["pointer"]) == (422, "member_id")


async def test_a_change_of_an_unknown_member_is_not_found(service: MembersService) -> None:
    response = await service.write("PATCH", f"/v1/members/{UUID(int=7)}", {"name": "Li"})
    assert (response.status_code, response.json()["code"]) == (404, "member_unknown")
