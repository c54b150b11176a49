"""Workbooks, JSON and Parquet through their libraries; damaged ones end in a sentence."""

from __future__ import annotations

import gzip
import json
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

import polars as pl
import pytest

from hydro_assets_tests.ingest.conftest import ExportFolder

T0 = datetime(2025, 3, 14, 8)
TIMES = [T0 + timedelta(minutes=5 * i) for i in range(6)]
PH = [6.0, 6.1, 6.2, 6.1, 6.0, 5.9]
EC = [1.5, 1.6, 1.55, 1.5, 1.45, 1.5]
ISO = [f"{t:%Y-%m-%dT%H:%M:%SZ}" for t in TIMES]
RECORDS = [{"timestamp": t, "pH": p, "ec": e} for t, p, e in zip(ISO, PH, EC, strict=True)]


def of_entity(name: str, values: list[float], named: int) -> list[dict[str, Any]]:
    return [
        {**({"entity_id": name} if i < named else {}), "state": str(v), "last_changed": t}
        for i, (t, v) in enumerate(zip(ISO, values, strict=True))
    ]


def workbook(*sheets: tuple[str, list[list[Any]]]) -> bytes:
    """A workbook, written by openpyxl."""
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets:
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    buffer = BytesIO()
    book.save(buffer)
    return buffer.getvalue()


JSON: dict[str, tuple[Any, dict[str, Any]]] = {
    "records": (RECORDS, {}),
    "records in an envelope": ({"device": {"id": 7}, "data": {"rows": RECORDS, "units": ["pH"]}}, {}),
    "nested records": ([{"timestamp": r["timestamp"], "water": {"pH": r["pH"], "EC": r["ec"]}} for r in RECORDS], {}),
    "columns": ({"time": ISO, "ph": PH, "ec": EC}, {}),
    "InfluxDB": (
        {"results": [{"series": [{"name": "rack", "columns": ["time", "ph", "ec"],
                                  "values": [list(r.values()) for r in RECORDS]}]}]}, {}),
    "ThingSpeak": (
        {"channel": {"id": 1}, "feeds": [{"created_at": r["timestamp"], "entry_id": i, "field1": str(r["pH"]),
                                          "field2": str(r["ec"])} for i, r in enumerate(RECORDS)]},
        {"map": {"pH": "field1", "EC": "field2"}}),
    "Home Assistant": ([of_entity("sensor.tank_ph", PH, 99), of_entity("sensor.tank_ec", EC, 1)], {}),
}  # fmt: skip


@pytest.mark.parametrize("name", JSON)
def test_json__of_every_shape_holds_the_same_readings(exports: ExportFolder, name: str) -> None:
    document, options = JSON[name]
    frame = exports.reads(json.dumps(document), "export.json", **options).frame
    assert frame.select("timestamp_key", "ph_level", "ec_level").rows() == list(zip(TIMES, PH, EC, strict=True))


def test_json__one_object_a_line(exports: ExportFolder) -> None:
    lines = "\n".join(json.dumps(r) for r in RECORDS)
    assert exports.reads(lines, "export.json").frame["ph_level"].to_list() == PH


def test_json__one_file_a_sensor_is_named_by_the_file(exports: ExportFolder) -> None:
    records = [{"time": t, "value": v} for t, v in zip(ISO, PH, strict=True)]
    assert exports.reads(json.dumps(records), "pH.json").frame["ph_level"].to_list() == PH
    mapped = exports.reads(json.dumps(records), "s17.json", map={"pH": "s17"})
    assert mapped.frame["ph_level"].to_list() == PH
    assert "neither its headers nor its name say which. Say which: --map pH=s17" in exports.refuses(
        json.dumps(records), "s17.json"
    )


def test_csv__one_file_a_sensor_is_named_by_the_file(exports: ExportFolder) -> None:
    rows = "time,value\n" + "".join(f"{t},{v * 1000}\n" for t, v in zip(ISO, EC, strict=True))
    frame = exports.reads(rows, "ec_us_cm.csv").frame
    assert frame["ec_level"].to_list() == pytest.approx(EC)


def test_parquet__keeps_zones_and_leaves_nested_columns(exports: ExportFolder) -> None:
    frame = pl.DataFrame({"timestamp": TIMES, "pH": PH, "tags": [["a"]] * 6})
    frame = frame.with_columns(pl.col("timestamp").dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Kolkata"))
    buffer = BytesIO()
    frame.write_parquet(buffer)
    export = exports.reads(buffer.getvalue(), "export.parquet")
    assert export.frame.select("timestamp_key", "ph_level").rows() == list(zip(TIMES, PH, strict=True))
    assert "nested columns are not read: tags" in export.notes


def test_workbook__header_below_other_rows_of_the_first_sheet_with_readings(exports: ExportFolder) -> None:
    rows = [["Logger", "7", None], ["Date", "pH", "EC (µS/cm)"]]
    rows += [[t, p, e * 1000] for t, p, e in zip(TIMES, PH, EC, strict=True)]
    book = workbook(("Info", [["north"]]), ("Data", rows), ("More", [["a", "b"], [1, 2]]))
    export = exports.reads(book, "export.xlsx")
    assert export.frame["timestamp_key"].to_list() == TIMES
    assert export.frame["ec_level"].to_list() == pytest.approx(EC)
    assert "read is the sheet Data; other sheets: Info, More (--sheet)" in export.notes
    assert "has no sheet 'Nope'; it has Info, Data, More" in exports.refuses(book, "export.xlsx", sheet="Nope")


def test_gzip__of_any_kind_is_read(exports: ExportFolder) -> None:
    assert exports.reads(gzip.compress(json.dumps(RECORDS).encode()), "a.json.gz").frame["ph_level"].to_list() == PH


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"PK\x03\x04junk", "is a damaged workbook or zip archive"),
        (b"PAR1junkPAR1", "cannot be read as Parquet"),
        (b"\x1f\x8b\x08junk", "is a damaged gzip file"),
        (b"\xd0\xcf\x11\xe0junk", "cannot be read as a workbook"),
        (b"SQLite format 3\0", "is an SQLite database"),
        (b'[{"a": 1', "is no JSON"),
        (b"[]", "holds no list of readings"),
        (b"{}", "holds no list of readings"),
        (b'{"a": [1, 2]}', "holds no list of readings"),
    ],
)
def test_read_source__a_damaged_or_foreign_file_is_a_sentence(
    exports: ExportFolder, content: bytes, sentence: str
) -> None:
    assert sentence in exports.refuses(content, "export.bin")


def test_json__of_one_list_of_times_and_values_per_sensor_holds_all_of_them(exports: ExportFolder) -> None:
    stamps = [1741939200000 + 300_000 * i for i in range(20)]
    text = json.dumps(
        {name: [{"ts": t, "value": f"{value}"} for t in stamps] for name, value in (("ph", 6), ("ec", 2))}
    )
    frame = exports.reads(text, name="telemetry.json").frame
    assert frame.select("ph_level", "ec_level").rows() == [(6.0, 2.0)] * 20
