"""What became of the records of a file, and of the whole import."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

REJECTED = "rejected"


@dataclass
class Outcome:
    """What became of one file; `counts` includes earlier runs, `records_now` is this run alone."""

    file: str
    counts: Counter[str] = field(default_factory=Counter)
    records_now: int = 0
    finished: bool = False
    was_finished: bool = False
    rejects: str | None = None

    @property
    def rejected(self) -> int:
        return self.counts[REJECTED]


@dataclass(frozen=True, kw_only=True)
class Ended:
    """`outcomes` of the files begun; `trouble` says why it ended before its time, and what to do."""

    outcomes: Sequence[Outcome]
    seconds: float
    unknown_fields: int
    interrupted: bool = False
    trouble: str = ""

    @property
    def counts(self) -> Counter[str]:
        return sum((each.counts for each in self.outcomes), Counter())

    @property
    def records_now(self) -> int:
        return sum(each.records_now for each in self.outcomes)

    @property
    def per_second(self) -> int:
        return round(self.records_now / max(self.seconds, 0.001))
