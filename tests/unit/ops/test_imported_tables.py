"""Tables of checkouts: what spreadsheets and tills do to them, and what is read."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from services.ingest.application.refusals import Fault, Unreadable
from services.ops.importing.assembling import ROWS_MAX, assemble
from services.ops.importing.found import ImportMisused, Place, TableRow
from services.ops.importing.values import Amounts, Spelling
from tests.support.checkouts import NOW, reader
from tests.support.imports import FIRST, HEADER, OTHER, SECOND, documents_of, faults_of, found_in, table

SALE = {
    "source": "pos.acme",
    "store": "0457",
    "terminal": "03",
    "business_day": "2026-03-11",
    "sequence": 1841,
    "kind": "sale",
    "occurred_at": "2026-03-11T09:24:31+08:00",
    "currency": "CNY",
    "member": {"kind": "card", "value": "0880012345678"},
    "lines": [
        {"line": 1, "sku": "latte", "category": "drinks", "quantity": "1", "net": 2640, "tax": 149},
        {"line": 2, "sku": "cake-m", "category": "food/cake", "quantity": "1", "net": 1450, "tax": 82},
    ],
    "tenders": [{"type": "card", "amount": 4090}],
}


def test_rows_that_stand_together_are_one_checkout_and_leading_zeros_stay(tmp_path: Path) -> None:
    first, second = documents_of(table(tmp_path, FIRST, SECOND, OTHER))
    assert first == SALE
    assert (second["sequence"], "member" in second) == (1842, False)


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(lambda text: b"\xef\xbb\xbf" + text.encode(), id="a byte order mark"),
        pytest.param(lambda text: text.replace("\n", "\r\n").encode(), id="line ends of Windows"),
        pytest.param(lambda text: text.replace(",", ";").encode(), id="semicolons"),
        pytest.param(lambda text: text.replace(",", "\t").encode(), id="tabs"),
        pytest.param(lambda text: text.replace("\n", "\n\n").encode(), id="empty lines"),
        pytest.param(lambda text: f"{text},,,\n{',' * HEADER.count(',')}\n".encode(), id="rows of empty cells"),
        pytest.param(lambda text: text.replace(HEADER, HEADER.upper()).encode(), id="names in capitals"),
        pytest.param(lambda text: text.rstrip("\n").encode(), id="no line end at the end"),
    ],
)
def test_a_table_is_read_however_its_program_wrote_it(tmp_path: Path, written: Callable[[str], bytes]) -> None:
    file = tmp_path / "table.csv"
    file.write_bytes(written("\n".join((HEADER, FIRST, SECOND)) + "\n"))
    assert documents_of(file) == [SALE]


def test_quoted_line_ends_and_quotation_marks_stay_in_their_cell(tmp_path: Path) -> None:
    row = FIRST.replace("latte", '"a ""large""\none, hot"') + "\n"
    found = found_in(table(tmp_path, row, OTHER))
    assert b'a \\"large\\"\\none, hot' in found[0].body
    assert [each.row for each in found] == [2, 5]


def test_a_chinese_encoding_is_read_and_a_wrong_one_is_told(tmp_path: Path) -> None:
    row = FIRST.replace("latte", "拿铁")
    file = table(tmp_path, row, encoding="gb18030")
    assert documents_of(file, encoding="gb18030")[0]["lines"][0]["sku"] == "拿铁"
    assert faults_of(file) == [(2, "", "wrong_encoding")]
    chinese = table(tmp_path, row, header=HEADER.replace("sku", "商品"), encoding="gb18030")
    with pytest.raises(ImportMisused, match="try --encoding gb18030"):
        found_in(chinese)


@pytest.mark.parametrize(
    ("cell", "damaged", "pointer", "code"),
    [
        ("0880012345678", "8.80012E+11", "/member/value", "shortened_number"),
        (",2640,", ",26.40,", "/lines/0/net", "decimal_amount"),
        (",2640,", ",zwei,", "/lines/0/net", "not_a_whole_number"),
        ("1841", "1841.0", "/sequence", "not_a_whole_number"),
        ("09:24:31+08:00", "09:24:31", "/occurred_at", "offset_missing"),
    ],
)
def test_what_a_spreadsheet_damaged_is_refused_with_its_place(
    tmp_path: Path, cell: str, damaged: str, pointer: str, code: str
) -> None:
    assert faults_of(table(tmp_path, FIRST.replace(cell, damaged))) == [(2, pointer, code)]


@pytest.mark.parametrize(
    ("amount", "currency", "amounts", "minor"),
    [
        ("14.50", "CNY", "decimal", 1450),
        ("14", "CNY", "decimal", 1400),
        ("14.5", "KWD", "decimal", 14500),
        ("1450", "JPY", "decimal", 1450),
        ("14,50", "EUR", "decimal-comma", 1450),
        ("90071992547409.93", "CNY", "decimal", 9007199254740993),
        ("14.505", "CNY", "decimal", "too_many_decimals"),
        ("14.5", "JPY", "decimal", "too_many_decimals"),
        ("1,450.00", "CNY", "decimal", "not_an_amount"),
        ("1.450", "EUR", "decimal-comma", "not_an_amount"),
        ("1.450,00", "EUR", "decimal-comma", "not_an_amount"),
    ],
)
def test_decimal_amounts_are_converted_exactly_by_the_currency_on_wish(
    tmp_path: Path, amount: str, currency: str, amounts: Amounts, minor: int | str
) -> None:
    row = OTHER.replace(",1450,82,card,1450", f',"{amount}",,card,0').replace("CNY", currency)
    (found,) = found_in(table(tmp_path, row), spelling=Spelling(amounts))
    read = found.faults[0].code if found.faults else json.loads(found.body)["lines"][0]["net"]
    assert read == minor


@pytest.mark.parametrize(
    ("time", "zone", "read"),
    [
        ("2026-03-11 09:30:00", "Asia/Shanghai", "2026-03-11T09:30:00+08:00"),
        ("2026-10-25T02:30:00", "Europe/Berlin", "2026-10-25T02:30:00+02:00"),
        ("2026-03-29T02:30:00", "Europe/Berlin", "no_such_time"),
        ("2026-03-11T09:30:00+09:00", "Asia/Shanghai", "2026-03-11T09:30:00+09:00"),
        ("9999-12-31 23:59:59", "America/New_York", "9999-12-31T23:59:59-05:00"),
    ],
)
def test_times_without_an_offset_are_those_of_the_zone_given(tmp_path: Path, time: str, zone: str, read: str) -> None:
    file = table(tmp_path, OTHER.replace("2026-03-11T09:30:00+08:00", time))
    (found,) = found_in(file, spelling=Spelling(zone=ZoneInfo(zone)))
    assert (found.faults[0].code if found.faults else json.loads(found.body)["occurred_at"]) == read


def test_a_time_that_stands_for_none_is_refused_by_the_contract_and_stops_nothing(tmp_path: Path) -> None:
    file = table(tmp_path, OTHER.replace("2026-03-11T09:30:00+08:00", "0001-01-01 00:00:00"), FIRST, SECOND)
    void, sale = found_in(file, spelling=Spelling(zone=ZoneInfo("Asia/Shanghai")))
    with pytest.raises(Unreadable) as refusal:
        reader().checkout(void.body, NOW)
    assert [fault.pointer for fault in refusal.value.faults] == ["/occurred_at"]
    assert json.loads(sale.body) == SALE


def test_rows_of_one_checkout_that_stand_apart_or_disagree_are_refused(tmp_path: Path) -> None:
    assert faults_of(table(tmp_path, FIRST, OTHER, SECOND)) == [(4, "", "rows_apart")]
    disagreeing = SECOND.replace(",,,,,2,", ",,USD,,,2,")
    assert faults_of(table(tmp_path, FIRST, disagreeing)) == [(2, "/currency", "rows_disagree")]


def test_a_row_that_cannot_be_read_takes_the_checkout_around_it_along_and_no_other(tmp_path: Path) -> None:
    faults = faults_of(table(tmp_path, FIRST, "pos.acme,0457", SECOND, OTHER))
    assert faults == [(2, "", "row_unreadable"), (3, "", "cells_mismatch")]
    assert faults_of(table(tmp_path, FIRST, SECOND, "pos.acme,0457", OTHER)) == [(4, "", "cells_mismatch")]


def test_a_checkout_before_endless_unreadable_rows_does_not_wait_for_their_end() -> None:
    read = []

    def rows() -> Iterator[TableRow]:
        yield TableRow(2, Place(1, 2), {"store": "1"})
        for row in range(3, 20_000):
            read.append(row)
            yield TableRow(row, Place(row, row), fault=Fault("", "wrong_encoding", "not utf-8"), raw=b"x")

    found = assemble("checkouts", rows(), Spelling())
    assert (next(found).row, len(read) <= ROWS_MAX) == (2, True)
    assert [each.row for each in found] == list(range(3, 20_000))


def test_a_quotation_mark_left_open_loses_no_row_silently(tmp_path: Path) -> None:
    (found,) = found_in(table(tmp_path, FIRST.replace("latte", '"latte'), SECOND, OTHER))
    assert (found.faults[0].code, found.row) == ("csv_unreadable", 2)
    assert OTHER.encode() in found.body


def test_a_tender_may_stand_in_every_row_once_or_have_no_amount_at_all(tmp_path: Path) -> None:
    header = HEADER + ",tender"
    numbered = [row.rstrip(",").removesuffix(",card,4090") + ",card,4090,1" for row in (FIRST, SECOND)]
    assert documents_of(table(tmp_path, *numbered, header=header))[0]["tenders"] == [{"type": "card", "amount": 4090}]
    without = [row.rpartition(",")[0].rpartition(",")[0] for row in (FIRST, SECOND)]
    file = table(tmp_path, *without, header=HEADER.removesuffix(",tender_type,tender_amount"))
    mapping = {"constants": {"tender_type": "other"}}
    assert documents_of(file, mapping=mapping)[0]["tenders"] == [{"type": "other", "amount": 4090}]


def test_columns_of_another_name_constants_and_values_come_by_a_map(tmp_path: Path) -> None:
    header = HEADER.replace("store", "门店").replace("kind,occ", "类型,occ").removeprefix("source,")
    rows = [row.removeprefix("pos.acme,").replace(",sale,", ",销售,") for row in (FIRST, SECOND)]
    mapping = {
        "columns": {"store": "门店", "kind": "类型"},
        "constants": {"source": "pos.acme"},
        "values": {"kind": {"销售": "sale"}},
    }
    assert documents_of(table(tmp_path, *rows, header=header), mapping=mapping) == [SALE]


@pytest.mark.parametrize(
    ("header", "mapping", "said"),
    [
        (HEADER.replace("sku", "artikel"), {}, "columns are missing: sku"),
        (HEADER.replace("sku", "line"), {}, "line is given more than once"),
        (HEADER, {"columns": {"sku": "artikel"}}, "the map names artikel"),
        (HEADER, {"constants": {"colour": "red"}}, "colour, which is no column of checkouts"),
        (HEADER, {"constants": {"store": "1"}}, "store is given more than once"),
    ],
)
def test_a_header_that_does_not_fit_is_told_before_anything_is_read(
    tmp_path: Path, header: str, mapping: dict[str, object], said: str
) -> None:
    with pytest.raises(ImportMisused, match=said):
        found_in(table(tmp_path, FIRST, header=header), mapping=mapping)


def test_an_unfit_birthday_stays_as_it_was_written_whatever_column_follows(tmp_path: Path) -> None:
    file = table(tmp_path, "0880,29.2.1992,lunar,yes", header="card,birthday,birthday_calendar,birthday_leap_month")
    (found,) = found_in(file, "members")
    assert [(fault.pointer, fault.code) for fault in found.faults] == [("/birthday", "not_a_birthday")]
    assert json.loads(found.body)["birthday"] == "29.2.1992"


def test_members_and_activities_have_columns_of_their_own(tmp_path: Path) -> None:
    members = table(
        tmp_path,
        "0880,li@example.com,李雷,1992-02-29,yes,form 7",
        "0881,,,02-29,,",
        header="card,email,name,birthday,consent_marketing_email,consent_source",
    )
    li, other = documents_of(members, "members")
    assert li == {
        "identities": [{"kind": "card", "value": "0880"}, {"kind": "email", "value": "li@example.com"}],
        "name": "李雷",
        "birthday": {"month": 2, "day": 29, "year": 1992},
        "consents": [{"purpose": "marketing", "channel": "email", "granted": True, "proof": {"source": "form 7"}}],
    }
    assert other == {"identities": [{"kind": "card", "value": "0881"}], "birthday": {"month": 2, "day": 29}}
    reviews = table(
        tmp_path,
        "card,0880,review,R-1,2026-03-11T09:24:31Z,5",
        header="member_kind,member_value,activity,reference,occurred_at,attribute.stars",
    )
    assert documents_of(reviews, "activities") == [
        {
            "member": {"kind": "card", "value": "0880"},
            "activity": "review",
            "reference": "R-1",
            "occurred_at": "2026-03-11T09:24:31+00:00",
            "attributes": {"stars": "5"},
        }
    ]
