import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.runtime.kafka.settings import KafkaSettings

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
    """What one process is told from outside, read once from `LOYALTY_…`; a service that needs more derives from it."""

    model_config = SettingsConfigDict(env_prefix="LOYALTY_", frozen=True, extra="ignore", env_ignore_empty=True)

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
    relay_shards: int = Field(default=1, ge=1, description="how many relays share the outbox; the same for all of them")
    lead: timedelta = timedelta(minutes=15)
    guard_recheck_seconds: float = Field(default=10.0, gt=0)
    log_level: str = Field(default="INFO", pattern="(?i)^(debug|info|warning|error|critical)$")

    identity_key_file: Path | None = None
    vault_key_file: Path | None = None
    seal_key_file: Path | None = None

    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_ca_file: Path | None = None
    kafka_ssl_certificate_file: Path | None = None
    kafka_ssl_key_file: Path | None = None

    @classmethod
    def load(cls, service: str, **given: Any) -> Self:
        """Reads the environment; a service's ports are `LOYALTY_<SERVICE>_PORT` and `LOYALTY_<SERVICE>_OPS_PORT`."""
        values: dict[str, Any] = {"service": service, "port": PORTS.get(service, 0)}
        for name in ("port", "ops_port"):
            own = os.environ.get(f"LOYALTY_{service}_{name}".upper())
            values |= {name: own} if own else {}
        try:
            return cls(**(values | given))
        except ValidationError as error:
            raise SettingsError(_complaint(service, error)) from None

    def kafka_settings(self) -> KafkaSettings:
        password = self.kafka_sasl_password
        return KafkaSettings(
            bootstrap=self.kafka,
            prefix=self.topic_prefix,
            security_protocol=self.kafka_security_protocol,
            sasl_mechanism=self.kafka_sasl_mechanism,
            sasl_username=self.kafka_sasl_username,
            sasl_password=password.get_secret_value() if password else None,
            ssl_cafile=_text(self.kafka_ssl_ca_file),
            ssl_certfile=_text(self.kafka_ssl_certificate_file),
            ssl_keyfile=_text(self.kafka_ssl_key_file),
        )

    def required_file(self, name: str) -> Path:
        path = getattr(self, name)
        if not isinstance(path, Path):
            raise SettingsError(
                f"LOYALTY_{name.upper()} is not set: it names a key file, `loyalty keys file PATH` makes one"
            )
        return path


def _text(path: Path | None) -> str | None:
    return str(path) if path else None


def _complaint(service: str, error: ValidationError) -> str:
    faults = (f"LOYALTY_{'_'.join(map(str, each['loc'])).upper()}: {each['msg']}" for each in error.errors())
    return f"settings of {service}: " + "; ".join(faults)
