"""Fates: what an exception tells the loop to do. Anything not named here stops its partition with the cause."""

from typing import Any

from services.runtime.ports import Record


class InvalidMessage(Exception):
    """Input from outside that cannot be read: the record becomes a dead letter and the rest goes on.

    Raised from `handle` it must name its `record`; `detail` must not quote the input, it is kept in the clear.
    `event_ref` is the event's id where it could be read.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        pointer: str = "",
        *,
        record: Record[Any] | None = None,
        event_ref: str | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}" + (f" at {pointer}" if pointer else ""))
        self.code = code
        self.detail = detail
        self.pointer = pointer
        self.record = record
        self.event_ref = event_ref


class Transient(Exception):
    """May work a moment later: the loop backs off and starts again from the checkpoint."""


class NotReady(Transient):
    """Something that must come first is not here yet; waited for visibly, and not a failure."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class CommitUnclear(Transient):
    """The connection was lost on COMMIT: read what the transaction would have written before doing it again."""


class Fenced(Exception):
    """Another owner has taken over; drop the work and read the position again before any more."""


class NewerReleaseNeeded(Exception):
    """One of our own records says what this release does not know; guessing would decide wrongly.

    Its partition stops and a request that rests on it gets 503, until the service is upgraded.
    """

    def __init__(self, what: str, unknown: str) -> None:
        super().__init__(f"{what} needs a newer release of this service, which does not know {unknown}")


class HaltError(Exception):
    """The service must not go on until a person has acted; `remedy` says what to do."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}: {remedy}")
        self.what = what
        self.remedy = remedy
