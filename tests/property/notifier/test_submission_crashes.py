"""Whatever dies when, no message is submitted twice and none is lost without a word."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from services.notifier.application.reacting import react_to_tiers
from services.notifier.application.sending import Sender, SendingLimits
from services.notifier.domain.durations import Duration
from services.notifier.domain.messages import MemberId, MessageId
from services.notifier.domain.planning import Rules, TierCampaign, TierChange
from services.notifier.domain.sending import Accepted, Contact, Delivery, Refused, Unavailable, Unclear
from tests.property.notifier.memory import Fuse, Killed, MemoryDatabase, MortalProcess, Outside

ENDS = {"sent", "maybe_sent", "suppressed", "missed"}
MEMBERS = [MemberId(f"00000000-0000-4000-8000-00000000000{n}") for n in range(3)]
CONTACT = Contact(status="active", consent=True, address="li@example.com", locale="zh-CN", name=None)
CAMPAIGN = TierCampaign(
    id="welcome",
    tier="gold",
    channels=("email",),
    template="welcome",
    purpose="marketing",
    tolerance=Duration(exact=timedelta(days=2)),
    gives=True,
)
RULES = Rules(version=1, levels=("gold",), campaigns=(CAMPAIGN,))
LIMITS = SendingLimits(at_once=2)
DELIVERIES: list[Delivery] = [Accepted(), Unclear(), Refused(for_good=True), Refused(for_good=False), Unavailable()]


class Submissions(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = datetime(2026, 6, 10, tzinfo=UTC)
        self.database = MemoryDatabase(RULES)
        self.outside = Outside(contact=CONTACT)
        self.changes: list[TierChange] = []

    @rule(member=st.sampled_from(MEMBERS))
    def member_reaches_gold(self, member: MemberId) -> None:
        seq = 1 + sum(change.member_id == member for change in self.changes)
        instant = self.now
        self.changes.append(TierChange(member, seq, bytes(32), None, "gold", instant, instant, None, False))
        self.consume(self.changes[-1:], Fuse())

    @rule(fuse=st.integers(0, 3))
    def consumer_dies_and_reads_again(self, fuse: int) -> None:
        self.consume(self.changes, Fuse(fuse))
        self.consume(self.changes, Fuse())

    @rule(fuse=st.none() | st.integers(0, 30))
    def sender_runs(self, fuse: int | None) -> None:
        asyncio.run(self.send(Fuse(fuse)))

    @rule()
    def sender_freezes_past_its_lease(self) -> None:
        async def meanwhile() -> None:
            self.now += LIMITS.lease
            await self.send(Fuse())

        self.outside.during_submission = meanwhile
        asyncio.run(self.send(Fuse()))
        self.outside.during_submission = None

    @rule(minutes=st.integers(1, 120))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(mood=st.sampled_from(DELIVERIES))
    def provider_changes_its_mood(self, mood: Delivery) -> None:
        self.outside.mood = mood

    @rule(members=st.booleans(), broker=st.booleans())
    def others_go_away_or_return(self, members: bool, broker: bool) -> None:
        self.outside.members_away, self.outside.broker_away = members, broker

    @rule(granted=st.booleans())
    def member_decides_about_consent(self, granted: bool) -> None:
        self.outside.contact = replace(CONTACT, consent=granted)

    @invariant()
    def nothing_is_submitted_twice(self) -> None:
        assert all(count == 1 for count in Counter(self.outside.handed_over).values())

    @invariant()
    def what_was_submitted_is_on_record(self) -> None:
        fates = {self.database.tables.messages[message].fate for message in self.outside.handed_over}
        assert fates <= {"submitting", "sent", "maybe_sent"}

    @invariant()
    def what_is_recorded_as_sent_was_submitted(self) -> None:
        messages = self.database.tables.messages
        assert {m for m in messages if messages[m].fate == "sent"} <= set(self.outside.handed_over)

    @invariant()
    def nothing_follows_an_end(self) -> None:
        ended: set[MessageId] = set()
        for message_id, step in self.database.tables.steps:
            assert message_id not in ended
            if step.fate in ENDS:
                ended.add(message_id)

    @invariant()
    def every_occasion_has_one_message(self) -> None:
        assert len(self.database.tables.messages) == len(self.changes)

    @invariant()
    def every_occasion_has_one_gift(self) -> None:
        gifts = self.database.tables.gifts
        assert len(gifts) == len(set(gifts)) == len(self.changes)

    def teardown(self) -> None:
        self.outside = replace(self.outside, members_away=False, broker_away=False, mood=Accepted())
        for _ in range(3 * (len(self.changes) + 1)):
            self.now += timedelta(hours=1)
            asyncio.run(self.send(Fuse()))
        assert all(message.fate in ENDS for message in self.database.tables.messages.values())
        self.nothing_is_submitted_twice()

    def consume(self, changes: list[TierChange], fuse: Fuse) -> None:
        async def handled() -> None:
            await self.database.run(lambda store: react_to_tiers(store, changes, now=self.now), fuse)

        try:
            asyncio.run(handled())
        except Killed:
            return

    async def send(self, fuse: Fuse) -> None:
        process = MortalProcess(self.database, self.outside, fuse)
        sender = Sender(process, process, process, process, process, lambda: self.now, LIMITS)
        try:
            await sender.run_once()
        except Killed:
            return


TestSubmissions = Submissions.TestCase
TestSubmissions.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
