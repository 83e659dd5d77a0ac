from datetime import timedelta

from pydantic import Field

from services.runtime.settings import ServiceSettings


class IngestSettings(ServiceSettings):
    """Of the door alone: the country of phone numbers without one, and which attributes may leave the door."""

    phone_region: str = Field(default="CN", pattern="^[A-Z]{2}$")
    declared_attributes: tuple[str, ...] = ()
    rematch_every: timedelta = timedelta(minutes=5)
