"""`python -m schemas.generate`: JSON Schemas and the AsyncAPI document, for readers in other languages and for editors.

`--release` also writes the schemas down as those of the version in pyproject.toml.
"""

import argparse
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from schemas import asyncapi, releases
from schemas.contracts import CONTRACTS

DIRECTORY = Path(__file__).parent / "json"
DOCUMENT = Path(__file__).parent / "asyncapi.yaml"
_PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def main(arguments: Sequence[str] | None = None) -> int:
    """Brings all that is generated to the contracts of the code, and says what changed."""
    parser = argparse.ArgumentParser(prog="python -m schemas.generate", description=__doc__)
    parser.add_argument("--release", action="store_true", help="freeze the schemas as those of this version")
    parser.add_argument("--again", action="store_true", help="replace a release that nobody has yet")
    wanted = parser.parse_args(arguments)
    sys.stdout.write(f"{len(CONTRACTS)} schemas in schemas/json, {write_schemas()} changed\n")
    sys.stdout.write(f"schemas/asyncapi.yaml {'changed' if write_document() else 'unchanged'}\n")
    if not wanted.release:
        return 0
    try:
        changed = releases.release(project_version(), again=wanted.again)
    except releases.AlreadyReleased as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    sys.stdout.write(f"schemas/released/{project_version()}: {changed} files changed\n")
    return 0


def write_schemas(directory: Path = DIRECTORY) -> int:
    """Brings the directory to exactly the contracts of the code; answers how many files changed."""
    directory.mkdir(exist_ok=True)
    wanted = {contract.file_name: contract.rendered() for contract in CONTRACTS}
    found = {file.name: file.read_text() for file in directory.glob("*.schema.json")}
    for name in sorted(found.keys() - wanted.keys()):
        (directory / name).unlink()
    changed = [name for name, text in wanted.items() if found.get(name) != text]
    for name in changed:
        (directory / name).write_text(wanted[name])
    return len(changed) + len(found.keys() - wanted.keys())


def write_document(file: Path = DOCUMENT) -> bool:
    """Whether the AsyncAPI document was another before."""
    text = asyncapi.rendered(project_version())
    before = file.read_text() if file.exists() else None
    file.write_text(text)
    return before != text


def project_version() -> str:
    return str(tomllib.loads(_PROJECT.read_text())["project"]["version"])


if __name__ == "__main__":
    sys.exit(main())
