from datetime import timedelta
from pathlib import Path

import pytest

from services.runtime.settings import PORTS, ServiceSettings, SettingsError


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("LOYALTY_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize("service", sorted(PORTS))
def test_every_service_has_a_port_of_its_own_on_this_machine(service: str) -> None:
    settings = ServiceSettings.load(service)
    assert (settings.host, settings.port) == ("127.0.0.1", PORTS[service])
    assert len(set(PORTS.values())) == len(PORTS)


def test_a_port_is_set_for_one_service_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOYALTY_LEDGER_PORT", "9000")
    monkeypatch.setenv("LOYALTY_LEDGER_OPS_PORT", "9001")
    assert (ServiceSettings.load("ledger").port, ServiceSettings.load("ledger").ops_port) == (9000, 9001)
    assert ServiceSettings.load("ingest").port == PORTS["ingest"]


def test_kafka_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOYALTY_KAFKA", "k1:9092,k2:9092")
    monkeypatch.setenv("LOYALTY_TOPIC_PREFIX", "acme.")
    monkeypatch.setenv("LOYALTY_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("LOYALTY_KAFKA_SASL_PASSWORD", "hidden")
    settings = ServiceSettings.load("ledger")
    kafka = settings.kafka_settings()
    assert (kafka.bootstrap, kafka.prefix, kafka.security_protocol) == ("k1:9092,k2:9092", "acme.", "SASL_SSL")
    assert kafka.sasl_password == "hidden"
    assert "hidden" not in repr(settings)


def test_the_database_url_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOYALTY_DATABASE_URL", "postgresql+asyncpg://u:hidden@h/d")
    settings = ServiceSettings.load("ledger")
    assert settings.database_url.get_secret_value().endswith("h/d")
    assert "hidden" not in repr(settings)


def test_a_lead_is_written_as_an_iso_duration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOYALTY_LEAD", "PT30M")
    assert ServiceSettings.load("ledger").lead == timedelta(minutes=30)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOYALTY_LEDGER_PORT", "high"),
        ("LOYALTY_POOL_SIZE", "0"),
        ("LOYALTY_KAFKA_SECURITY_PROTOCOL", "HOPE"),
        ("LOYALTY_LOG_LEVEL", "loud"),
    ],
)
def test_a_setting_that_cannot_be_read_is_named_and_not_quoted(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refusal:
        ServiceSettings.load("ledger")
    assert name.replace("LEDGER_", "") in str(refusal.value).replace("LEDGER_", "")


def test_a_key_file_that_is_not_set_is_asked_for_by_its_variable() -> None:
    with pytest.raises(SettingsError, match="LOYALTY_SEAL_KEY_FILE"):
        ServiceSettings.load("ledger").required_file("seal_key_file")


def test_a_key_file_that_is_set_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOYALTY_SEAL_KEY_FILE", "/run/keys/seal")
    assert ServiceSettings.load("ledger").required_file("seal_key_file") == Path("/run/keys/seal")


def test_settings_do_not_change_while_a_process_runs() -> None:
    settings = ServiceSettings.load("ledger")
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1  # type: ignore[misc]


def test_a_service_may_have_settings_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    class OwnSettings(ServiceSettings):
        hold_limit: int = 5

    monkeypatch.setenv("LOYALTY_HOLD_LIMIT", "7")
    assert OwnSettings.load("ledger").hold_limit == 7
