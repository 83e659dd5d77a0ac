"""What the notifier is told from outside, beside what every service is."""

from datetime import timedelta
from typing import Literal

from pydantic import Field, SecretStr

from services.runtime.settings import ServiceSettings


class NotifierSettings(ServiceSettings):
    """Without `notifier_key` nothing can be sent: messages are planned and wait."""

    members_url: str = "http://127.0.0.1:8105"
    notifier_key: SecretStr | None = Field(default=None, description="API key with the scope contacts:read")
    notifier_lease: timedelta = Field(default=timedelta(minutes=3), ge=timedelta(seconds=1), le=timedelta(hours=1))
    birthday_horizon: timedelta = Field(default=timedelta(days=3), ge=timedelta(days=1), le=timedelta(days=60))
    smtp_host: str = "127.0.0.1"
    smtp_port: int = Field(default=25, ge=1, le=65535)
    smtp_tls: Literal["none", "starttls", "tls"] = "none"
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_from: str = Field(default="Loyalty <loyalty@localhost.localdomain>", description="address, may have a name")
