"""Ids name one thing each."""

from collections.abc import Iterator, Sequence

from services.programme.domain.document import Programme
from services.programme.domain.findings import Finding, Path, error


def ids_are_unique(programme: Programme) -> Iterator[Finding]:
    yield from _repeated(("earning", "rules"), [rule.id for rule in programme.rules])
    yield from _repeated(("tiers", "levels"), [level.id for level in programme.levels])
    yield from _repeated(("rewards",), [reward.id for reward in programme.rewards])
    yield from _repeated(("campaigns",), [campaign.id for campaign in programme.campaigns])


def _repeated(path: Path, ids: Sequence[str]) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for index, name in enumerate(ids):
        if name in first:
            message = f"{name!r} is already the id of number {first[name] + 1} of this list"
            yield error((*path, index, "id"), "duplicate_id", message, "give each its own id")
        first.setdefault(name, index)
