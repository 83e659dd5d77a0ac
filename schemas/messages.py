"""Topic `messages`: what became of every message, numbered per member; no address, no text."""

from typing import Literal

from schemas.base import Code, Contract, Count, Instant, Token, UuidText
from schemas.members import MessageChannel

MessageOccasion = Literal["tier", "birthday"]
MessageFate = Literal["planned", "submitting", "sent", "maybe_sent", "suppressed", "missed"]


def message_type(fate: MessageFate) -> str:
    """CloudEvents type of a message fact: `loyalty.message.sent.v1`."""
    return f"loyalty.message.{fate}.v1"


class MessageFact(Contract):
    """One step of one message; (member, campaign, occurrence, channel) is sent at most once.

    `occurrence` is the year of the birthday (`2027`), or the tier fact as `<member_id>/<member_seq>`.
    """

    member_id: UuidText
    member_seq: Count
    message_id: UuidText
    campaign: Token
    occurrence: str
    channel: MessageChannel
    fate: MessageFate
    reason: Code | None = None
    due_at: Instant
    recorded_at: Instant
    template: Token
    programme_version: Count
    occasion: MessageOccasion = "tier"
