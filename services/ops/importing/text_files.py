"""NDJSON and CSV: text in lines."""

import csv
from collections.abc import Iterator, Sequence
from io import BufferedIOBase
from typing import IO

from services.ingest.adapters.reading import BODY_BYTES_MAX
from services.ingest.application.refusals import Fault
from services.ops.importing.assembling import assemble
from services.ops.importing.columns import FileMap, Layout, Subject, lay_out
from services.ops.importing.found import BEGINNING, Found, ImportMisused, Place, TableRow
from services.ops.importing.text_lines import Lines
from services.ops.importing.values import Spelling

BOM = b"\xef\xbb\xbf"
LINE_BYTES_MAX = BODY_BYTES_MAX
HEADER_BYTES_MAX = 64 * 1024
DELIMITERS = (",", ";", "\t", "|")
Binary = IO[bytes] | BufferedIOBase


class TextSource:
    """What both have in common: the share is one of bytes, and a place can be gone to where the file allows it."""

    ignored: Sequence[str] = ()

    def __init__(self, stream: Binary, size: int) -> None:
        self._stream = stream
        self._size = size

    def share(self, place: Place) -> float:
        return min(place.offset / self._size, 1.0) if self._size else 0.0

    def lines(self, begin: Place, limit_bytes: int = LINE_BYTES_MAX) -> Lines:
        if begin != BEGINNING:
            self._stream.seek(begin.offset)
        return Lines(self._stream, limit_bytes, begin)


class NdjsonSource(TextSource):
    """One document per line; empty lines are passed over."""

    def records(self, begin: Place) -> Iterator[Found]:
        lines = self.lines(begin)
        for line in lines:
            body = line.removeprefix(BOM).strip() if lines.place.rows == 1 else line.strip()
            if lines.place.rows == 1 and body.startswith(b"["):
                raise ImportMisused("this is one JSON array; NDJSON has a document per line: jq -c '.[]' FILE")
            if body:
                yield Found(lines.place.rows, lines.place, body)


class CsvSource(TextSource):
    """A header and rows; cells may hold line ends where they are quoted. Raises ImportMisused for an unfit header."""

    def __init__(
        self,
        stream: Binary,
        size: int,
        *,
        subject: Subject,
        mapping: FileMap,
        spelling: Spelling,
        delimiter: str | None,
        encoding: str,
    ) -> None:
        super().__init__(stream, size)
        self._encoding = _single_byte_line_ends(encoding)
        self._spelling = spelling
        self._header_lines = self.lines(BEGINNING, HEADER_BYTES_MAX)
        self._first = self._header_text()
        self.delimiter = delimiter or _best_delimiter(subject, self._first, mapping)
        self._header = next(csv.reader([self._first], delimiter=self.delimiter))
        self.layout: Layout = lay_out(subject, self._header, mapping)
        self.ignored = self.layout.ignored

    def records(self, begin: Place) -> Iterator[Found]:
        place = self._header_lines.place
        lines = Lines(self._stream, LINE_BYTES_MAX, place) if begin == BEGINNING else self.lines(begin)
        return assemble(self.layout.subject, self._rows(lines), self._spelling)

    def _header_text(self) -> str:
        line = next(self._header_lines, b"").removeprefix(BOM)
        try:
            text = line.decode(self._encoding).rstrip("\r\n")
        except UnicodeDecodeError:
            raise ImportMisused(f"the header is not {self._encoding}: try --encoding gb18030") from None
        if not text.strip():
            raise ImportMisused("the first line holds no header: name the columns there")
        return text

    def _rows(self, lines: Lines) -> Iterator[TableRow]:
        decoded = _Decoded(lines, self._encoding)
        reader = csv.reader(decoded, delimiter=self.delimiter, strict=True)
        while True:
            row = lines.place.rows + 1
            decoded.raw.clear()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield _broken(row, lines, decoded, "csv_unreadable", f"{error}: look for a quotation mark left open")
            except UnicodeDecodeError:
                detail = f"not {self._encoding}: pass --encoding, for example gb18030"
                yield _broken(row, lines, decoded, "wrong_encoding", detail)
            else:
                # Spreadsheets write the rows below the last one as delimiters alone.
                if not any(map(str.strip, cells)):
                    continue
                if len(cells) == len(self._header):
                    yield TableRow(row, lines.place, self.layout.cells(cells))
                else:
                    detail = f"{len(cells)} cells under a header of {len(self._header)}"
                    yield _broken(row, lines, decoded, "cells_mismatch", detail)


class _Decoded:
    """Lines as text. No generator: one would end at the first line that cannot be decoded, and pass over the rest."""

    def __init__(self, lines: Lines, encoding: str) -> None:
        self._lines = lines
        self._encoding = encoding
        self.raw: list[bytes] = []

    def __iter__(self) -> "_Decoded":
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.raw.append(line)
        return line.decode(self._encoding)


def _broken(row: int, lines: Lines, decoded: _Decoded, code: str, detail: str) -> TableRow:
    return TableRow(row, lines.place, fault=Fault("", code, detail), raw=b"".join(decoded.raw))


def _single_byte_line_ends(encoding: str) -> str:
    try:
        plain = "\n,".encode(encoding) == b"\n,"
    except LookupError:
        raise ImportMisused(f"there is no encoding {encoding}; common ones are utf-8 and gb18030") from None
    if not plain:
        raise ImportMisused(f"{encoding} is not read here: save the file as UTF-8")
    return encoding


def _best_delimiter(subject: Subject, header: str, mapping: FileMap) -> str:
    """The one under which most of the columns are known."""

    def known(delimiter: str) -> int:
        try:
            return len(lay_out(subject, next(csv.reader([header], delimiter=delimiter)), mapping).by_place)
        except ImportMisused:
            return 0

    return max(DELIMITERS, key=lambda delimiter: (known(delimiter), header.count(delimiter)))
