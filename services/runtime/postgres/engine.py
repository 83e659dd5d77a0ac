"""Database engines with the limits that every session of the platform has."""

from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

IDLE_IN_TRANSACTION_SECONDS = 10
STATEMENT_TIMEOUT_SECONDS = 30
LOCK_TIMEOUT_SECONDS = 5


def create_engine(url: str, *, role: str | None, schema: str, pool_size: int = 8) -> AsyncEngine:
    """`url` is `postgresql+asyncpg://…`, a socket directory as `?host=/dir`; `role` None stays the login role."""
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=10,
        # Parameters may hold personal data and would otherwise stand in every error text.
        hide_parameters=True,
        connect_args={"server_settings": _session_settings(role, schema), "timeout": 10},
    )
    event.listen(engine.sync_engine, "checkout", _refuse_a_closed_one)
    return engine


def _refuse_a_closed_one(connection: Any, _record: object, _proxy: object) -> None:
    # The driver hears of a session's end by itself; asking the server each time would cost three round trips.
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def _session_settings(role: str | None, schema: str) -> dict[str, str]:
    settings = {
        "application_name": f"loyalty-{schema}",
        "search_path": schema,
        "timezone": "UTC",
        "jit": "off",
        # A plan cached while a table was empty reads all of it for ever after; planning costs a batch next to nothing.
        "plan_cache_mode": "force_custom_plan",
        # A frozen owner must not hold rows for ever.
        "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_SECONDS}s",
        "statement_timeout": f"{STATEMENT_TIMEOUT_SECONDS}s",
        "lock_timeout": f"{LOCK_TIMEOUT_SECONDS}s",
        "tcp_keepalives_idle": "30",
        "tcp_keepalives_interval": "10",
        "tcp_keepalives_count": "3",
    }
    if role is not None:
        settings["role"] = role
    return settings
