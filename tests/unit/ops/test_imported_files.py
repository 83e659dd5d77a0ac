"""NDJSON and Parquet, and going on in the middle of any file."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from threading import Event
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.adapters.reading import BODY_BYTES_MAX
from services.ingest.application.refusals import Unreadable
from services.ops.importing.found import BEGINNING, ImportMisused
from services.ops.importing.opening import Reading, open_source
from services.ops.importing.values import Spelling
from tests.support.checkouts import FULL_SALE, NOW, SALE, reader
from tests.support.imports import FIRST, HEADER, OTHER, SECOND, documents_of, faults_of, found_in, table

SHANGHAI = ZoneInfo("Asia/Shanghai")


def test_ndjson_is_one_document_per_line_and_empty_lines_count_as_rows(tmp_path: Path) -> None:
    file = tmp_path / "sales.ndjson"
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps(SALE).encode() + b"\r\n\n  \n" + json.dumps(FULL_SALE).encode())
    assert [(each.row, json.loads(each.body)) for each in found_in(file)] == [(1, SALE), (4, FULL_SALE)]


def test_a_line_without_end_is_cut_and_the_lines_behind_it_are_read(tmp_path: Path) -> None:
    file = tmp_path / "sales.ndjson"
    file.write_bytes(b"x" * (3 * BODY_BYTES_MAX) + b"\n" + json.dumps(SALE).encode() + b"\n")
    long, sale = found_in(file)
    assert len(long.body) == BODY_BYTES_MAX + 1
    assert (sale.row, sale.end.offset) == (2, file.stat().st_size)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("sales.json", b"[\n{}]", "one JSON array"),
        ("sales.csv", b"\x1f\x8b\x08\x00", "zcat"),
        ("sales.csv", b"PK\x03\x04", "save it as CSV UTF-8"),
        ("sales.csv", b"\xff\xfes\x00", "UTF-16"),
        ("sales.csv", b"", "no header"),
        ("sales.parquet", b"no parquet", "no Parquet file"),
        ("sales.xml", b"<a/>", "say what it is with --format"),
    ],
)
def test_a_file_of_another_kind_is_told_with_what_to_do(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ImportMisused, match=said):
        found_in(tmp_path / name)


def test_nested_parquet_holds_what_ndjson_holds(tmp_path: Path) -> None:
    file = tmp_path / "sales.parquet"
    rows = [FULL_SALE | {"attributes": {"cashier": "王芳"}}, SALE]
    pq.write_table(pa.Table.from_pylist(rows), file)
    first, second = documents_of(file)
    assert first == rows[0]
    assert {name: second[name] for name in SALE} == SALE


def test_exact_types_of_parquet_stay_exact(tmp_path: Path) -> None:
    line = {"line": 1, "sku": "tea", "quantity": Decimal("0.652"), "net": Decimal("14.50")}
    row = SALE | {
        "occurred_at": datetime.fromisoformat("2026-03-11T09:24:31.250"),
        "business_day": date(2026, 3, 11),
        "lines": [line],
        "tenders": [{"type": "card", "amount": Decimal("14.50")}],
    }
    file = tmp_path / "sales.parquet"
    pq.write_table(pa.Table.from_pylist([row]), file)
    (read,) = documents_of(file, spelling=Spelling("decimal", SHANGHAI))
    assert read["lines"] == [{"line": 1, "sku": "tea", "quantity": "0.652", "net": 1450}]
    assert (read["occurred_at"], read["business_day"]) == ("2026-03-11T09:24:31.250000+08:00", "2026-03-11")
    assert faults_of(file) == [
        (1, "/occurred_at", "offset_missing"),
        (1, "/lines/0/net", "decimal_amount"),
        (1, "/tenders/0/amount", "decimal_amount"),
    ]


def test_a_list_of_attributes_is_not_taken_for_a_map(tmp_path: Path) -> None:
    file = tmp_path / "sales.parquet"
    pq.write_table(pa.Table.from_pylist([SALE | {"attributes": [{"key": "cashier", "value": "7"}]}]), file)
    (found,) = found_in(file)
    with pytest.raises(Unreadable) as refusal:
        reader().checkout(found.body, NOW)
    assert [fault.pointer for fault in refusal.value.faults] == ["/attributes"]


def test_a_parquet_time_beyond_the_calendar_is_told(tmp_path: Path) -> None:
    beyond = pa.array([253_402_300_800_000_000], pa.int64()).cast(pa.timestamp("us", "UTC"))
    sales = pa.Table.from_pylist([{"lines": [{"line": 1}]}]).append_column("occurred_at", beyond)
    pq.write_table(sales, tmp_path / "sales.parquet")
    with pytest.raises(ImportMisused, match="row group 0 of the Parquet file cannot be read: date value out of range"):
        found_in(tmp_path / "sales.parquet")


def test_flat_parquet_is_a_table_and_a_number_that_lost_its_zeros_is_refused(tmp_path: Path) -> None:
    columns: dict[str, Any] = dict(
        zip(HEADER.split(","), zip(*(row.split(",") for row in (FIRST, SECOND)), strict=True), strict=True)
    )
    columns |= {"net": [2640, 1450], "tender_amount": [float("nan"), 4090], "occurred_at": [instant(), instant()]}
    pq.write_table(pa.table(columns | {"tender_amount": pa.array([None, 4090], pa.int64())}), tmp_path / "a.parquet")
    (sale,) = documents_of(tmp_path / "a.parquet")
    assert (sale["occurred_at"], sale["tenders"]) == ("2026-03-11T01:24:31+00:00", [{"type": "card", "amount": 4090}])
    pq.write_table(pa.table(columns | {"store": [457, 457]}), tmp_path / "b.parquet")
    assert faults_of(tmp_path / "b.parquet") == [
        (1, "/store", "number_for_text"),
        (1, "/tenders/0/amount", "decimal_amount"),
    ]


@given(st.data())
def test_from_any_place_on_the_rest_of_a_file_is_read(files: list[Path], data: st.DataObject) -> None:
    file = data.draw(st.sampled_from(files))
    whole = found_in(file)
    done = data.draw(st.integers(min_value=0, max_value=len(whole) - 1))
    with open_source(file, Reading("checkouts"), Event()) as source:
        assert list(source.records(whole[done].end)) == whole[done + 1 :]
        assert source.share(BEGINNING) == 0
        assert source.share(whole[-1].end) > 0.99


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return some_files(tmp_path_factory.mktemp("files"))


def some_files(directory: Path) -> list[Path]:
    sales = [SALE | {"sequence": number} for number in range(7)]
    ndjson = directory / "a.ndjson"
    ndjson.write_text("".join(f"{json.dumps(sale)}\n\n" for sale in sales))
    quoted = FIRST.replace("latte", '"lat\nte"')
    rows = [quoted, SECOND, OTHER, "short", OTHER.replace("1842", "1843"), "a," * 17, OTHER.replace("1842", "1844")]
    nested, flat = directory / "a.parquet", directory / "b.parquet"
    pq.write_table(pa.Table.from_pylist(sales), nested, row_group_size=3)
    cells = zip(*(row.split(",") for row in (FIRST, SECOND, OTHER)), strict=True)
    pq.write_table(pa.table(dict(zip(HEADER.split(","), cells, strict=True))), flat, row_group_size=2)
    return [ndjson, table(directory, *rows), nested, flat]


def instant() -> datetime:
    return datetime(2026, 3, 11, 1, 24, 31, tzinfo=UTC)
