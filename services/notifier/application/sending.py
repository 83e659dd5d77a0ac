"""Brings each due message to one end."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.notifier.application.ports import (
    Acknowledgements,
    Contacts,
    Due,
    Letter,
    LookupUnavailable,
    Provider,
    Store,
    Submission,
    TemplateFault,
    Transactions,
    Writer,
)
from services.notifier.domain.messages import Message, Step, evolve
from services.notifier.domain.sending import delivery_step, due_step, interrupted_step, objection, put_back
from services.runtime.ports import Clock


@dataclass(frozen=True, slots=True)
class SendingLimits:
    """How much at once and how long; the lease outlasts acknowledgement, look-up and submission together."""

    batch: int = 20
    at_once: int = 4
    lease: timedelta = timedelta(minutes=3)
    acknowledgement: timedelta = timedelta(seconds=10)
    submission: timedelta = timedelta(seconds=60)
    backlog_max: timedelta = timedelta(seconds=30)

    @property
    def settling(self) -> timedelta:
        """Kept back at the end of a lease for recording what became of the submission."""
        return self.lease / 10


@dataclass(frozen=True, slots=True)
class Sender:
    """Brings due messages to their end, in the order that makes each be submitted at most once.

    `submitting` is committed, then acknowledged by the broker, and only then are the members asked and the
    provider used: whatever is lost afterwards, the record that it may have happened is not.
    """

    transactions: Transactions
    acknowledgements: Acknowledgements
    contacts: Contacts
    writer: Writer
    provider: Provider
    clock: Clock
    limits: SendingLimits = SendingLimits()
    told: Callable[[Message, Step], None] = lambda _message, _step: None
    """Hears of every step once it is committed."""

    async def run_once(self) -> int:
        """Answers how many messages took a step; 0 when there is nothing to do now."""
        interrupted = await self._end_interrupted()
        if await self.acknowledgements.backlog_age() > self.limits.backlog_max:
            return interrupted
        taken, submissions = await self._take_due()
        if submissions:
            await self._submit_all(submissions)
        return interrupted + taken

    async def _end_interrupted(self) -> int:
        now = self.clock()

        async def work(store: Store) -> list[tuple[Message, Step]]:
            lapsed = await store.lapsed(now=now, limit=self.limits.batch)
            steps = [_taken(message, interrupted_step()) for message in lapsed]
            await store.record(steps, now=now)
            return steps

        return self._tell(await self.transactions.run(work))

    async def _take_due(self) -> tuple[int, list[Submission]]:
        now = self.clock()
        lease_until = now + self.limits.lease

        async def work(store: Store) -> tuple[list[tuple[Message, Step]], list[str]]:
            due = await store.due(now=now, limit=self.limits.batch)
            steps = [_taken(each.message, await _due_step(store, each, now)) for each in due]
            return steps, await store.record(steps, now=now, lease_until=lease_until)

        steps, refs = await self.transactions.run(work)
        return self._tell(steps), [
            Submission(message, ref, lease_until)
            for (message, step), ref in zip(steps, refs, strict=True)
            if step.fate == "submitting"
        ]

    async def _submit_all(self, submissions: Sequence[Submission]) -> None:
        refs = {submission.fact_ref for submission in submissions}
        known = await self.acknowledgements.acknowledged(refs, within=self.limits.acknowledgement)
        slots = asyncio.Semaphore(self.limits.at_once)
        work = (self._submit(each, slots, acknowledged=each.fact_ref in known) for each in submissions)
        # One that fails must not cancel another between the provider's answer and its record.
        for result in await asyncio.gather(*work, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    async def _submit(self, submission: Submission, slots: asyncio.Semaphore, *, acknowledged: bool) -> None:
        async with slots:
            step = await self._outcome(submission, acknowledged=acknowledged)
            await self._record_outcome(submission, step)

    async def _outcome(self, submission: Submission, *, acknowledged: bool) -> Step:
        message = submission.message
        if not acknowledged:
            return put_back(message, "not_acknowledged", now=self.clock())
        try:
            contact = await self.contacts.look_up(message)
        except LookupUnavailable:
            return put_back(message, "lookup_unavailable", now=self.clock())
        refused = objection(message, contact)
        if refused is not None or contact is None or contact.address is None:
            assert refused is not None, "a contact without objection has an address"
            return refused
        try:
            letter = await self.writer.write(message, contact, contact.address)
        except TemplateFault:
            return Step("suppressed", "template_error")
        return await self._hand_over(submission, letter)

    async def _hand_over(self, submission: Submission, letter: Letter) -> Step:
        message = submission.message
        left = submission.lease_until - self.clock() - self.limits.settling
        if left <= timedelta():
            return put_back(message, "out_of_time", now=self.clock())
        delivery = await self.provider.submit(letter, within=min(left, self.limits.submission))
        return delivery_step(message, delivery, now=self.clock())

    async def _record_outcome(self, submission: Submission, step: Step) -> None:
        now = self.clock()

        async def work(store: Store) -> list[tuple[Message, Step]]:
            steps = [_taken(submission.message, step)] if await store.lock_submission(submission) else []
            await store.record(steps, now=now)
            return steps

        self._tell(await self.transactions.run(work))

    def _tell(self, steps: Sequence[tuple[Message, Step]]) -> int:
        for message, step in steps:
            self.told(message, step)
        return len(steps)


def _taken(message: Message, step: Step) -> tuple[Message, Step]:
    return evolve(message, step), step


async def _due_step(store: Store, due: Due, now: datetime) -> Step:
    rules = await store.rules_of(due.message.programme_version)
    return due_step(due.message, tier_now=due.tier_now, rules=rules, now=now)
