"""What the ledger says over HTTP; points in the unit's smallest step, instants in RFC 3339."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from schemas.base import rfc3339
from services.ledger.application.inquiry import StoredFact
from services.ledger.domain.balances import UnitView
from services.ledger.domain.lots import Lot
from services.ledger.domain.state import Balance


class ExpiringAnswer(BaseModel):
    at: str
    points: int


class UnitAnswer(BaseModel):
    """The buckets of one unit; `issued + received + debt` equals the sum of the others."""

    available: int
    pending: int
    held: int
    debt: int
    spent: int
    expired: int
    reversed: int
    issued: int
    received: int
    sent: int
    expiring: list[ExpiringAnswer]


class BalancesAnswer(BaseModel):
    """`member_seq` is the number of the last fact that the answer rests on."""

    member_id: str
    at: str
    member_seq: int
    units: dict[str, UnitAnswer]


class LotAnswer(BaseModel):
    lot: str
    unit: str
    available: int
    pending: int
    held: int
    expires_at: str | None
    activates_at: str | None


class LotsAnswer(BaseModel):
    member_id: str
    at: str
    lots: list[LotAnswer]


class EntryAnswer(BaseModel):
    """A fact as it is stored and published, with its link in the chain."""

    member_seq: int
    hash: str
    fact: dict[str, Any]


class EntriesAnswer(BaseModel):
    """A page of the stream; ask again with `cursor` = `next` while there is one."""

    member_id: str
    entries: list[EntryAnswer]
    next: str | None


class ExplainAnswer(BaseModel):
    """Why an event gave what it gave: its facts, what became of it later, and of the lots that they touched."""

    event_id: str
    member_id: str
    facts: list[EntryAnswer]
    later: list[EntryAnswer]


def unit_answer(unit: UnitView) -> UnitAnswer:
    expiring = [ExpiringAnswer(at=rfc3339(each.at), points=each.points) for each in unit.expiring]
    return _of_balance(unit.balance, expiring)


def unit_answer_as_of(balance: Balance) -> UnitAnswer:
    return _of_balance(balance, [])


def lot_answer(lot: Lot) -> LotAnswer:
    return LotAnswer(
        lot=lot.id,
        unit=lot.unit,
        available=lot.available,
        pending=lot.pending,
        held=lot.held,
        expires_at=_instant(lot.expires_at),
        activates_at=_instant(lot.activates_at),
    )


def entry_answer(stored: StoredFact) -> EntryAnswer:
    return EntryAnswer(member_seq=stored.member_seq, hash=stored.hash.hex(), fact=dict(stored.document))


def _of_balance(balance: Balance, expiring: list[ExpiringAnswer]) -> UnitAnswer:
    return UnitAnswer(
        available=balance.available,
        pending=balance.pending,
        held=balance.held,
        debt=balance.debt,
        spent=balance.spent,
        expired=balance.expired,
        reversed=balance.reversed,
        issued=balance.issued,
        received=balance.received,
        sent=balance.sent,
        expiring=expiring,
    )


def _instant(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(at)
