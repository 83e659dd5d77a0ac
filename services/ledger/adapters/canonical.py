"""The exact bytes of a fact and of an account: stored, hashed, published. One fact has one spelling."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from fractions import Fraction
from hashlib import sha256
from json import loads
from typing import Any

from services.ledger.adapters.canonical_json import Json, write_canonically
from services.ledger.adapters.canonical_purchase import award_fields, purchase_text
from services.ledger.adapters.canonical_returns import (
    correction_fields,
    read_correction,
    read_return,
    read_void,
    return_fields,
    void_fields,
)
from services.ledger.adapters.canonical_spending import (
    cancelled,
    cancelled_fields,
    redeemed,
    redeemed_fields,
    restored,
    restored_fields,
    spent_again,
    spent_again_fields,
)
from services.ledger.adapters.canonical_state import decode_state, encode_books, encode_state
from services.ledger.domain.evidence import Award, CapUse, CarryChange
from services.ledger.domain.facts import (
    ActivityRecorded,
    Cause,
    Fact,
    Line,
    MemberStatusApplied,
    PointsActivated,
    PointsCorrected,
    PointsExpired,
    PointsRedeemed,
    PointsRestored,
    PointsSpentAgain,
    PurchaseRecorded,
    RedemptionCancelled,
    ReturnRecorded,
    ReturnVoided,
    SourcePosition,
    Tender,
    TierApplied,
)
from services.ledger.domain.ids import EventId, MemberId
from services.ledger.domain.instants import instant_text, parse_instant
from services.ledger.domain.moves import Bucket, Move

# The state's half lives in a module of its own for its size; whoever needs bytes finds both halves here.
__all__ = [
    "chain",
    "chain_start",
    "decode",
    "decode_state",
    "encode",
    "encode_books",
    "encode_state",
    "fingerprint_of",
]


def encode(member_id: MemberId, member_seq: int, fact: Fact) -> bytes:
    """Canonical JSON: sorted keys, UTF-8, integers only, instants in UTC."""
    if isinstance(fact, PurchaseRecorded):
        return purchase_text(member_id, member_seq, fact).encode()
    document = _FIELDS[type(fact)](fact) | _header_fields(fact) | {"member_id": member_id, "member_seq": member_seq}
    return write_canonically(document).encode()


def decode(encoded: bytes) -> tuple[MemberId, int, Fact]:
    """Reads what `encode` wrote; KeyError or ValueError for anything else."""
    document: Json = loads(encoded)
    position = document["position"]
    cause = Cause(
        EventId(document["event_id"]),
        document["part"],
        parse_instant(document["occurred_at"]),
        parse_instant(document["recorded_at"]),
        position and SourcePosition(position["topic"], position["partition"], position["offset"]),
    )
    moves = tuple(
        [
            Move(move["unit"], move["lot"], _BUCKETS[move["source"]], _BUCKETS[move["target"]], move["points"])
            for move in document["moves"]
        ]
    )
    fact = _READERS[document["type"]](document, cause, moves)
    return MemberId(document["member_id"]), document["member_seq"], fact


def fingerprint_of(encoded: bytes) -> str | None:
    """The fingerprint of the checkout or activity that a stored fact records; None for a fact of another kind."""
    fingerprint: str | None = loads(encoded).get("fingerprint")
    return fingerprint


def chain(previous: bytes, encoded: bytes) -> bytes:
    """The hash of a fact: SHA-256 over the hash of its predecessor and its own bytes."""
    return sha256(previous + encoded).digest()


def chain_start(member_id: MemberId) -> bytes:
    """The hash before the first fact: SHA-256 of the member's id as canonical text."""
    return sha256(member_id.encode()).digest()


def _header_fields(fact: Fact) -> Json:
    cause, position = fact.cause, fact.cause.position
    return {
        "event_id": cause.event_id,
        "moves": [
            {"lot": move.lot, "points": move.points, "source": move.source, "target": move.target, "unit": move.unit}
            for move in fact.moves
        ],
        "occurred_at": instant_text(cause.occurred_at),
        "part": cause.part,
        "position": position and {"offset": position.offset, "partition": position.partition, "topic": position.topic},
        "recorded_at": instant_text(cause.recorded_at),
        "type": fact.TYPE,
    }


def _activity_fields(fact: ActivityRecorded) -> Json:
    return {
        "activity": fact.activity,
        "awards": [award_fields(award) for award in fact.awards],
        "fingerprint": fact.fingerprint,
        "programme_version": fact.programme_version,
        "reference": fact.reference,
        "source": fact.source,
        "tier": fact.tier,
    }


def _lot_fields(fact: PointsExpired | PointsActivated) -> Json:
    return {"lot": fact.lot, "points": fact.points, "unit": fact.unit}


def _tier_fields(fact: TierApplied) -> Json:
    return {
        "effective_from": instant_text(fact.effective_from),
        "retroactive": fact.retroactive,
        "tier": fact.tier,
        "tier_seq": fact.tier_seq,
    }


def _status_fields(fact: MemberStatusApplied) -> Json:
    return {"status": fact.status, "version": fact.version}


def _purchase(document: Json, cause: Cause, moves: tuple[Move, ...]) -> PurchaseRecorded:
    lines: Sequence[Json] = document["lines"]
    return PurchaseRecorded(
        cause=cause,
        moves=moves,
        kind=document["kind"],
        source=document["source"],
        store=document["store"],
        terminal=document["terminal"],
        business_day=date.fromisoformat(document["business_day"]),
        sequence=document["sequence"],
        fingerprint=document["fingerprint"],
        programme_version=document["programme_version"],
        tier=document["tier"],
        visit=document["visit"],
        channel=document["channel"],
        partner=document["partner"],
        time_zone=document["time_zone"],
        currency=document["currency"],
        tax_included=document["tax_included"],
        lines=tuple([_line(line) for line in lines]),
        tenders=tuple([_tender(tender) for tender in document["tenders"]]),
        eligible=tuple([line["eligible"] for line in lines]),
        eligible_over=document["eligible_over"],
        eligible_minor=document["eligible_minor"],
        awards=tuple([_award(award) for award in document["awards"]]),
    )


def _line(line: Json) -> Line:
    return Line(line["line"], line["sku"], line["category"], line["quantity"], line["net"], line["tax"])


def _tender(tender: Json) -> Tender:
    return Tender(tender["type"], tender["amount"], tender["reference"])


def _award(award: Json) -> Award:
    cap, carry = award["cap"], award["carry"]
    return Award(
        award["rule"],
        award["unit"],
        award["points"],
        award["uncapped"],
        award["lot"],
        award["over"],
        tuple([(line, points) for line, points in award["lines"]]),
        cap and CapUse(cap["period"], cap["used"], cap["limit"]),
        carry and CarryChange(Fraction(*carry["before"]), Fraction(*carry["after"])),
    )


def _activity(document: Json, cause: Cause, moves: tuple[Move, ...]) -> ActivityRecorded:
    return ActivityRecorded(
        cause,
        moves,
        document["source"],
        document["activity"],
        document["reference"],
        document["fingerprint"],
        document["programme_version"],
        document["tier"],
        tuple([_award(award) for award in document["awards"]]),
    )


def _tier(document: Json, cause: Cause, moves: tuple[Move, ...]) -> TierApplied:
    effective_from = parse_instant(document["effective_from"])
    return TierApplied(cause, moves, document["tier"], effective_from, document["tier_seq"], document["retroactive"])


_BUCKETS: Mapping[str, Bucket] = {bucket.value: bucket for bucket in Bucket}
_FIELDS: Mapping[type[Fact], Callable[[Any], Json]] = {
    ReturnRecorded: return_fields,
    ReturnVoided: void_fields,
    PointsCorrected: correction_fields,
    ActivityRecorded: _activity_fields,
    PointsExpired: _lot_fields,
    PointsActivated: _lot_fields,
    TierApplied: _tier_fields,
    MemberStatusApplied: _status_fields,
    PointsRedeemed: redeemed_fields,
    RedemptionCancelled: cancelled_fields,
    PointsRestored: restored_fields,
    PointsSpentAgain: spent_again_fields,
}
_READERS: Mapping[str, Callable[[Json, Cause, tuple[Move, ...]], Fact]] = {
    ReturnRecorded.TYPE: read_return,
    ReturnVoided.TYPE: read_void,
    PointsCorrected.TYPE: read_correction,
    PurchaseRecorded.TYPE: _purchase,
    ActivityRecorded.TYPE: _activity,
    PointsExpired.TYPE: lambda document, cause, moves: PointsExpired(
        cause, moves, document["unit"], document["lot"], document["points"]
    ),
    PointsActivated.TYPE: lambda document, cause, moves: PointsActivated(
        cause, moves, document["unit"], document["lot"], document["points"]
    ),
    TierApplied.TYPE: _tier,
    MemberStatusApplied.TYPE: lambda document, cause, moves: MemberStatusApplied(
        cause, moves, document["status"], document["version"]
    ),
    PointsRedeemed.TYPE: redeemed,
    RedemptionCancelled.TYPE: cancelled,
    PointsRestored.TYPE: restored,
    PointsSpentAgain.TYPE: spent_again,
}
