"""The words for why a partition stands still, without anything that a record said."""

import traceback
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from services.runtime.errors import Fenced, HaltError, Transient
from services.runtime.postgres.faults import sqlstate, violated_constraint

_OWN_WORDS = (AssertionError, Fenced, HaltError, Transient)


def describe(error: BaseException) -> str:
    """Type, place and, where the words are our own, the message: others may quote personal data."""
    parts = [type(error).__name__]
    if isinstance(error, _OWN_WORDS) or type(error).__module__.startswith("services."):
        parts.append(str(error))
    state, constraint = sqlstate(error), violated_constraint(error)
    if state is not None or isinstance(error, SQLAlchemyError):
        parts.append(f"SQLSTATE {state}" + (f", constraint {constraint}" if constraint else ""))
    return ": ".join(part for part in parts if part) + _place(error)


def _place(error: BaseException) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "site-packages" not in frame.filename]
    if not frames:
        return ""
    return f" ({Path(frames[-1].filename).name}:{frames[-1].lineno} in {frames[-1].name})"
