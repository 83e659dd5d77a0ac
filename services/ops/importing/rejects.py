"""What could not be taken in, kept with the reasons, so that it can be mended and imported again."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from services.ingest.application.refusals import Fault
from services.ops.importing.found import Found


class Rejects:
    """An NDJSON file for its owner's eyes only, as it holds what tills and members sent; made at the first reject."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def cut(self, length: int) -> None:
        """Forgets what came behind the last bookmark: it is going to be met again."""
        if self.length > length:
            os.truncate(self.path, length)

    @property
    def length(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def add(self, file: Path, found: Found, faults: Sequence[Fault]) -> None:
        if self._descriptor is None:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(self.path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        entry = {"file": str(file), "row": found.row, "errors": errors(faults)} | _record(found.body)
        os.write(self._descriptor, json.dumps(entry, ensure_ascii=False).encode() + b"\n")

    def flush(self) -> None:
        if self._descriptor is not None:
            os.fsync(self._descriptor)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def errors(faults: Sequence[Fault]) -> list[dict[str, str]]:
    return [{"pointer": fault.pointer, "code": fault.code, "detail": fault.detail} for fault in faults]


def _record(body: bytes) -> dict[str, Any]:
    """`record` where it is a document, so that it can be taken out, mended and sent; else `text`."""
    try:
        return {"record": from_json(body, allow_inf_nan=False)}
    except ValueError:
        return {"text": body.decode(errors="replace")}
