"""Where the running stack says how it can be reached, so that other commands need no settings."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from services.ops.stack.bootstrap import write_private

FILE = "running.json"
DEFAULT_STATE = Path(".loyalty")


@contextmanager
def announced(state_dir: Path, env: Mapping[str, str]) -> Iterator[None]:
    """While the block runs, the settings of the stack stand in a file that only its owner can read."""
    file = state_dir / FILE
    own = {name: value for name, value in env.items() if name.startswith("LOYALTY_")}
    write_private(file, json.dumps(own, indent=1, sort_keys=True))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def adopt_running_stack(state_dir: Path = DEFAULT_STATE) -> bool:
    """Takes over the settings of the stack that runs here; what the environment sets itself stays, all or nothing."""
    file = state_dir / FILE
    if not file.exists() or any(name in os.environ for name in ("LOYALTY_KAFKA", "LOYALTY_DATABASE_URL")):
        return False
    for name, value in json.loads(file.read_text()).items():
        os.environ.setdefault(name, value)
    return True
