"""Points facts of one member as the ledger would publish them: numbered, chained, by hand."""

from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4, uuid5

from schemas.members import MemberState
from schemas.points import ActivityRecorded, ReturnRecorded, points_type
from schemas.points_evidence import Award, RuleChange
from schemas.programme import PROGRAMME_KEY, PROGRAMME_V1, ProgrammeDocument, ProgrammePublished
from services.runtime.ports import Message


class PointsStream:
    """Each fact continues the chain of the one before it."""

    def __init__(self, member_id: str | None = None) -> None:
        self.member_id = member_id or str(uuid4())
        self._seq = 0
        self._head = sha256(self.member_id.encode()).digest()

    @property
    def seq(self) -> int:
        """The number of the last fact."""
        return self._seq

    def event_id(self, number: int) -> str:
        return str(uuid5(UUID(self.member_id), str(number)))

    def fact(self, occurred_at: datetime, **points: int) -> Message:
        """An activity that earned `points` of each unit."""
        return self._next(
            ActivityRecorded(
                type="activity_recorded",
                **self._header(occurred_at),
                source="app",
                activity="survey",
                reference=f"survey-{self._seq}",
                fingerprint="0" * 64,
                programme_version=1,
                tier=None,
                awards=tuple(_award(unit, amount) for unit, amount in points.items()),
            )
        )

    def returned(self, sold_at: datetime, occurred_at: datetime, **points: int) -> Message:
        """A return that takes `points` of each unit from a sale of then."""
        return self._next(
            ReturnRecorded(
                type="return_recorded",
                **self._header(occurred_at),
                kind="return",
                original_id=self.event_id(0),
                original_occurred_at=sold_at,
                source="pos.acme",
                store="0457",
                terminal="03",
                business_day=occurred_at.date(),
                sequence=self._seq,
                fingerprint="0" * 64,
                currency="CNY",
                lines=(),
                tenders=(),
                brought_back=(),
                programme_version=1,
                tier=None,
                changes=tuple(_change(unit, amount) for unit, amount in points.items()),
                waived=(),
                review=None,
            )
        )

    def _header(self, occurred_at: datetime) -> dict[str, Any]:
        self._seq += 1
        return {
            "member_id": self.member_id,
            "member_seq": self._seq,
            "event_id": self.event_id(self._seq),
            "part": 0,
            "occurred_at": occurred_at,
            "recorded_at": occurred_at,
            "position": None,
            "moves": (),
        }

    def _next(self, fact: ActivityRecorded | ReturnRecorded) -> Message:
        value = fact.model_dump_json().encode()
        self._head = sha256(self._head + value).digest()
        headers = {
            "ce_id": f"{self.member_id}/{self._seq}",
            "ce_type": points_type(fact.type),
            "member_seq": str(self._seq),
            "hash": self._head.hex(),
        }
        return Message("points", self.member_id, value, headers)

    def skip(self) -> None:
        """The next fact will leave a gap."""
        self._seq += 1


def member(member_id: str, joined_at: datetime, *, version: int = 1) -> Message:
    state = MemberState(
        member_id=member_id, version=version, status="active", joined_at=joined_at, recorded_at=joined_at
    )
    headers = {"ce_id": f"{member_id}/{version}", "ce_type": "loyalty.member.v1"}
    return Message("members", member_id, state.model_dump_json().encode(), headers)


def published(document: ProgrammeDocument, published_at: datetime) -> Message:
    fact = ProgrammePublished(
        version=document.version,
        effective_from=document.effective_from,
        published_at=published_at,
        document=document,
    )
    headers = {"ce_id": f"{PROGRAMME_KEY}/{document.version}", "ce_type": PROGRAMME_V1}
    return Message("programme", PROGRAMME_KEY, fact.model_dump_json().encode(), headers)


def _award(unit: str, points: int) -> Award:
    return Award(
        rule="survey", unit=unit, points=points, uncapped=points, lot=f"{unit}@never", over=1, lines=(), cap=None,
        carry=None,
    )  # fmt: skip


def _change(unit: str, points: int) -> RuleChange:
    return RuleChange(
        rule="base", unit=unit, lot=f"{unit}@never", before=points, after=0, uncapped=0, period=None, carry=None
    )
