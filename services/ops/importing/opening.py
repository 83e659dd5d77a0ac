"""From a name to an open source: which format it is, and what is no format at all."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import IO

from services.ops.importing.columns import FileMap, Subject
from services.ops.importing.found import STANDARD_INPUT, Format, ImportMisused, Source
from services.ops.importing.text_files import CsvSource, NdjsonSource
from services.ops.importing.text_lines import buffered
from services.ops.importing.values import Spelling

FORMATS: dict[str, Format] = {
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "ndjson",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
}
READ_BYTES = 1024 * 1024
_MADE_BY_OTHERS = {
    b"\x1f\x8b": "is compressed: zcat FILE | loyalty import … - --format ndjson",
    b"PK\x03\x04": "is a spreadsheet or an archive: save it as CSV UTF-8",
    b"\xff\xfe": "is UTF-16: save it as UTF-8",
    b"\xfe\xff": "is UTF-16: save it as UTF-8",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """How the files of one import are to be read; None = found out from the file."""

    subject: Subject
    format: Format | None = None
    mapping: FileMap = field(default_factory=FileMap)
    spelling: Spelling = field(default_factory=Spelling)
    delimiter: str | None = None
    encoding: str = "utf-8"

    def format_of(self, path: Path) -> Format:
        """Raises ImportMisused where neither the name nor an option tells, or an option would mean nothing."""
        found = self.format or FORMATS.get(path.suffix.lower())
        if found is None:
            raise ImportMisused(f"{path}: say what it is with --format ndjson, csv or parquet")
        if found == "parquet" and path == STANDARD_INPUT:
            raise ImportMisused("Parquet is read from its end: give a file, not standard input")
        if found != "csv" and (self.delimiter is not None or self.encoding != "utf-8"):
            raise ImportMisused(f"{path} is {found}: --delimiter and --encoding are for CSV")
        if found == "ndjson" and (self.mapping != FileMap() or self.spelling != Spelling()):
            raise ImportMisused(f"{path} is NDJSON, a document per line: --map, --amounts, --time-zone are for tables")
        return found


@contextmanager
def open_source(path: Path, reading: Reading, stopped: Event) -> Iterator[Source]:
    """Raises ImportMisused with what to do."""
    if reading.format_of(path) == "parquet":
        yield _parquet(path, reading)
        return
    with _stream(path, stopped) as stream:
        size = 0 if path == STANDARD_INPUT else path.stat().st_size
        if reading.format_of(path) == "ndjson":
            yield NdjsonSource(stream, size)
        else:
            yield CsvSource(
                stream,
                size,
                subject=reading.subject,
                mapping=reading.mapping,
                spelling=reading.spelling,
                delimiter=reading.delimiter,
                encoding=reading.encoding,
            )


@contextmanager
def _stream(path: Path, stopped: Event) -> Iterator[IO[bytes]]:
    if path == STANDARD_INPUT:
        yield buffered(sys.stdin.fileno(), stopped)
        return
    with path.open("rb", buffering=READ_BYTES) as stream:
        head = stream.read(4)
        stream.seek(0)
        for mark, advice in _MADE_BY_OTHERS.items():
            if head.startswith(mark):
                raise ImportMisused(f"{path} {advice}")
        yield stream


def _parquet(path: Path, reading: Reading) -> Source:
    try:
        from services.ops.importing.parquet_files import ParquetSource
    except ModuleNotFoundError as missing:
        raise ImportMisused(
            f"Parquet needs the extra `import` ({missing.name} is missing): pip install 'loyalty-platform[import]'"
        ) from None
    return ParquetSource(path, subject=reading.subject, mapping=reading.mapping, spelling=reading.spelling)
