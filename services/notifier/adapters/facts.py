"""Message facts as bytes: what is stored, hashed and published is the same."""

import json
from datetime import datetime
from hashlib import sha256

from schemas.messages import MessageFact, MessageOccasion
from services.notifier.domain.messages import BirthdayComes, Message, Occasion, Step


def encode(message: Message, step: Step, *, member_seq: int, recorded_at: datetime) -> bytes:
    """Canonical JSON: sorted keys, no spaces, what is null left out."""
    fact = MessageFact(
        member_id=message.member_id,
        member_seq=member_seq,
        message_id=message.message_id,
        campaign=message.intent.campaign,
        occurrence=message.intent.occurrence,
        channel=message.intent.channel,
        fate=step.fate,
        reason=step.reason,
        due_at=step.retry_at or message.due_at,
        recorded_at=recorded_at,
        template=message.template,
        programme_version=message.programme_version,
        occasion=occasion_name(message.occasion),
    )
    values = fact.model_dump(mode="json", exclude_none=True)
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def occasion_name(occasion: Occasion) -> MessageOccasion:
    return "birthday" if isinstance(occasion, BirthdayComes) else "tier"


def chain(previous: bytes | None, member_id: str, fact: bytes) -> bytes:
    """The hash of a member's next fact; the chain starts at the hash of the member's id."""
    return sha256((previous or sha256(member_id.encode()).digest()) + fact).digest()
