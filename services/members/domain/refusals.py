"""What a member's state can answer instead of a change."""

from dataclasses import dataclass


class MemberRefusal(Exception):
    """The root of every refusal: nothing was changed."""


# Not frozen: the interpreter writes the traceback into an exception that passes through a context manager.
@dataclass(eq=False, kw_only=True)
class IdentityTaken(MemberRefusal):
    """Another member has this identity; only its kind is told, never its value or whose it is."""

    kind: str


@dataclass(eq=False, kw_only=True)
class IdentityNotHeld(MemberRefusal):
    """The identity to take away is not one of this member's."""

    kind: str


class MemberNumberKept(MemberRefusal):
    """The member number is given once, by us, and stays until the member leaves."""


@dataclass(eq=False, kw_only=True)
class TooManyIdentities(MemberRefusal):
    limit: int
    held: int


@dataclass(eq=False, kw_only=True)
class MemberClosed(MemberRefusal):
    """The member has left (`member_status` closed or erased); what is left of the account no longer changes."""

    member_status: str
