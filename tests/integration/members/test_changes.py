import asyncio

from tests.support.members import MembersService

YES = {"purpose": "marketing", "channel": "sms", "granted": True, "proof": {"source": "till", "wording": "v3"}}
NO = {"purpose": "marketing", "channel": "email", "granted": False}
PHONE = {"kind": "phone", "value": "138 0013 8000"}
BY_MAIL = "contact?purpose=marketing&channel=email"
BY_SMS = "contact?purpose=marketing&channel=sms"


async def test_a_withdrawn_consent_shows_in_the_contact_at_once(service: MembersService) -> None:
    """C23, this service's half."""
    member = f"/v1/members/{await service.register()}"
    before = (await service.client.get(f"{member}/{BY_MAIL}")).json()
    assert (before["consent"], before["address"]) == (True, "li@example.com")
    assert (before["status"], before["time_zone"], before["name"]) == ("active", "Asia/Shanghai", "李雷")
    changed = await service.write("PUT", f"{member}/consents", {"consents": [NO]})
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    assert (await service.client.get(f"{member}/{BY_MAIL}")).json()["consent"] is False


async def test_an_address_that_was_taken_away_is_not_written_to(service: MembersService) -> None:
    member = f"/v1/members/{await service.register()}"
    await service.write("PUT", f"{member}/consents", {"consents": [YES]})
    assert (await service.client.get(f"{member}/{BY_SMS}")).json()["address"] is None
    await service.write("POST", f"{member}/identities", {"identities": [PHONE]})
    contact = (await service.client.get(f"{member}/{BY_SMS}")).json()
    assert (contact["consent"], contact["address"]) == (True, "+8613800138000")
    removed = await service.write("POST", f"{member}/identities:remove", PHONE)
    assert removed.status_code == 200
    assert (await service.client.get(f"{member}/{BY_SMS}")).json()["address"] is None
    again = await service.write("POST", f"{member}/identities:remove", PHONE)
    assert (again.status_code, again.json()["code"], again.json()["kind"]) == (409, "identity_not_held", "phone")


async def test_a_profile_changes_in_the_fields_that_are_named(service: MembersService) -> None:
    member = f"/v1/members/{await service.register()}"
    changed = await service.write("PATCH", member, {"name": "Li Lei", "time_zone": None})
    assert changed.json()["version"] == 2
    shown = (await service.client.get(member)).json()
    assert (shown["personal"]["name"], shown["time_zone"], shown["locale"]) == ("Li Lei", None, "zh-CN")
    assert shown["personal"]["birth_year"] == 1992
    await service.write("PATCH", member, {"birthday": None})
    shown = (await service.client.get(member)).json()
    assert (shown["birthday"], shown["personal"]["birth_year"]) == (None, None)


async def test_what_changes_nothing_makes_no_version(service: MembersService) -> None:
    member = f"/v1/members/{await service.register()}"
    same = await service.write("PATCH", member, {"name": "李雷", "locale": "zh-CN"})
    assert (same.status_code, same.json()["version"]) == (200, 1)


async def test_a_member_who_leaves_frees_the_card_and_changes_no_more(service: MembersService) -> None:
    member = f"/v1/members/{await service.register()}"
    closed = await service.write("POST", f"{member}/close", {"reason": "asked_to"})
    assert closed.json()["status"] == "closed"
    contact = (await service.client.get(f"{member}/{BY_MAIL}")).json()
    assert (contact["status"], contact["consent"], contact["address"], contact["name"]) == ("closed", False, None, None)
    refused = await service.write("PATCH", member, {"name": "Li"})
    assert (refused.status_code, refused.json()["code"]) == (409, "member_closed")
    assert refused.json()["member_status"] == "closed"
    assert await service.register() != member.rpartition("/")[2]


async def test_a_blocked_member_can_be_unblocked(service: MembersService) -> None:
    member = f"/v1/members/{await service.register()}"
    assert (await service.write("POST", f"{member}/block", {"reason": "fraud"})).json()["status"] == "blocked"
    assert (await service.write("POST", f"{member}/block", {})).json()["version"] == 2
    assert (await service.write("POST", f"{member}/unblock", {})).json()["status"] == "active"


async def test_a_repeated_change_happens_once_even_at_the_same_time(service: MembersService) -> None:
    member = f"/v1/members/{await service.register()}"
    answers = await asyncio.gather(
        *(service.write("PUT", f"{member}/consents", {"consents": [YES]}, key="once") for _ in range(5))
    )
    assert {(answer.status_code, answer.json()["version"]) for answer in answers} == {(200, 2)}


async def test_changes_at_the_same_time_all_count(service: MembersService) -> None:
    member = f"/v1/members/{await service.register()}"
    phones = [{"kind": "phone", "value": f"1380013800{digit}"} for digit in range(8)]
    answers = await asyncio.gather(
        *(service.write("POST", f"{member}/identities", {"identities": [phone]}) for phone in phones)
    )
    assert sorted(answer.json()["version"] for answer in answers) == list(range(2, 10))
    shown = (await service.client.get(member)).json()
    assert sum(each["kind"] == "phone" for each in shown["identities"]) == 8


async def test_an_identity_of_another_member_cannot_be_added(service: MembersService) -> None:
    await service.register()
    other = await service.register(identities=[])
    card = {"kind": "card", "value": "880012345678"}
    response = await service.write("POST", f"/v1/members/{other}/identities", {"identities": [card]})
    assert (response.status_code, response.json()["kind"]) == (409, "card")


async def test_personal_data_need_a_scope_of_their_own(service: MembersService) -> None:
    member = f"/v1/members/{await service.register()}"
    reader = await service.with_scopes("members:read")
    response = await service.client.get(member, headers=reader)
    assert response.json()["personal"] is None
    assert "李雷" not in response.text
    assert "example.com" not in response.text
    refused = await service.client.get(f"{member}/{BY_MAIL}", headers=reader)
    assert (refused.status_code, refused.json()["scope"]) == (403, "contacts:read")


WRITES = (
    ("POST", "/v1/members"),
    ("PATCH", "/v1/members/{id}"),
    ("PUT", "/v1/members/{id}/consents"),
    ("POST", "/v1/members/{id}/identities"),
    ("POST", "/v1/members/{id}/identities:remove"),
    ("POST", "/v1/members/{id}/block"),
    ("POST", "/v1/members/{id}/unblock"),
    ("POST", "/v1/members/{id}/close"),
)


async def test_every_write_needs_the_right_to_write(service: MembersService) -> None:
    headers = await service.with_scopes("members:read") | {"Idempotency-Key": "1"}
    for method, path in WRITES:
        member = path.format(id="6f1f4c1e-6a0e-4a57-9c9e-0d5a8a5b1c01")
        response = await service.client.request(method, member, json={}, headers=headers)
        assert (path, response.status_code, response.json()["scope"]) == (path, 403, "members:write")


async def test_the_description_names_every_write(service: MembersService) -> None:
    paths = (await service.client.get("/openapi.json")).json()["paths"]
    described = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert {(method, path.replace("{id}", "{member_id}")) for method, path in WRITES} <= described
