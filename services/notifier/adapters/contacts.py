"""Asks the members service, at the moment of sending."""

from dataclasses import dataclass
from types import MappingProxyType

import httpx
from pydantic import BaseModel, ValidationError

from schemas import members
from services.notifier.application.ports import LookupUnavailable
from services.notifier.domain.messages import Message
from services.notifier.domain.sending import Contact
from services.runtime.telemetry.log import logger

TIMEOUT_SECONDS = 5.0
ANSWER_BYTES_MAX = 65_536
_log = logger("notifier.contacts")
_MEANING = MappingProxyType({401: "key not accepted", 403: "key lacks contacts:read", 429: "too many look-ups"})


def members_client(url: str, key: str) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=TIMEOUT_SECONDS, trust_env=False)


class _Problem(BaseModel):
    code: str


@dataclass(frozen=True, slots=True)
class HttpContacts:
    """`GET /v1/members/{id}/contact`; every answer but a contact or a plain 404 counts as no answer."""

    client: httpx.AsyncClient

    async def look_up(self, message: Message) -> Contact | None:
        asked = {"purpose": message.purpose, "channel": message.intent.channel}
        try:
            answer = await self.client.get(f"/v1/members/{message.member_id}/contact", params=asked)
        except httpx.HTTPError as error:
            raise _unavailable(type(error).__name__) from error
        if answer.status_code == httpx.codes.NOT_FOUND and _is_about_member(answer):
            return None
        if answer.status_code != httpx.codes.OK or len(answer.content) > ANSWER_BYTES_MAX:
            raise _unavailable(_MEANING.get(answer.status_code, f"answered {answer.status_code}"))
        return _contact(message, answer.content)


def _contact(message: Message, body: bytes) -> Contact:
    try:
        found = members.Contact.model_validate_json(body)
    except ValidationError as error:
        # Its text would quote the answer, which holds an address.
        raise _unavailable(f"answer has {error.error_count()} faults") from None
    if found.member_id != message.member_id:
        raise _unavailable("answer is about another member")
    return Contact(found.status, found.consent, found.address, found.locale, found.name)


def _is_about_member(answer: httpx.Response) -> bool:
    # A wrong address or a proxy answers 404 too, and that says nothing about the member.
    try:
        return _Problem.model_validate_json(answer.content).code == "member_unknown"
    except ValidationError:
        return False


def _unavailable(why: str) -> LookupUnavailable:
    _log.warning("contact_lookup_unavailable", why=why)
    return LookupUnavailable(why)
