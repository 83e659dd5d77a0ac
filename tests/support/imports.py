"""Files as shops have them, and what `loyalty import` reads of them."""

import json
from pathlib import Path
from threading import Event
from typing import Any

from services.ops.importing.columns import FileMap, Subject
from services.ops.importing.found import BEGINNING, Found
from services.ops.importing.opening import Reading, open_source

HEADER = (
    "source,store,terminal,business_day,sequence,kind,occurred_at,currency,member_kind,member_value,"
    "line,sku,category,quantity,net,tax,tender_type,tender_amount"
)
FIRST = (
    "pos.acme,0457,03,2026-03-11,1841,sale,2026-03-11T09:24:31+08:00,CNY,card,0880012345678,1,latte,drinks,1,2640,149,,"
)
SECOND = "pos.acme,0457,03,2026-03-11,1841,sale,,,,,2,cake-m,food/cake,1,1450,82,card,4090"
OTHER = "pos.acme,0457,03,2026-03-11,1842,sale,2026-03-11T09:30:00+08:00,CNY,,,1,cake-m,food/cake,1,1450,82,card,1450"


def found_in(file: Path, subject: Subject = "checkouts", **reading: Any) -> list[Found]:
    mapping = FileMap.model_validate(reading.pop("mapping", {}))
    with open_source(file, Reading(subject, mapping=mapping, **reading), Event()) as source:
        return list(source.records(BEGINNING))


def documents_of(file: Path, subject: Subject = "checkouts", **reading: Any) -> list[dict[str, Any]]:
    """Of a file in which every record can be read."""
    found = found_in(file, subject, **reading)
    assert [each.faults for each in found if each.faults] == []
    return [json.loads(each.body) for each in found]


def faults_of(file: Path, subject: Subject = "checkouts", **reading: Any) -> list[tuple[int, str, str]]:
    """Row, pointer and code."""
    return [
        (each.row, fault.pointer, fault.code) for each in found_in(file, subject, **reading) for fault in each.faults
    ]


def table(directory: Path, *rows: str, header: str = HEADER, name: str = "table.csv", encoding: str = "utf-8") -> Path:
    file = directory / name
    file.write_bytes("".join(f"{row}\n" for row in (header, *rows)).encode(encoding))
    return file
