"""Key files of a local stack."""

import base64
from pathlib import Path

from services.ops.stack.keys import ensure_keys


def test_each_key_is_32_bytes_on_one_line_for_its_owner_alone(tmp_path: Path) -> None:
    for file in map(Path, ensure_keys(tmp_path / "keys").values()):
        assert len(base64.urlsafe_b64decode(file.read_text().removesuffix("\n"))) == 32
        assert file.stat().st_mode & 0o777 == 0o600


def test_a_key_that_is_there_is_never_replaced(tmp_path: Path) -> None:
    first = {file: Path(file).read_text() for file in ensure_keys(tmp_path).values()}
    assert {file: Path(file).read_text() for file in ensure_keys(tmp_path).values()} == first
