"""The schemas as they were released, kept beside those of the code: what others have built on never changes."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from schemas.compatibility import READERS, breaks
from schemas.contracts import CONTRACTS, PublishedContract

DIRECTORY = Path(__file__).parent / "released"
DIGESTS = "digests.txt"


class AlreadyReleased(Exception):
    """A version that is out stays as it is."""


def release(version: str, directory: Path = DIRECTORY, *, again: bool = False) -> int:
    """Writes the schemas of the code down as those of `version`; answers how many files changed."""
    target = directory / version
    wanted = {contract.file_name: contract.rendered() for contract in CONTRACTS}
    wanted[DIGESTS] = "".join(f"{_digest(text)}  {name}\n" for name, text in sorted(wanted.items()))
    found = {file.name: file.read_text() for file in target.glob("*")}
    if found and found != wanted and not again:
        raise AlreadyReleased(f"{version} is released: name the next version in pyproject.toml, or say --again")
    target.mkdir(parents=True, exist_ok=True)
    for name in found.keys() - wanted.keys():
        (target / name).unlink()
    changed = [name for name, text in wanted.items() if found.get(name) != text]
    for name in changed:
        (target / name).write_text(wanted[name])
    return len(changed) + len(found.keys() - wanted.keys())


def tampered(directory: Path = DIRECTORY) -> list[str]:
    """Files of a release that are no longer what its digests say, as `<version>/<file>`."""
    return [f"{version.name}/{name}" for version in _versions(directory) for name in _differing(version)]


def broken_promises(contracts: Iterable[PublishedContract] = CONTRACTS, directory: Path = DIRECTORY) -> list[str]:
    """What the contracts of the code no longer keep of any release, in words that say where and for whom."""
    current = {contract.file_name: contract for contract in contracts}
    return [
        f"{file.name.removesuffix('.schema.json')}, as released with {version.name}: {what}"
        for version in _versions(directory)
        for file in sorted(version.glob("*.schema.json"))
        for what in _broken(json.loads(file.read_text()), current.get(file.name))
    ]


def _broken(released: dict[str, object], contract: PublishedContract | None) -> Iterator[str]:
    if contract is None:
        yield "it is gone, although its messages are kept"
        return
    for each in breaks(released, contract.schema()):
        if each.whom != READERS or not contract.is_read_by_us_alone:
            yield str(each)


def _versions(directory: Path) -> list[Path]:
    return sorted(path for path in directory.glob("*") if path.is_dir())


def _differing(version: Path) -> list[str]:
    lines = (version / DIGESTS).read_text().splitlines()
    told = {name: digest for digest, name in (line.split("  ") for line in lines)}
    found = {file.name: _digest(file.read_text()) for file in version.iterdir() if file.name != DIGESTS}
    return sorted(name for name in told.keys() | found.keys() if told.get(name) != found.get(name))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
