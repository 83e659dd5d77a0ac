"""The services of this platform, their order and their ports."""

from pathlib import Path

import services

# Who answers others at the start comes first: the programme decides, members say who is who.
DEFAULT_PORTS = {
    "programme": 8106,
    "members": 8105,
    "ingest": 8101,
    "ledger": 8102,
    "tiering": 8103,
    "notifier": 8104,
}


def existing_services() -> tuple[str, ...]:
    root = Path(services.__path__[0])
    return tuple(name for name in DEFAULT_PORTS if (root / name / "__main__.py").exists())


def port_setting(service: str) -> str:
    return f"LOYALTY_{service.upper()}_PORT"


def url_setting(service: str) -> str:
    """Where others find it."""
    return f"LOYALTY_{service.upper()}_URL"
