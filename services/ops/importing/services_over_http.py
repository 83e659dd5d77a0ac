"""Members and activities, asked of the services that own them."""

import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from schemas.purchases import ActivityRequest
from services.ingest.application.refusals import Fault, Unreadable
from services.members.api.requests import RegistrationAsked, region_of
from services.ops.importing.http_client import ServiceClient, document, refused
from services.ops.importing.targets import Answer, Refused
from services.runtime.digests import normalise
from services.runtime.http.body import parse_json
from services.runtime.http.problem import Problem
from services.runtime.http.validation import FAULTS_SHOWN, pointer

MEMBERS_REMEMBERED = 100_000
DATE_RESOLUTION_SECONDS = 2.0
_TAKEN = frozenset({"identity_taken", "idempotency_key_reused"})

M = TypeVar("M", bound=BaseModel)
Document = dict[str, Any]


class _OverHttp:
    batch_records = 256
    unknown_fields = 0

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()


class Registrations(_OverHttp):
    """Registers each record once: its Idempotency-Key comes from its external id, else from all its identities.

    Who is a member already with all of them counts as `existing`, and is left as they are.
    """

    def __init__(self, client: ServiceClient, *, key: str) -> None:
        super().__init__(client)
        self._secret = key.encode()
        self._began = time.monotonic()
        self._answered: OrderedDict[str, None] = OrderedDict()

    def read(self, body: bytes) -> Document:
        person = _read(RegistrationAsked, body)
        if not person.get("identities"):
            detail = "name at least one identity: without it a repeat would register the person twice"
            raise Unreadable([Fault("/identities", "identity_missing", detail)])
        return person

    async def deliver(self, batch: Sequence[Document]) -> Sequence[Answer]:
        return await self._client.each(batch, self._register)

    async def _register(self, person: Document) -> Answer:
        answer = await self._client.post("/v1/members", person, {"Idempotency-Key": self._idempotency_key(person)})
        if answer.status_code == httpx.codes.CREATED:
            return "existing" if self._is_repeated(answer) else "registered"
        if document(answer).get("code") in _TAKEN:
            return await self._known(person)
        return refused(answer)

    def _is_repeated(self, answer: httpx.Response) -> bool:
        """Whether a member is older than this import, by the service's own clock, or was answered in it before."""
        receipt = document(answer)
        age = parsedate_to_datetime(answer.headers["Date"]) - datetime.fromisoformat(receipt["joined_at"])
        again = receipt["member_id"] in self._answered or age.total_seconds() > self._running_seconds()
        self._answered[receipt["member_id"]] = None
        if len(self._answered) > MEMBERS_REMEMBERED:
            self._answered.popitem(last=False)
        return again

    def _running_seconds(self) -> float:
        return time.monotonic() - self._began + DATE_RESOLUTION_SECONDS

    async def _known(self, person: Document) -> Answer:
        """Somebody has one of the identities: this very person, with all of them, or not."""
        holders = [await self._holder(identity, person.get("locale")) for identity in person["identities"]]
        members = {holder for holder in holders if holder is not None}
        if len(members) > 1:
            return _not_taken("identities_of_several", "/identities", "its identities belong to several members")
        unknown = next((place for place, holder in enumerate(holders) if holder is None), None)
        if not members:
            return _not_taken("identity_taken", "/identities", "it was freed in between: import it again")
        if unknown is None:
            return "existing"
        kind = person["identities"][unknown]["kind"]
        return _not_taken(
            "identity_taken",
            f"/identities/{unknown}",
            f"member {members.pop()} has other identities of this record and not this {kind}: if it is the same person,"
            " add it with POST /v1/members/{id}/identities",
        )

    async def _holder(self, identity: Document, locale: str | None) -> str | None:
        asked = identity | ({"locale": locale} if locale else {})
        answer = await self._client.post("/v1/identities:lookup", asked, {})
        return str(document(answer)["member_id"]) if answer.is_success else None

    def _idempotency_key(self, person: Document) -> str:
        region = region_of(person.get("locale", "zh-CN"))
        identities = sorted(
            (each["kind"], normalise(each["kind"], each["value"], region)) for each in person["identities"]
        )
        own = [each for each in identities if each[0] == "external"] or identities
        # The service keeps keys in the clear: a plain hash of a phone number could be searched for the number.
        return "import-" + hmac.new(self._secret, repr(own).encode(), hashlib.sha256).hexdigest()


class Activities(_OverHttp):
    """The door gives an activity its id by source, member, activity and reference: a repeat is no second one."""

    def read(self, body: bytes) -> Document:
        return _read(ActivityRequest, body)

    async def deliver(self, batch: Sequence[Document]) -> Sequence[Answer]:
        return await self._client.each(batch, self._send)

    async def _send(self, activity: Document) -> Answer:
        answer = await self._client.post("/v1/activities", activity, {})
        return "received" if answer.is_success else refused(answer)


def _read(model: type[M], body: bytes) -> Document:
    """The document itself: the service reads it by the same model, and knows what it leaves out."""
    try:
        value = parse_json(body)
        model.model_validate_json(body)
    except Problem as problem:
        raise Unreadable([Fault("", problem.code, problem.detail)]) from None
    except ValidationError as error:
        raise Unreadable(_faults(error, value)) from None
    found: Document = value
    return found


def _faults(error: ValidationError, value: Any) -> list[Fault]:
    shown = error.errors(include_url=False, include_input=False)[:FAULTS_SHOWN]
    places = ((each, pointer(each["loc"], value, missing=each["type"] == "missing")) for each in shown)
    return [Fault(place, each["type"], each["msg"].removeprefix("Value error, ")) for each, place in places]


def _not_taken(code: str, at: str, detail: str) -> Refused:
    return Refused((Fault(at, code, detail),))
