"""Key files of a local stack: 32 random bytes each, readable by their owner alone."""

import secrets
from pathlib import Path

from services.runtime.key_files import write_key_file

SETTINGS = {
    "LOYALTY_IDENTITY_KEY_FILE": "identity.key",
    "LOYALTY_VAULT_KEY_FILE": "vault.key",
    "LOYALTY_SEAL_KEY_FILE": "seal.key",
}


def ensure_keys(directory: Path) -> dict[str, str]:
    """Makes what is missing, never replaces; the answer maps each setting to its file."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    directory.chmod(0o700)
    for name in SETTINGS.values():
        _ensure_key(directory / name)
    return {setting: str(directory / name) for setting, name in SETTINGS.items()}


def _ensure_key(file: Path) -> None:
    if file.exists():
        return
    # Written beside and renamed: a key cut off by a crash would lock its data away for ever.
    scratch = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    write_key_file(scratch)
    scratch.rename(file)
