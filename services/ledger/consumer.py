"""The topics that the ledger reads, each as a handler of the loop."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.members import MemberState
from schemas.purchases import GIFT_ACTIVITY, GIFT_SOURCE, Activity, Purchase
from schemas.tiers import TierChanged
from services.ledger.application.recording import Books, Ledger, Request
from services.ledger.domain.commands import ApplyTier, RecordActivity, RecordPurchase, RecordReturn
from services.ledger.domain.evidence import ReturnedLine
from services.ledger.domain.facts import Line, SourcePosition, Tender
from services.ledger.domain.ids import EventId, MemberId, event_id_of
from services.ledger.domain.instants import in_utc
from services.ledger.domain.returns import VersionMissingError
from services.ledger.domain.rules import Rules
from services.runtime.errors import NotReady
from services.runtime.ports import Clock, Record
from services.runtime.postgres.unit_of_work import UnitOfWork

_PURCHASE = TypeAdapter(Purchase)
_ACTIVITY = TypeAdapter(Activity)
_TIER = TypeAdapter(TierChanged)
_MEMBER = TypeAdapter(MemberState)


class KnownRules(Protocol):
    async def versions(self, uow: UnitOfWork) -> Sequence[Rules]:
        """NotReady where it is not certain that all versions in force are among them."""
        ...

    async def known(self, connection: AsyncConnection) -> Sequence[Rules]: ...


class MemberStatuses(Protocol):
    async def save(self, states: Sequence[MemberState]) -> None: ...
    async def forget(self, members: Sequence[str]) -> None: ...


BooksOf = Callable[[UnitOfWork], Books]


class _Recording:
    """What purchases, activities and tier changes have in common: a batch of requests goes into the books."""

    def __init__(self, *, ledger: Ledger, books: BooksOf, rules: KnownRules, clock: Clock) -> None:
        self._ledger = ledger
        self._books = books
        self._rules = rules
        self._clock = clock

    async def handle(self, uow: UnitOfWork, records: Sequence[Record[Request]]) -> None:
        versions = await self._versions(uow)
        try:
            await self._ledger.record(self._books(uow), [record.value for record in records], versions)
        except VersionMissingError as missing:
            # A ledger that was rebuilt knows its purchases before it has read the programme again.
            raise NotReady(str(missing)) from missing

    async def _versions(self, uow: UnitOfWork) -> Sequence[Rules]:
        return await self._rules.versions(uow)


class PurchaseHandler(_Recording):
    """`purchases`: what the door accepted."""

    def decode(self, record: Record[bytes | None]) -> Request:
        purchase = _PURCHASE.validate_json(record.value or b"")
        if purchase.kind != "sale":
            return MemberId(purchase.member_id), _return(purchase, self._clock(), record)
        return MemberId(purchase.member_id), RecordPurchase(
            event_id=EventId(purchase.event_id),
            occurred_at=in_utc(purchase.occurred_at),
            clock=self._clock(),
            position=_position(record),
            kind=purchase.kind,
            source=purchase.source,
            store=purchase.store,
            terminal=purchase.terminal,
            business_day=purchase.business_day,
            sequence=purchase.sequence,
            fingerprint=purchase.fingerprint,
            currency=purchase.currency,
            lines=tuple(
                Line(line.line, line.sku, line.category or "", line.quantity, line.net, line.tax)
                for line in purchase.lines
            ),
            tenders=tuple(Tender(tender.type, tender.amount, tender.reference) for tender in purchase.tenders),
            channel=purchase.channel,
            partner=purchase.partner,
            time_zone=purchase.time_zone,
            tax_included=purchase.tax_included,
        )


class ActivityHandler(_Recording):
    """`activities`: what earns without a purchase."""

    def decode(self, record: Record[bytes | None]) -> Request:
        activity = _ACTIVITY.validate_json(record.value or b"")
        return MemberId(activity.member_id), RecordActivity(
            event_id=EventId(activity.event_id),
            occurred_at=in_utc(activity.occurred_at),
            clock=self._clock(),
            position=_position(record),
            source=activity.source,
            activity=activity.activity,
            reference=activity.reference,
            fingerprint=activity.fingerprint,
            campaign=_campaign(activity),
        )


class TierHandler(_Recording):
    """`tiers`: the loop back from tiering, because tiers multiply earning. Never waits for a newer programme.

    The rules that it needs are those of purchases recorded before, which are known.
    """

    async def _versions(self, uow: UnitOfWork) -> Sequence[Rules]:
        return await self._rules.known(uow.connection)

    def decode(self, record: Record[bytes | None]) -> Request:
        change = _TIER.validate_json(record.value or b"")
        return MemberId(change.member_id), ApplyTier(
            # The change names the purchase that caused it, which has its own entry in this very stream.
            event_id=event_id_of("tier", change.member_id, str(change.member_seq)),
            occurred_at=in_utc(change.occurred_at),
            clock=self._clock(),
            position=_position(record),
            tier=change.to_tier,
            effective_from=in_utc(change.effective_from),
            tier_seq=change.member_seq,
            retroactive=change.retroactive,
            ends_period=change.reason == "period_end",
        )


class MemberHandler:
    """`members`: who exists and who may spend. A tombstone forgets the member."""

    def __init__(self, statuses: Callable[[UnitOfWork], MemberStatuses]) -> None:
        self._statuses = statuses

    def decode(self, record: Record[bytes | None]) -> MemberState | None:
        return _MEMBER.validate_json(record.value) if record.value else None

    async def handle(self, uow: UnitOfWork, records: Sequence[Record[MemberState | None]]) -> None:
        newest = {record.key: record.value for record in records}
        statuses = self._statuses(uow)
        await statuses.save([state for state in newest.values() if state is not None])
        await statuses.forget([key for key, state in newest.items() if state is None and key])


def _campaign(activity: Activity) -> str | None:
    is_gift = (activity.source, activity.activity) == (GIFT_SOURCE, GIFT_ACTIVITY)
    return activity.reference.partition("/")[0] if is_gift else None


def _return(purchase: Purchase, clock: datetime, record: Record[bytes | None]) -> RecordReturn:
    assert purchase.original_id is not None, "the door accepts nothing that comes back without its original"
    return RecordReturn(
        event_id=EventId(purchase.event_id),
        occurred_at=in_utc(purchase.occurred_at),
        clock=clock,
        position=_position(record),
        kind=purchase.kind,
        original_id=EventId(purchase.original_id),
        source=purchase.source,
        store=purchase.store,
        terminal=purchase.terminal,
        business_day=purchase.business_day,
        sequence=purchase.sequence,
        fingerprint=purchase.fingerprint,
        currency=purchase.currency,
        lines=tuple(
            ReturnedLine(line.line, line.of_line, line.sku, line.quantity, line.net, line.tax)
            for line in purchase.lines
        ),
        tenders=tuple(Tender(tender.type, tender.amount, tender.reference) for tender in purchase.tenders),
    )


def _position(record: Record[bytes | None]) -> SourcePosition:
    return SourcePosition(record.topic, record.partition, record.offset)
