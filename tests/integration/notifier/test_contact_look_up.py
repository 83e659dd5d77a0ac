"""The look-up at the real members service."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.notifier.adapters.contacts import HttpContacts
from services.notifier.application.ports import LookupUnavailable
from services.notifier.domain.messages import Intent, MemberId, Message, TierReached
from tests.support.members import MembersService, members_service
from tests.support.notifier import new_member

NOW = datetime(2026, 6, 10, tzinfo=UTC)


@pytest.fixture
async def members(database_url: str, tmp_path: Path) -> AsyncIterator[MembersService]:
    async with members_service(database_url, tmp_path) as members:
        yield members


async def test_a_consenting_member_is_found_with_address_language_and_name(members: MembersService) -> None:
    member = await members.register()
    contact = await HttpContacts(members.client).look_up(_message(member))
    assert contact is not None
    assert (contact.status, contact.consent, contact.address) == ("active", True, "li@example.com")
    assert (contact.locale, contact.name) == ("zh-CN", "李雷")


async def test_without_consent_the_answer_says_so(members: MembersService) -> None:
    member = await members.register(consents=[])
    contact = await HttpContacts(members.client).look_up(_message(member))
    assert contact is not None
    assert not contact.consent


async def test_a_member_nobody_knows_is_nobody(members: MembersService) -> None:
    assert await HttpContacts(members.client).look_up(_message(new_member())) is None


async def test_a_key_without_the_scope_gets_no_answer(members: MembersService) -> None:
    member = await members.register()
    members.client.headers.update(await members.with_scopes("members:read"))
    with pytest.raises(LookupUnavailable, match="key lacks contacts:read"):
        await HttpContacts(members.client).look_up(_message(member))


async def test_a_wrong_path_says_nothing_about_the_member(members: MembersService) -> None:
    member = await members.register()
    members.client.base_url = "http://members/elsewhere"
    with pytest.raises(LookupUnavailable, match="answered 404"):
        await HttpContacts(members.client).look_up(_message(member))


def _message(member: str) -> Message:
    intent = Intent(MemberId(member), "welcome-gold", f"{member}/1", "email")
    return replace(_TEMPLATE, intent=intent)


_TEMPLATE = Message(
    intent=Intent(MemberId(""), "", "", "email"),
    template="welcome-gold",
    purpose="marketing",
    programme_version=1,
    occasion=TierReached("gold", NOW, None),
    due_at=NOW,
    expires_at=NOW,
)
