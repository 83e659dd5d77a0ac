import hashlib
import hmac
import re
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from uuid import UUID

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from services.runtime.key_files import read_key_file

VALUE_LIMIT_CHARACTERS = 256
DEFAULT_REGION = "CN"


class IdentityDigests:
    """Keyed digests (HMAC-SHA-256, 32 bytes) of identities: equal values meet where neither is held."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def from_file(cls, path: Path | str) -> "IdentityDigests":
        return cls(read_key_file(path))

    def digest(self, kind: str, normalised_value: str) -> bytes:
        message = kind.encode() + b"\0" + normalised_value.encode()
        return hmac.new(self._key, message, hashlib.sha256).digest()


def normalise(kind: str, value: str, region: str = DEFAULT_REGION) -> str:
    """One spelling for each identity; ValueError (which never quotes the value) where there is none."""
    rule = _RULES.get(kind)
    if rule is None:
        raise ValueError(f"unknown identity kind; known are {', '.join(sorted(_RULES))}")
    text = unicodedata.normalize("NFKC", value).strip()
    if not text or len(text) > VALUE_LIMIT_CHARACTERS:
        raise ValueError(f"an identity has 1 to {VALUE_LIMIT_CHARACTERS} characters")
    if any(unicodedata.category(character)[0] == "C" for character in text):
        raise ValueError("an identity has no control characters")
    return rule(text, region)


def _member(text: str, _region: str) -> str:
    number = re.sub(r"[\s-]+", "", text)
    if re.fullmatch(r"[0-9]{12}", number):
        return number
    try:
        return str(UUID(text))
    except ValueError as error:
        raise ValueError("a member is named by an id (UUID) or a number of twelve digits") from error


def _card(text: str, _region: str) -> str:
    card = re.sub(r"[\s-]+", "", text).upper()
    if not card:
        raise ValueError("a card number has letters or digits")
    return card


def _phone(text: str, region: str) -> str:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException as error:
        raise ValueError("not a phone number") from error
    if not phonenumbers.is_possible_number(number):
        raise ValueError("not a phone number that its country could have given")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _email(text: str, _region: str) -> str:
    try:
        return validate_email(text, check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        # The library's message quotes the address, and so would a chained cause in a log.
        raise ValueError("not an e-mail address") from None


def _as_given(text: str, _region: str) -> str:
    return text


_RULES: Mapping[str, Callable[[str, str], str]] = MappingProxyType(
    {
        "member": _member,
        "card": _card,
        "phone": _phone,
        "email": _email,
        "app": _as_given,
        "wechat": _as_given,
        "external": _as_given,
    }
)
