"""References to units and tiers by name."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from services.programme.domain.document import Programme
from services.programme.domain.findings import Finding, Path, error


def undeclared_unit(programme: Programme, path: Path, unit: str) -> Iterator[Finding]:
    yield from _undeclared("unit", path, unit, programme.units)


def undeclared_tier(programme: Programme, path: Path, tier: str) -> Iterator[Finding]:
    yield from _undeclared("tier", path, tier, [level.id for level in programme.levels])


def undeclared_template(programme: Programme, path: Path, template: str) -> Iterator[Finding]:
    yield from _undeclared("template", path, template, programme.templates)


def _undeclared(kind: str, path: Path, name: str, declared: Iterable[str]) -> Iterator[Finding]:
    known = list(declared)
    if name in known:
        return
    alike = get_close_matches(name, known, n=1)
    offer = f"did you mean {alike[0]!r}?" if alike else f"there are: {', '.join(known)}" if known else "there are none"
    remedy = f"name a declared {kind} or declare {name!r}; {offer}"
    yield error(path, f"unknown_{kind}", f"the {kind} {name!r} is not declared", remedy)
