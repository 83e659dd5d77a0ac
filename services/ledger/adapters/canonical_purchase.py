"""The canonical text of a purchase, written straight: it is most of what the ledger writes.

The keys stand in sorted order here; a property test holds this text to what a JSON writer with sorted keys makes of it.
"""

from fractions import Fraction
from json.encoder import encode_basestring as quoted

from services.ledger.adapters.canonical_json import Json, ratio_fields
from services.ledger.domain.evidence import Award, CapUse, CarryChange
from services.ledger.domain.facts import Line, PurchaseRecorded, SourcePosition, Tender
from services.ledger.domain.ids import MemberId
from services.ledger.domain.instants import instant_text
from services.ledger.domain.moves import Move


def purchase_text(member_id: MemberId, member_seq: int, fact: PurchaseRecorded) -> str:
    cause = fact.cause
    awards = ",".join([_award(award) for award in fact.awards])
    lines = ",".join([_line(line, eligible) for line, eligible in zip(fact.lines, fact.eligible, strict=True)])
    moves = ",".join([_move(move) for move in fact.moves])
    tenders = ",".join([_tender(tender) for tender in fact.tenders])
    return (
        f'{{"awards":[{awards}],"business_day":"{fact.business_day.isoformat()}","channel":{_text(fact.channel)},'
        f'"currency":{quoted(fact.currency)},"eligible_minor":{fact.eligible_minor},'
        f'"eligible_over":{fact.eligible_over},"event_id":"{cause.event_id}",'
        f'"fingerprint":{quoted(fact.fingerprint)},"kind":{quoted(fact.kind)},"lines":[{lines}],'
        f'"member_id":"{member_id}","member_seq":{member_seq},"moves":[{moves}],'
        f'"occurred_at":"{instant_text(cause.occurred_at)}","part":{cause.part},"partner":{_text(fact.partner)},'
        f'"position":{_position(cause.position)},"programme_version":{fact.programme_version},'
        f'"recorded_at":"{instant_text(cause.recorded_at)}","sequence":{fact.sequence},'
        f'"source":{quoted(fact.source)},"store":{quoted(fact.store)},'
        f'"tax_included":{"true" if fact.tax_included else "false"},"tenders":[{tenders}],'
        f'"terminal":{quoted(fact.terminal)},"tier":{_text(fact.tier)},"time_zone":{_text(fact.time_zone)},'
        f'"type":"{fact.TYPE}","visit":{fact.visit}}}'
    )


def award_fields(award: Award) -> Json:
    cap, carry = award.cap, award.carry
    return {
        "cap": cap and {"limit": cap.limit, "period": cap.period, "used": cap.used},
        "carry": carry and {"after": ratio_fields(carry.after), "before": ratio_fields(carry.before)},
        "lines": award.lines,
        "lot": award.lot,
        "over": award.over,
        "points": award.points,
        "rule": award.rule,
        "uncapped": award.uncapped,
        "unit": award.unit,
    }


def _award(award: Award) -> str:
    lines = ",".join([f"[{line},{points}]" for line, points in award.lines])
    return (
        f'{{"cap":{_cap(award.cap)},"carry":{_carry(award.carry)},"lines":[{lines}],"lot":{quoted(award.lot)},'
        f'"over":{award.over},"points":{award.points},"rule":{quoted(award.rule)},"uncapped":{award.uncapped},'
        f'"unit":{quoted(award.unit)}}}'
    )


def _cap(cap: CapUse | None) -> str:
    return "null" if cap is None else f'{{"limit":{cap.limit},"period":{quoted(cap.period)},"used":{cap.used}}}'


def _carry(carry: CarryChange | None) -> str:
    return "null" if carry is None else f'{{"after":{_ratio(carry.after)},"before":{_ratio(carry.before)}}}'


def _ratio(ratio: Fraction) -> str:
    return f"[{ratio.numerator},{ratio.denominator}]"


def _line(line: Line, eligible: int) -> str:
    return (
        f'{{"category":{_text(line.category)},"eligible":{eligible},"line":{line.line},"net":{line.net},'
        f'"quantity":{quoted(line.quantity)},"sku":{quoted(line.sku)},"tax":{line.tax}}}'
    )


def _move(move: Move) -> str:
    return (
        f'{{"lot":{quoted(move.lot)},"points":{move.points},"source":{quoted(move.source)},'
        f'"target":{quoted(move.target)},"unit":{quoted(move.unit)}}}'
    )


def _tender(tender: Tender) -> str:
    return f'{{"amount":{tender.amount},"reference":{_text(tender.reference)},"type":{quoted(tender.type)}}}'


def _position(position: SourcePosition | None) -> str:
    if position is None:
        return "null"
    return f'{{"offset":{position.offset},"partition":{position.partition},"topic":{quoted(position.topic)}}}'


def _text(text: str | None) -> str:
    return "null" if text is None else quoted(text)
