"""Puts on record what is announced, once: the messages of an occasion and its gift."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.notifier.application.ports import Store
from services.notifier.domain.gifts import Gift
from services.notifier.domain.messages import Message, Step, evolve
from services.notifier.domain.planning import Planned


@dataclass(frozen=True, slots=True)
class Announced:
    """What came of it: the first steps of new messages, and the gifts given."""

    steps: Sequence[tuple[Message, Step]] = ()
    gifts: Sequence[Gift] = ()


async def announce(store: Store, planned: Sequence[Planned], *, now: datetime) -> Announced:
    """The members must be locked; what is known is left alone, and who has left is given nothing."""
    known = await store.known_intents([each.message.intent for each in planned])
    new = [each for each in planned if each.message.intent not in known]
    steps = [(evolve(each.message, each.step), each.step) for each in new]
    await store.record(steps, now=now)
    gifts = list(dict.fromkeys(each.gift for each in new if each.gift is not None))
    if gifts:
        gone = await store.gone({gift.member_id for gift in gifts})
        gifts = [gift for gift in gifts if gift.member_id not in gone]
        await store.give(gifts, now=now)
    return Announced(steps, gifts)
