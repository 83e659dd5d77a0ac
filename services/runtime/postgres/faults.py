"""What a database error means: worth another try, or which constraint it hit."""

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

# Serialisation, deadlock, lock and statement limits, shutdown and start-up, out of connections, idle cut-off.
_RETRIED_STATES = frozenset({"40001", "40P01", "55P03", "57014", "57P01", "57P02", "57P03", "53300", "25P03", "25P04"})
_SESSION_ENDED = frozenset({"57P01", "57P02", "25P03", "25P04"})
_CONNECTION_CLASS = "08"


def is_transient(error: BaseException) -> bool:
    """True where the same work may succeed on a new connection or a moment later."""
    state = sqlstate(error)
    if state is not None:
        return state in _RETRIED_STATES or state.startswith(_CONNECTION_CLASS)
    return is_connection_lost(error) or isinstance(error, PoolTimeout)


def is_connection_lost(error: BaseException) -> bool:
    """True where the session is gone, so that an answer to what was last sent will never come."""
    state = sqlstate(error)
    if state is not None and (state in _SESSION_ENDED or state.startswith(_CONNECTION_CLASS)):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return any(_is_broken_link(cause) for cause in _causes(error))


def sqlstate(error: BaseException) -> str | None:
    for cause in _causes(error):
        state = getattr(cause, "sqlstate", None)
        if isinstance(state, str):
            return state
    return None


def violated_constraint(error: BaseException) -> str | None:
    """The name of the unique, check or foreign key constraint that refused the statement, if one did."""
    for cause in _causes(error):
        name = getattr(cause, "constraint_name", None)
        if isinstance(name, str):
            return name
    return None


def _is_broken_link(error: BaseException) -> bool:
    # asyncpg has one class for a closed connection and for its misuse; only the text tells them apart.
    return isinstance(error, OSError) or (isinstance(error, asyncpg.InterfaceError) and "closed" in str(error))


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in found:
        found.append(current)
        current = getattr(current, "orig", None) or current.__cause__
    return found
