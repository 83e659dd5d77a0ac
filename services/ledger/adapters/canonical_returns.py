"""What comes back, as JSON and read from it: returns, their voids, corrections."""

from collections.abc import Sequence
from datetime import date
from fractions import Fraction
from typing import Any

from services.ledger.adapters.canonical_json import Json, ratio_fields
from services.ledger.domain.evidence import BroughtBack, CarryChange, ReturnedLine, RuleChange, Waived
from services.ledger.domain.facts import Cause, PointsCorrected, ReturnRecorded, ReturnVoided, Tender
from services.ledger.domain.ids import EventId
from services.ledger.domain.instants import instant_text, parse_instant
from services.ledger.domain.moves import Move


def return_fields(fact: ReturnRecorded) -> Json:
    return _checkout_fields(fact) | {
        "currency": fact.currency,
        "kind": fact.kind,
        "lines": [
            {
                "line": line.line,
                "net": line.net,
                "of_line": line.of_line,
                "quantity": line.quantity,
                "sku": line.sku,
                "tax": line.tax,
            }
            for line in fact.lines
        ],
        "tenders": [
            {"amount": tender.amount, "reference": tender.reference, "type": tender.type} for tender in fact.tenders
        ],
    }


def void_fields(fact: ReturnVoided) -> Json:
    return _checkout_fields(fact) | {"return_id": fact.return_id}


def correction_fields(fact: PointsCorrected) -> Json:
    return {
        "changes": _changes(fact.changes),
        "original_id": fact.original_id,
        "programme_version": fact.programme_version,
        "tier": fact.tier,
    }


def read_return(document: Json, cause: Cause, moves: tuple[Move, ...]) -> ReturnRecorded:
    return ReturnRecorded(
        cause=cause,
        moves=moves,
        kind=document["kind"],
        currency=document["currency"],
        lines=tuple(
            ReturnedLine(line["line"], line["of_line"], line["sku"], line["quantity"], line["net"], line["tax"])
            for line in document["lines"]
        ),
        tenders=tuple(Tender(each["type"], each["amount"], each["reference"]) for each in document["tenders"]),
        **_read_checkout(document),
    )


def read_void(document: Json, cause: Cause, moves: tuple[Move, ...]) -> ReturnVoided:
    return ReturnVoided(cause=cause, moves=moves, return_id=EventId(document["return_id"]), **_read_checkout(document))


def read_correction(document: Json, cause: Cause, moves: tuple[Move, ...]) -> PointsCorrected:
    version, tier, changes = document["programme_version"], document["tier"], _read_changes(document)
    return PointsCorrected(cause, moves, EventId(document["original_id"]), version, tier, changes)


def waived_fields(waived: Sequence[Waived]) -> list[Json]:
    return [{"points": each.points, "unit": each.unit} for each in waived]


def read_waived(document: Json) -> tuple[Waived, ...]:
    return tuple(Waived(each["unit"], each["points"]) for each in document["waived"])


def _checkout_fields(fact: ReturnRecorded | ReturnVoided) -> Json:
    return {
        "brought_back": [
            {"line": back.line, "net": back.net, "quantity": back.quantity, "tax": back.tax}
            for back in fact.brought_back
        ],
        "business_day": fact.business_day.isoformat(),
        "changes": _changes(fact.changes),
        "fingerprint": fact.fingerprint,
        "original_id": fact.original_id,
        "original_occurred_at": instant_text(fact.original_occurred_at),
        "programme_version": fact.programme_version,
        "review": fact.review,
        "sequence": fact.sequence,
        "source": fact.source,
        "store": fact.store,
        "terminal": fact.terminal,
        "tier": fact.tier,
        "waived": waived_fields(fact.waived),
    }


def _changes(changes: Sequence[RuleChange]) -> list[Json]:
    return [
        {
            "after": change.after,
            "before": change.before,
            "carry": change.carry
            and {"after": ratio_fields(change.carry.after), "before": ratio_fields(change.carry.before)},
            "lot": change.lot,
            "period": change.period,
            "rule": change.rule,
            "uncapped": change.uncapped,
            "unit": change.unit,
        }
        for change in changes
    ]


def _read_checkout(document: Json) -> dict[str, Any]:
    same = ("source", "store", "terminal", "sequence", "fingerprint", "programme_version", "tier", "review")
    return {name: document[name] for name in same} | {
        "original_id": EventId(document["original_id"]),
        "original_occurred_at": parse_instant(document["original_occurred_at"]),
        "business_day": date.fromisoformat(document["business_day"]),
        "brought_back": tuple(
            BroughtBack(back["line"], back["quantity"], back["net"], back["tax"]) for back in document["brought_back"]
        ),
        "changes": _read_changes(document),
        "waived": read_waived(document),
    }


def _read_changes(document: Json) -> tuple[RuleChange, ...]:
    return tuple(
        RuleChange(
            change["rule"],
            change["unit"],
            change["lot"],
            change["before"],
            change["after"],
            change["uncapped"],
            change["period"],
            _read_carry(change["carry"]),
        )
        for change in document["changes"]
    )


def _read_carry(carry: Json | None) -> CarryChange | None:
    return None if carry is None else CarryChange(Fraction(*carry["before"]), Fraction(*carry["after"]))
