"""Earlier facts of a member, for what judges purchases again: returns, voids, tier changes heard of late."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.ledger.adapters.canonical import decode
from services.ledger.adapters.canonical_json import write_canonically
from services.ledger.application.recording import Request
from services.ledger.domain.commands import ApplyTier, RecordPurchase, RecordReturn
from services.ledger.domain.earning import POINTS_TENDER
from services.ledger.domain.facts import (
    Fact,
    PointsCorrected,
    PointsExpired,
    PointsRestored,
    PointsSpentAgain,
    PurchaseRecorded,
    ReturnRecorded,
    ReturnVoided,
)
from services.ledger.domain.ids import EventId, MemberId

# What a purchase has become, and what of its lots has expired, stands in facts of these types.
LATER = (ReturnRecorded, ReturnVoided, PointsCorrected, PointsExpired, PointsRestored, PointsSpentAgain)
LATER_TYPES = [kind.TYPE for kind in LATER]

# A void of a return names the return alone: the sale behind it is found by what the return says.
RETURNS = """
SELECT e.member_id::text, e.member_seq, e.fact FROM entry e
WHERE e.member_id = ANY ($1::uuid[]) AND e.type = ANY ($2::text[])
"""
ORIGINALS = """
SELECT e.member_id::text, e.member_seq, e.fact
FROM unnest($1::uuid[], $2::uuid[]) AS original (member_id, event_id)
JOIN entry e ON e.member_id = original.member_id AND e.event_id = original.event_id AND e.part = 0
"""
PURCHASES_SINCE = """
SELECT e.member_id::text, e.member_seq, e.fact
FROM unnest($1::uuid[], $2::timestamptz[]) AS since (member_id, at)
JOIN entry e ON e.member_id = since.member_id AND e.type = 'purchase_recorded' AND e.occurred_at >= since.at
"""
# The two types that LATER does not have; the index on spending facts leads to them.
REDEMPTIONS = """
SELECT e.member_id::text, e.member_seq, e.fact FROM entry e
WHERE e.member_id = ANY ($1::uuid[]) AND e.type IN ('points_redeemed', 'redemption_cancelled')
"""
PAID_WITH = """
SELECT e.member_id::text, e.member_seq, e.fact
FROM unnest($1::uuid[], $2::bytea[]) AS paid (member_id, reference)
JOIN entry e ON e.member_id = paid.member_id AND e.type = 'purchase_recorded'
    AND position(paid.reference IN e.fact) > 0
"""

Numbered = dict[MemberId, dict[int, Fact]]


async def earlier_facts(connection: Any, requests: Sequence[Request]) -> dict[MemberId, list[Fact]]:
    """By member, in the order of the stream; only those of whom something is judged again."""
    found: Numbered = {member: {} for member, command in requests if isinstance(command, RecordReturn | ApplyTier)}
    since = _since(requests)
    if since:
        _add(found, await connection.fetch(PURCHASES_SINCE, list(since), list(since.values())))
    returning = {member for member, command in requests if isinstance(command, RecordReturn)}
    # Most tier changes lie ahead of every purchase: then there is nothing else to look for.
    members = sorted(returning | {member for member, facts in found.items() if facts})
    if members:
        _add(found, await connection.fetch(RETURNS, members, LATER_TYPES))
    originals = _originals(found, requests)
    if originals:
        wanted = [member for member, _ in originals], [event for _, event in originals]
        _add(found, await connection.fetch(ORIGINALS, *wanted))
    paid = _paid_with_points(found, requests)
    if paid:
        _add(found, await connection.fetch(REDEMPTIONS, sorted({member for member, _ in paid})))
        texts = [f'"reference":{write_canonically(reference)}'.encode() for _, reference in paid]
        _add(found, await connection.fetch(PAID_WITH, [member for member, _ in paid], texts))
    return {member: [facts[number] for number in sorted(facts)] for member, facts in found.items()}


def _originals(found: Numbered, requests: Sequence[Request]) -> list[tuple[MemberId, EventId]]:
    asked = {(member, command.original_id) for member, command in requests if isinstance(command, RecordReturn)}
    behind = {
        (member, fact.original_id)
        for member, facts in found.items()
        for fact in facts.values()
        if isinstance(fact, ReturnRecorded | ReturnVoided) and (member, fact.cause.event_id) in asked
    }
    return sorted(asked | behind)


def _paid_with_points(found: Numbered, requests: Sequence[Request]) -> list[tuple[MemberId, str]]:
    """What the points tenders name, of the sales that may come back: those found, and those in this batch."""
    returning = {member for member, command in requests if isinstance(command, RecordReturn)}
    sales = [(member, fact) for member in returning for fact in found[member].values()]
    sold = [(member, command) for member, command in requests if member in returning]
    return sorted(
        {
            (member, tender.reference)
            for member, sale in (*sales, *sold)
            if isinstance(sale, PurchaseRecorded | RecordPurchase)
            for tender in sale.tenders
            if tender.type == POINTS_TENDER and tender.reference
        }
    )


def _since(requests: Sequence[Request]) -> dict[MemberId, datetime]:
    since: dict[MemberId, datetime] = {}
    for member, command in requests:
        if isinstance(command, ApplyTier) and not command.ends_period:
            since[member] = min(since.get(member, command.effective_from), command.effective_from)
    return since


def _add(found: Numbered, rows: Sequence[Any]) -> None:
    for member, number, encoded in rows:
        found[MemberId(member)][number] = decode(encoded)[2]
