import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

PORTS: Mapping[str, int] = MappingProxyType(
    {
        "ingest": 8101,
        "ledger": 8102,
        "tiering": 8103,
        "notifier": 8104,
        "members": 8105,
        "programme": 8106,
    }
)


class SettingsError(Exception):
    """Settings that are missing or cannot be read; the text names the environment variables, never their values."""


class ServiceSettings(BaseSettings):
    """What one process is told from outside, read once from `LOYALTY_…`; a service with more settings derives from this."""

    model_config = SettingsConfigDict(
        env_prefix="LOYALTY_", frozen=True, extra="ignore", env_ignore_empty=True
    )

    service: str
    kafka: str = Field(
        default="127.0.0.1:9092",
        description="bootstrap servers, host:port, comma-separated",
    )
    database_url: SecretStr = SecretStr("postgresql+asyncpg://127.0.0.1:5432/loyalty")
    topic_prefix: str = "loyalty."
    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    ops_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="without the role api: /livez, /readyz, /metrics; 0 = free",
    )
    pool_size: int = Field(default=8, ge=2, le=64)
    relay_shard: int = Field(default=0, ge=0)
    lead: timedelta = timedelta(minutes=15)
    log_level: str = Field(
        default="INFO", pattern="(?i)^(debug|info|warning|error|critical)$"
    )

    identity_key_file: Path | None = None
    vault_key_file: Path | None = None
    seal_key_file: Path | None = None

    kafka_security_protocol: str = "PLAINTEXT"
    kafka_sasl_mechanism: str = "PLAIN"
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_ca_file: Path | None = None
    kafka_ssl_certificate_file: Path | None = None
    kafka_ssl_key_file: Path | None = None

    @classmethod
    def load(cls, service: str, **given: Any) -> Self:
        """Reads the environment; the ports of a service are `LOYALTY_<SERVICE>_PORT` and `LOYALTY_<SERVICE>_OPS_PORT`."""
        values: dict[str, Any] = {"service": service, "port": PORTS.get(service, 0)}
        for name in ("port", "ops_port"):
            own = os.environ.get(f"LOYALTY_{service}_{name}".upper())
            values |= {name: own} if own else {}
        try:
            return cls(**(values | given))
        except ValidationError as error:
            raise SettingsError(_complaint(service, error)) from None

    def required_file(self, name: str) -> Path:
        path = getattr(self, name)
        if not isinstance(path, Path):
            raise SettingsError(
                f"LOYALTY_{name.upper()} is not set: it names a key file, `loyalty keys file PATH` makes one"
            )
        return path


def _complaint(service: str, error: ValidationError) -> str:
    faults = (
        f"LOYALTY_{'_'.join(map(str, each['loc'])).upper()}: {each['msg']}"
        for each in error.errors()
    )
    return f"settings of {service}: " + "; ".join(faults)
