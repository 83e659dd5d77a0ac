"""What every contract is made of: strict scalars with limits, and the base model."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer, StringConstraints

MINOR_UNITS_MAX = 10**13
POINTS_MAX = 10**15


def rfc3339(instant: datetime) -> str:
    """The one spelling of an instant in UTC: `2026-03-11T01:24:31Z`, microseconds only where there are any."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _within_years(instant: datetime) -> datetime:
    # Conversions between zones near the ends of the calendar overflow; no sale happened there.
    if not 1970 <= instant.year <= 2200:
        raise ValueError("year must be between 1970 and 2200")
    return instant


def _names_a_length(duration: str) -> str:
    if duration.endswith(("P", "T")):
        raise ValueError("a duration names at least one length, for example P12M, P14D or PT15M")
    return duration


Instant = Annotated[
    AwareDatetime, AfterValidator(_within_years), PlainSerializer(rfc3339, return_type=str, when_used="json")
]
"""A point in time with its offset; written in UTC."""

UuidText = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
"""Member and event ids: canonical lower-case UUID text."""

Sha256Text = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Token = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:\-]{0,63}$")]
"""An identifier given by a till or a marketer: source, store, terminal, rule, tier."""

Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
CategoryPath = Annotated[str, StringConstraints(pattern=r"^[^/\x00-\x1f\x7f]+(/[^/\x00-\x1f\x7f]+)*$", max_length=200)]
"""`drinks/coffee`: a category and, by prefix, everything above it."""

Quantity = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,9}(\.[0-9]{1,6})?$")]
"""A quantity as a decimal string: `1`, `0.652`."""

Locale = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z]{4})?(-[A-Z]{2})?$")]
Duration = Annotated[
    str,
    StringConstraints(pattern=r"^P(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(\d+H)?(\d+M)?(\d+S)?)?$", max_length=40),
    AfterValidator(_names_a_length),
]
"""An ISO 8601 duration such as `P12M`, `P14D`, `PT15M`."""

ShortText = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
MinorUnits = Annotated[int, Field(strict=True, ge=-MINOR_UNITS_MAX, le=MINOR_UNITS_MAX)]
"""Money in the currency's smallest step; may be negative (a rounding, a correction)."""

MinorAmount = Annotated[int, Field(strict=True, ge=0, le=MINOR_UNITS_MAX)]
Points = Annotated[int, Field(strict=True, ge=-POINTS_MAX, le=POINTS_MAX)]
Count = Annotated[int, Field(strict=True, ge=0, le=2**53 - 1)]


class Contract(BaseModel):
    """A message as it travels: immutable, unknown fields left out (a newer writer may add some)."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, use_attribute_docstrings=True)
