"""What another of our services wrote may be of a newer release than this one."""

from collections.abc import Callable
from typing import TypeVar

from pydantic import ValidationError

from services.runtime.errors import NewerReleaseNeeded

T = TypeVar("T")


def read_own(read: Callable[[bytes], T], body: bytes, what: str) -> T:
    """`read` is a contract's; NewerReleaseNeeded where it refuses the body, which is `what`."""
    try:
        return read(body)
    except ValidationError as error:
        raise newer_release_needed(error, what) from None


def newer_release_needed(error: ValidationError, what: str) -> NewerReleaseNeeded:
    """The writer has kept to its own contract, so ours is older; told is the first place, never a value."""
    first = error.errors(include_input=False, include_context=False, include_url=False)[0]
    place = "".join(f"/{step}" for step in first["loc"])
    return NewerReleaseNeeded(what, f"{place or 'its form'} ({first['type']})")
