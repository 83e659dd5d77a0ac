"""Checkouts and activities as they come in, over HTTP or Kafka: read in one way, or turned away with every fault."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import ValidationError

from schemas.base import Contract, rfc3339
from schemas.checkouts import Checkout, CheckoutName, Identity, unknown_fields
from schemas.purchases import GIFT_ACTIVITY, GIFT_SOURCE, ActivityRequest
from services.ingest.adapters.faults import TOO_MANY_LINES, faults_of
from services.ingest.adapters.papers import ActivityPaper, CheckoutPaper, declared_only
from services.ingest.application.activities import ActivitySubmission
from services.ingest.application.ports import Submission
from services.ingest.application.refusals import Fault, TooLarge, Unreadable
from services.ingest.domain.admission import Arrival, Kind
from services.ingest.domain.identity import EventId, checkout_id, fingerprint
from services.runtime.digests import IdentityDigests, normalise
from services.runtime.http.body import parse_json
from services.runtime.http.problem import Problem
from services.runtime.seal import Seal

BODY_BYTES_MAX = 262_144
AHEAD_MAX = timedelta(minutes=10)
DIGESTS_REMEMBERED = 50_000

M = TypeVar("M", bound=Contract)


class Reader:
    """Raises Unreadable with every fault; `region` is the country of phone numbers without one.

    `count_unknown` hears how many fields of a body the contract does not know; they are dropped.
    """

    def __init__(
        self,
        *,
        digests: IdentityDigests,
        seal: Seal,
        region: str,
        declared: Collection[str],
        count_unknown: Callable[[int], None],
    ) -> None:
        self._digests = digests
        self._seal = seal
        self._region = region
        self._declared = frozenset(declared)
        self._count_unknown = count_unknown
        # Regular customers come again; a phone number takes long to parse.
        self._digest = lru_cache(DIGESTS_REMEMBERED)(self._digest_of)

    def checkout(self, body: bytes, now: datetime) -> Submission:
        value = _json(body)
        self._count_unknown(unknown_fields(value))
        try:
            checkout = _valid(Checkout, body, value)
            _refuse_future(checkout.occurred_at, now)
            identity = None if checkout.member is None else self.identity(checkout.member)
        except Unreadable as refusal:
            raise type(refusal)(refusal.faults, _readable_id(value)) from None
        return submission_of(checkout, identity, self._seal, self._declared)

    def activity(self, body: bytes, source_of: Callable[[str | None], str], now: datetime) -> ActivitySubmission:
        """`source_of` answers the source to write for the one that the body names, None = it names none."""
        request = _valid(ActivityRequest, body, _json(body))
        _refuse_future(request.occurred_at, now)
        identity = self.identity(request.member)
        attributes = declared_only(request.attributes, self._declared)
        source = source_of(request.source)
        _refuse_gift(source, request.activity)
        paper = ActivityPaper(source, request.activity, request.reference, request.occurred_at, attributes)
        return ActivitySubmission(paper.source, paper.activity, paper.reference, identity, paper.fingerprint, paper)

    def identity(self, identity: Identity) -> bytes:
        """The keyed digest of what names a member."""
        try:
            return self._digest(identity.kind, identity.value)
        except ValueError as error:
            raise Unreadable([Fault("/member/value", "identity_malformed", str(error))]) from None

    def _digest_of(self, kind: str, value: str) -> bytes:
        return self._digests.digest(kind, normalise(kind, value, self._region))


def submission_of(
    checkout: Checkout,
    identity: bytes | None,
    seal: Seal,
    declared: Collection[str],
    *,
    event_id: EventId | None = None,
) -> Submission:
    """`event_id` where the checkout stands under another one than its name gives."""
    original_id = _original_id(checkout)
    arrival = Arrival(
        event_id=event_id or _id(checkout),
        kind=Kind(checkout.kind),
        fingerprint=fingerprint(checkout, original_id),
        identity=identity,
        original_id=original_id,
        flags=checkout.flags,
    )
    return Submission(
        arrival=arrival,
        source=checkout.source,
        terminal=f"{checkout.source}/{checkout.store}/{checkout.terminal}",
        currency=checkout.currency,
        occurred_at=checkout.occurred_at,
        paper=CheckoutPaper(checkout, arrival, seal, declared),
    )


def _json(body: bytes) -> Any:
    if len(body) > BODY_BYTES_MAX:
        raise TooLarge([Fault("", "body_too_large", f"at most {BODY_BYTES_MAX} bytes")])
    try:
        return parse_json(body)
    except Problem as problem:
        raise Unreadable([Fault("", problem.code, problem.detail)]) from None


def _valid(model: type[M], body: bytes, value: Any) -> M:
    try:
        # Strict: a number is no date, and "yes" is no truth value.
        return model.model_validate_json(body, strict=True)
    except ValidationError as error:
        faults = faults_of(error, value)
    if any(fault.code == TOO_MANY_LINES for fault in faults):
        raise TooLarge(faults)
    raise Unreadable(faults)


def _refuse_future(occurred_at: datetime, now: datetime) -> None:
    if occurred_at > now + AHEAD_MAX:
        minutes = AHEAD_MAX // timedelta(minutes=1)
        detail = f"more than {minutes} minutes ahead of {rfc3339(now)}"
        raise Unreadable([Fault("/occurred_at", "occurred_in_future", detail)])


def _refuse_gift(source: str, activity: str) -> None:
    given = {"source": (source, GIFT_SOURCE), "activity": (activity, GIFT_ACTIVITY)}
    faults = [
        Fault(f"/{field}", "reserved", f"{name!r} stands for what campaigns give: name yours otherwise")
        for field, (name, reserved) in given.items()
        if name == reserved
    ]
    if faults:
        raise Unreadable(faults)


def _readable_id(value: Any) -> EventId | None:
    named = {field: value.get(field) for field in CheckoutName.model_fields} if isinstance(value, dict) else {}
    try:
        return _id(CheckoutName.model_validate(named))
    except ValidationError:
        return None


def _id(name: CheckoutName) -> EventId:
    return checkout_id(
        source=name.source,
        store=name.store,
        business_day=name.business_day,
        terminal=name.terminal,
        sequence=name.sequence,
        kind=name.kind,
    )


def _original_id(checkout: Checkout) -> EventId | None:
    original = checkout.original
    if original is None:
        return None
    return checkout_id(
        source=checkout.source,
        store=original.store,
        business_day=original.business_day,
        terminal=original.terminal,
        sequence=original.sequence,
        kind=original.kind,
    )
