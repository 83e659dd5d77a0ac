"""The settings of the stack that runs here, so that other commands need none."""

import os
import shlex
from pathlib import Path

DEFAULT_STATE = Path(".loyalty")
FILE = "env"
CHOSEN_BY_HAND = ("LOYALTY_KAFKA", "LOYALTY_DATABASE_URL")


def adopt_running_stack(state_dir: Path = DEFAULT_STATE) -> bool:
    """Takes over what the running stack wrote down, unless the environment names servers of its own."""
    file = state_dir / FILE
    if not file.exists() or any(name in os.environ for name in CHOSEN_BY_HAND):
        return False
    for line in file.read_text().splitlines():
        name, _, value = line.removeprefix("export ").partition("=")
        os.environ.setdefault(name, "".join(shlex.split(value)))
    return True
