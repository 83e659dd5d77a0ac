"""One stack per state directory: a lock that the kernel drops with its holder, and who holds it."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from services.ops.stack.errors import AlreadyRunning
from services.ops.stack.processes import started_at


@contextmanager
def only_one(state_dir: Path) -> Iterator[None]:
    """Raises AlreadyRunning with the holder's pid and start."""
    state_dir.mkdir(parents=True, exist_ok=True)
    with (state_dir / "lock").open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(_who(state_dir)) from None
        handle.truncate(0)
        handle.write(json.dumps({"pid": os.getpid(), "started_at": started_at(os.getpid())}))
        handle.flush()
        yield


def _who(state_dir: Path) -> str:
    try:
        holder = json.loads((state_dir / "lock").read_text())
        since = datetime.fromtimestamp(holder["started_at"], UTC).astimezone()
        name = f"pid {holder['pid']}, since {since:%Y-%m-%d %H:%M:%S}"
    except (ValueError, KeyError, TypeError):
        name = "it has only just begun"
    return f"The stack in {state_dir} is already running ({name}). Stop it there, or choose another --state-dir."
