"""Workbooks, JSON and Parquet as tables of text, read by their libraries; no foreign error reaches the user."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any

import polars as pl

from hydro_assets.errors import SourceFileError
from hydro_assets.ingest.delimited import Record, table_of_records
from hydro_assets.ingest.profile import Profile
from hydro_assets.ingest.table import TextTable, table_of


def read_workbook(data: bytes, name: str, profile: Profile) -> TextTable:
    """The first sheet with rows, or the one of the profile; its header is found as in a text file."""
    import fastexcel

    try:
        book = fastexcel.read_excel(data)
        if profile.sheet is not None and profile.sheet not in book.sheet_names:
            raise SourceFileError(
                f"{name} has no sheet '{profile.sheet}'; it has {', '.join(book.sheet_names)}", "Name one with --sheet"
            )
        for sheet in [profile.sheet] if profile.sheet else book.sheet_names:
            frame = book.load_sheet(sheet, header_row=None, dtypes="string").to_polars()
            if frame.height > 1:
                break
        else:
            raise SourceFileError(f"{name} holds no sheet with readings", "Export the readings again")
    except fastexcel.FastExcelError as exc:
        raise SourceFileError(
            f"{name} cannot be read as a workbook ({_first_line(exc)})", "Save it as .xlsx or CSV"
        ) from exc
    rows = (tuple(cell or "" for cell in cells) for cells in frame.iter_rows())
    records = [Record(line, cells, ",".join(cells)) for line, cells in enumerate(rows, start=1)]
    layout = [("sheet", sheet or "")]
    others = [s for s in book.sheet_names if s != sheet]
    notes = [f"read is the sheet {sheet}; other sheets: {', '.join(others)} (--sheet)"] if others else []
    return table_of_records(records, name, profile, layout, notes, decimal_comma=None)


def read_parquet(data: bytes, name: str) -> TextTable:
    """Columns of a Parquet file; times in ISO 8601, with their offset where they have a zone."""
    try:
        frame = pl.read_parquet(BytesIO(data))
    except pl.exceptions.PolarsError as exc:
        raise SourceFileError(f"{name} cannot be read as Parquet ({_first_line(exc)})", "Copy it again") from exc
    nested = [c for c, kind in frame.schema.items() if kind.is_nested() or kind == pl.Binary]
    frame = frame.drop(nested)
    if frame.is_empty():
        raise SourceFileError(f"{name} holds no readings", "Export the readings again")
    text = frame.select(_as_text(c, kind).alias(str(i)) for i, (c, kind) in enumerate(frame.schema.items()))
    lines = pl.Series(range(1, frame.height + 1), dtype=pl.Int64)
    notes = (f"nested columns are not read: {', '.join(nested)}",) if nested else ()
    return TextTable(name, tuple(frame.columns), text, lines, layout=(("kind", "Parquet"),), notes=notes)


def _as_text(column: str, kind: pl.DataType) -> pl.Expr:
    if isinstance(kind, pl.Datetime):
        return pl.col(column).dt.strftime("%Y-%m-%dT%H:%M:%S%.6f%:z" if kind.time_zone else "%Y-%m-%d %H:%M:%S%.6f")
    return pl.col(column).cast(pl.String, strict=False)


def read_json(text: str, name: str) -> TextTable:
    """Records of a JSON document, of one JSON object a line, or of columns of equal length; nested names by dots."""
    try:
        document: Any = json.loads(text)
    except json.JSONDecodeError as first:
        try:
            document = [json.loads(line) for line in text.splitlines() if line.strip()]
        except json.JSONDecodeError as exc:
            problem = exc if len(text.splitlines()) > 1 and text.lstrip()[0] == "{" else first
            raise SourceFileError(
                f"{name} is no JSON: {problem.msg} on line {first.lineno}", "Export it again"
            ) from exc
    records = _records_in(document)
    if not records:
        raise SourceFileError(
            f"{name} holds no list of readings",
            'Write records, for example [{"timestamp": "2023-12-21T11:17:03Z", "pH": 6.1}], or export CSV',
        )
    header = list(dict.fromkeys(key for record in records for key in record))
    rows = [[_cell(record.get(key)) for key in header] for record in records]
    return table_of(name, header, rows, layout=(("kind", "JSON"),))


def _records_in(document: Any) -> list[dict[str, Any]]:
    """The longest list of records in a document."""
    found = max(_candidates(document), key=len, default=[])
    return [dict(_flat(record)) for record in found]


def _candidates(node: Any) -> Iterator[list[dict[str, Any]]]:
    if isinstance(node, Mapping):
        fields = node.get("channel")  # ThingSpeak says there what its field1 .. field8 are
        if isinstance(fields, Mapping) and isinstance(node.get("feeds"), list):
            yield [{fields.get(k, k) if str(k).startswith("field") else k: v for k, v in r.items()}
                   for r in node["feeds"] if isinstance(r, Mapping)]  # fmt: skip
        series = {k: v for k, v in node.items() if isinstance(v, list) and v and all(_is_timed(r) for r in v)}
        if len(series) > 1:  # ThingsBoard: one list of times and values per name
            yield [{"series": k, "time": r["ts"], "value": r["value"]} for k, rows in series.items() for r in rows]
        names, values = node.get("columns"), node.get("values")
        if isinstance(names, list) and isinstance(values, list) and values and isinstance(values[0], list):
            yield [{**node.get("tags", {}), **dict(zip(names, row, strict=False))} for row in values]
        lists = {k: v for k, v in node.items() if isinstance(v, list) and v and not isinstance(v[0], Mapping | list)}
        if len(lists) > 1 and len({len(v) for v in lists.values()}) == 1:
            yield [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
        for value in node.values():
            yield from _candidates(value)
    elif isinstance(node, list) and node:
        if all(isinstance(item, Mapping) for item in node):
            if all(
                isinstance(i.get("metric"), Mapping) and isinstance(i.get("values"), list) for i in node
            ):  # Prometheus
                yield [{"series": i["metric"].get("__name__", ""), "time": pair[0], "value": pair[1]}
                       for i in node for pair in i["values"]]  # fmt: skip
            yield list(node)
        elif all(isinstance(item, list) for item in node):
            # One list per sensor; Home Assistant names the entity only in the first record of each.
            groups = [[r for r in item if isinstance(r, Mapping)] for item in node]
            yield [
                {**({"entity_id": group[0]["entity_id"]} if "entity_id" in group[0] else {}), **record}
                for group in groups
                if group
                for record in group
            ]
        for item in node:
            yield from _candidates(item)


def _is_timed(record: Any) -> bool:
    return isinstance(record, Mapping) and {"ts", "value"} <= record.keys()


def _flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in record.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif not isinstance(value, list):
            yield f"{prefix}{key}", value


def _cell(value: Any) -> str | None:
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def _first_line(error: Exception) -> str:
    lines: Sequence[str] = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0]
