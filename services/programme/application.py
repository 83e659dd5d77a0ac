"""Checking a programme and publishing a version of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from services.programme.domain.checks import findings_of
from services.programme.domain.checks.succession import findings_after
from services.programme.domain.document import Programme
from services.programme.domain.findings import Finding, Path, is_publishable, warning
from services.programme.domain.versions import Version, VersionReplaced
from services.runtime.ports import OutboxRow

TOPIC = "programme"
KEY = "programme"


@dataclass(frozen=True, slots=True)
class Source:
    """A programme as its author wrote it: YAML, or JSON."""

    text: bytes
    is_json: bool = False


class Reading(Protocol):
    """A source as far as it could be read: the programme is None when its shape is wrong."""

    @property
    def programme(self) -> Programme | None: ...
    @property
    def findings(self) -> tuple[Finding, ...]: ...
    def line_of(self, path: Path) -> int | None: ...
    def canonical(self) -> bytes:
        """The document as it is published; only for a reading with a programme."""
        ...


class Reader(Protocol):
    async def read(self, source: Source) -> Reading: ...


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """`document` is the programme with every default filled in."""

    version: Version
    document: Mapping[str, Any]


class Versions(Protocol):
    """The published versions, within one transaction."""

    async def take_turn(self) -> None:
        """Waits until no other transaction is publishing."""
        ...

    async def newest(self) -> Programme | None: ...
    async def add(self, version: Version, document: bytes) -> None: ...
    async def all(self) -> Sequence[Version]: ...
    async def get(self, number: int) -> StoredVersion | None: ...


class Outbox(Protocol):
    async def add_outbox(self, rows: Iterable[OutboxRow]) -> None: ...


class InvalidProgramme(Exception):
    """The document may not be published; its findings say why, all at once."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__(f"{sum(finding.severity == 'error' for finding in findings)} errors in the programme")
        self.findings = findings


@dataclass(frozen=True, slots=True)
class Publication:
    """`replaces` is the number that its author believes to be the newest, 0 for the first version."""

    replaces: int
    by: str
    now: datetime
    lead: timedelta


@dataclass(frozen=True, slots=True)
class Published:
    version: Version
    warnings: tuple[Finding, ...]


def check_alone(reading: Reading) -> tuple[Finding, ...]:
    """Findings of a file whose predecessors nobody has looked up."""
    return _with_lines(reading)


def check(reading: Reading, newest: Programme | None) -> tuple[Finding, ...]:
    """Findings of a file that is to follow the newest version."""
    return _with_lines(reading, findings_after(reading.programme, newest) if reading.programme is not None else ())


async def publish(reading: Reading, versions: Versions, outbox: Outbox, publication: Publication) -> Published:
    """Refuses with `VersionReplaced` or `InvalidProgramme`; the turn must have been taken."""
    previous = await versions.newest()
    newest = previous.version if previous is not None else 0
    # First of all: whoever wrote against another version should read that one before any list of mistakes.
    if publication.replaces != newest:
        raise VersionReplaced(replaces=publication.replaces, newest=newest)
    programme = reading.programme
    if programme is None:
        raise InvalidProgramme(_with_lines(reading))
    findings = _with_lines(reading, (*findings_after(programme, previous), *_late_start(programme, publication)))
    if not is_publishable(findings):
        raise InvalidProgramme(findings)
    version = Version(programme.version, programme.effective_from, publication.now, publication.by)
    await versions.add(version, reading.canonical())
    await outbox.add_outbox([OutboxRow(TOPIC, KEY, str(version.number))])
    return Published(version, findings)


def _late_start(programme: Programme, publication: Publication) -> Iterable[Finding]:
    earliest = publication.now + publication.lead
    if programme.version > 1 and programme.effective_from < earliest:
        message = f"it cannot take effect before {earliest.isoformat(timespec='seconds')}, so it starts then"
        yield warning(("effective_from",), "starts_later", message, "nothing, if a start as soon as possible is meant")


def _with_lines(reading: Reading, more: Iterable[Finding] = ()) -> tuple[Finding, ...]:
    alone = findings_of(reading.programme) if reading.programme is not None else ()
    found = (*reading.findings, *alone, *more)
    return tuple(sorted((_located(reading, finding) for finding in found), key=_in_file_order))


def _located(reading: Reading, finding: Finding) -> Finding:
    line = finding.line or reading.line_of(finding.path)
    return Finding(finding.severity, finding.path, finding.code, finding.message, finding.remedy, line)


def _in_file_order(finding: Finding) -> tuple[bool, int]:
    return finding.severity != "error", finding.line or 0
