"""How far the import of a file has come, kept beside, so that it can go on where it was interrupted."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from services.ops.importing.columns import Subject
from services.ops.importing.found import BEGINNING, ImportMisused, Place

SAMPLE_BYTES = 1024 * 1024


class Bookmark(BaseModel):
    """What was acknowledged up to `place`: `counts` by outcome, and how much of the rejects file belongs to it."""

    model_config = ConfigDict(frozen=True)

    subject: Subject
    file: str
    format: str
    size: int
    digest: str
    began_at: datetime
    place: Place = BEGINNING
    counts: dict[str, int] = {}
    rejects: str = ""
    rejects_bytes: int = 0
    finished: bool = False


class Bookmarks:
    """One JSON file per imported file, subject and destination, named by a digest of the three.

    `to` names the deployment: what the one has is not in another.
    """

    def __init__(self, directory: Path, to: str) -> None:
        self._directory = directory
        self._to = to

    def path(self, subject: Subject, file: Path) -> Path:
        name = hashlib.sha256(f"{subject}\n{file.resolve()}\n{self._to}".encode()).hexdigest()[:16]
        return self._directory / f"{name}.json"

    def rejects_path(self, subject: Subject, file: Path) -> Path:
        return self.path(subject, file).with_suffix(".rejects.ndjson")

    def load(self, subject: Subject, file: Path) -> Bookmark | None:
        path = self.path(subject, file)
        try:
            return Bookmark.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError:
            raise ImportMisused(f"{path} is no bookmark of this release: --restart begins anew") from None

    def save(self, bookmark: Bookmark) -> None:
        """Whole or not at all, also when the machine stops in between."""
        path = self.path(bookmark.subject, Path(bookmark.file))
        scratch = path.with_suffix(".writing")
        with scratch.open("w") as file:
            file.write(bookmark.model_dump_json(indent=1))
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)

    @contextmanager
    def only_one(self, subject: Subject, file: Path) -> Iterator[None]:
        """Raises ImportMisused while another process imports the same file."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.path(subject, file).with_suffix(".lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ImportMisused(f"{file} is being imported already, by another process") from None
            yield


def begin(subject: Subject, file: Path, file_format: str, now: datetime) -> Bookmark:
    """A bookmark at the file's beginning that would notice another file in its place."""
    size = file.stat().st_size
    digest = _digest(file, size)
    return Bookmark(
        subject=subject, file=str(file.resolve()), format=file_format, size=size, digest=digest, began_at=now
    )


def go_on(kept: Bookmark, fresh: Bookmark) -> Bookmark:
    """The kept bookmark, if it is of this very file; else ImportMisused."""
    if (kept.size, kept.digest) != (fresh.size, fresh.digest):
        raise ImportMisused(
            f"{kept.file} was changed since {sum(kept.counts.values()):,} records of it were read"
            f" ({kept.size:,} bytes then, {fresh.size:,} now): --restart begins anew; what is in already stays in, once"
        )
    if kept.format != fresh.format:
        raise ImportMisused(f"{kept.file} was begun as {kept.format}: --restart begins anew as {fresh.format}")
    return kept


def _digest(file: Path, size: int) -> str:
    """Of the first and the last mebibyte: a file that grew, or was exported again, differs in one of them."""
    digest = hashlib.sha256(str(size).encode())
    with file.open("rb") as opened:
        digest.update(opened.read(SAMPLE_BYTES))
        opened.seek(max(size - SAMPLE_BYTES, 0))
        digest.update(opened.read(SAMPLE_BYTES))
    return digest.hexdigest()
