"""Commands of a till: decided at once, under the account's lock, once for each Idempotency-Key."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from services.ledger.application.inquiry import UnknownMember
from services.ledger.application.recording import Account, Books, Ledger
from services.ledger.domain.commands import CancelRedemption, ForPoints, RedeemPoints, Wish
from services.ledger.domain.evolve import fold
from services.ledger.domain.facts import CommandKey, Fact, SpendingFact
from services.ledger.domain.ids import EventId, MemberId, event_id_of
from services.ledger.domain.redemption import ACTIVE, reward_of
from services.ledger.domain.rules import Rules
from services.ledger.domain.spending import stock_change, taken_in
from services.ledger.domain.state import AccountState, new_account

REDEEM = "redeem points"


def cancel_of(redemption_id: EventId) -> str:
    """The operation of cancelling this redemption: a key used for another one is another command."""
    return f"cancel redemption {redemption_id}"


class Busy(Exception):
    """Somebody else has held the rows of this command for two seconds; repeat it with the same key."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the {what} is in use; repeat the request with the same Idempotency-Key")


class IdempotencyKeyReused(Exception):
    """The key came with another body before."""

    def __init__(self) -> None:
        super().__init__("this Idempotency-Key came with another body before")


@dataclass(frozen=True, slots=True)
class Situation:
    """What a command meets: the locked account, the member's status (None = unheard of), its own earlier fact."""

    account: Account | None
    status: str | None
    earlier: Fact | None


class TillBooks(Books, Protocol):
    """The books within the unit of work of one command; its locks are waited for briefly."""

    async def situation(self, member: MemberId, event_id: EventId) -> Situation: ...
    async def spending(self, member: MemberId) -> list[SpendingFact]: ...
    async def stream(self, member: MemberId) -> list[Fact]: ...
    async def lock_stock(self, reward: str) -> int: ...
    async def change_stock(self, reward: str, change: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for what, of which member; `at` is our clock when the request came."""

    member: MemberId
    operation: str
    command: CommandKey
    at: datetime
    event_id: EventId = field(init=False)

    def __post_init__(self) -> None:
        event_id = event_id_of(self.command.principal, self.member, self.operation, self.command.key)
        object.__setattr__(self, "event_id", event_id)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The facts of a command, and the account as they left it."""

    facts: tuple[Fact, ...]
    state: AccountState


KnownVersions = Callable[[], Awaitable[Sequence[Rules]]]


class Till:
    """One command within its unit of work. `is_repeat`: it was decided before, and its outcome is only told again."""

    def __init__(
        self,
        *,
        asked: Asked,
        situation: Situation,
        books: TillBooks,
        ledger: Ledger,
        versions: KnownVersions,
    ) -> None:
        self._asked = asked
        self._account = situation.account
        self._status = situation.status or ACTIVE
        self._books = books
        self._ledger = ledger
        self._versions = versions
        self.is_repeat = situation.earlier is not None

    async def redeem(self, wish: Wish, order: str | None) -> Outcome:
        """Raises the refusals of the domain."""
        if self.is_repeat:
            return await self._told_again()
        account, versions, asked = await self._opened(), await self._versions(), self._asked
        reward = reward_of(versions, wish, asked.at)
        return await self._enacted(
            RedeemPoints(
                event_id=asked.event_id,
                occurred_at=asked.at,
                clock=asked.at,
                command=asked.command,
                wish=wish,
                order=order,
                status=self._status,
                taken_by_all=await self._books.lock_stock(reward.id) if reward and reward.stock is not None else 0,
                taken_by_member=None if isinstance(wish, ForPoints) else await self._taken(account, wish.reward),
            ),
            versions,
        )

    async def cancel(self, redemption_id: EventId) -> Outcome:
        """Raises UnknownRedemption, RedemptionAlreadyCancelled."""
        if self.is_repeat:
            return await self._told_again()
        asked = self._asked
        spending = await self._books.spending(asked.member)
        command = CancelRedemption(
            event_id=asked.event_id,
            occurred_at=asked.at,
            clock=asked.at,
            command=asked.command,
            redemption_id=redemption_id,
            spending=tuple(spending),
        )
        return await self._enacted(command, await self._versions())

    async def _enacted(self, command: RedeemPoints | CancelRedemption, versions: Sequence[Rules]) -> Outcome:
        account = await self._opened()
        facts = await self._ledger.enact(self._books, account, command, versions)
        for change in filter(None, map(stock_change, facts)):
            await self._books.change_stock(*change)
        return Outcome(facts, account.state)

    async def _taken(self, account: Account, reward: str) -> int | None:
        if account.state.taken(reward) is not None:
            return None
        return taken_in(await self._books.spending(self._asked.member), reward)

    async def _opened(self) -> Account:
        if self._account is None:
            member = self._asked.member
            self._account = (await self._books.open([member]))[member]
        return self._account

    async def _told_again(self) -> Outcome:
        """Folds the stream up to the command's last fact: the account as the first answer showed it."""
        facts = await self._books.stream(self._asked.member)
        mine = [number for number, fact in enumerate(facts) if fact.cause.event_id == self._asked.event_id]
        first, behind = mine[0], mine[-1] + 1
        return Outcome(tuple(facts[first:behind]), fold(new_account(self._asked.member), facts[:behind]))


class Tills:
    """Opens a till for each command: locks its account and looks whether it was done before."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def open(self, books: TillBooks, asked: Asked, versions: KnownVersions) -> Till:
        """Raises Busy, UnknownMember, IdempotencyKeyReused."""
        situation = await books.situation(asked.member, asked.event_id)
        if situation.account is None and situation.status is None:
            raise UnknownMember(asked.member)
        earlier = situation.earlier
        if earlier is not None and _command_of(earlier).body_hash != asked.command.body_hash:
            raise IdempotencyKeyReused
        return Till(asked=asked, situation=situation, books=books, ledger=self._ledger, versions=versions)


def _command_of(fact: Fact) -> CommandKey:
    command = getattr(fact, "command", None)
    assert isinstance(command, CommandKey), f"event {fact.cause.event_id} is no command"
    return command
