"""Raw sensor exports (CSV) to Gold readings: nothing is guessed, nothing is dropped silently.

Physically impossible values stay, as in any Gold table; the feature store flags them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from hydro_assets.errors import SourceFileError
from hydro_assets.ingest.csv_text import CsvText, read_csv_text
from hydro_assets.ingest.gold_rows import gold_readings
from hydro_assets.ingest.timestamps import ACCEPTED, wall_clock
from hydro_assets.settings import Settings
from hydro_assets.tables import ACTUATOR_COLUMNS, ACTUATORS, REQUIRED_SENSORS, SENSOR

# Gold column -> header of a raw export (compared without case; a space counts as an underscore).
EXPORT_HEADERS: dict[str, str] = {
    "reading_id": "id",
    "timestamp_key": "timestamp",
    "system_id": "system_id",
    "ph_level": "pH",
    "tds_level": "TDS",
    "ec_level": "EC",
    "air_temperature": "DHT_temp",
    "air_humidity": "DHT_humidity",
    "water_temperature": "water_temp",
    "water_level": "water_level",
    **{column: code for column, code, _ in ACTUATORS},
}
_SPELLINGS = (str.lower, str.upper, str.capitalize)
_EMPTY = ("", *(spelling(word) for word in ("nan", "null", "none", "na", "n/a") for spelling in _SPELLINGS), "NaN")
_ON, _OFF = ("on", "true", "1", "1.0", "1.00"), ("off", "false", "0", "0.0", "0.00")
_IDENTITY = ("system_id", "timestamp_key", "reading_id", *SENSOR, "water_level", *ACTUATOR_COLUMNS)
_EARLIEST = datetime(2000, 2, 1)  # clocks without a battery begin at 1970-01-01 or 2000-01-01
_INT32 = 2**31


@dataclass(frozen=True)
class ImportedReadings:
    """`frame` in the columns of `gold.iot_data`; `notes` say plainly what the file lacked and what was done."""

    frame: pl.DataFrame
    notes: list[str]


def read_export(path: Path, system_id: str | None, ingested_at: datetime, settings: Settings) -> ImportedReadings:
    """Readings of one export file of the system `system_id` (None: the file's own column, else the default system).

    `ingested_at` (aware) becomes `ingestion_timestamp` of every row. Raises SourceFileError, which names the line and
    the value, for a file that cannot be understood as a whole: nothing of it is imported then.
    """
    text = read_csv_text(path)
    positions, notes = _match_header(text)
    raw = text.columns(positions).with_columns(_without_empties())
    frame, times_notes = _with_times(raw, text, settings.timezone)
    notes += times_notes + _clock_notes(frame, text, ingested_at)
    frame = _with_values(frame, text)
    frame, value_notes = _with_codes(frame)
    frame, system_notes = _with_system(frame, text, system_id, settings.default_system)
    gold = gold_readings(
        frame.drop("row").with_columns(
            pl.lit(ingested_at.astimezone(UTC)).alias("ingestion_timestamp"), pl.lit(text.name).alias("source_file")
        ),
        settings.crop,
    )
    once = gold.unique(_IDENTITY, keep="first", maintain_order=True)
    if repeated := len(gold) - len(once):
        value_notes.append(f"{repeated} rows occur more than once and are kept once")
    return ImportedReadings(once, notes + value_notes + system_notes)


def new_readings(incoming: pl.DataFrame, existing: pl.DataFrame) -> pl.DataFrame:
    """Rows of `incoming` whose keys and measured values are not yet in `existing`; both in Gold's columns.

    Nulls are equal to each other. A row that corrects a value of a known key is new: it arrived later and so counts.
    """
    wall_clock_as_written = pl.col("timestamp_key").dt.replace_time_zone(None)  # a stored one comes back labelled UTC
    known = existing.select(
        wall_clock_as_written.cast(incoming.schema["timestamp_key"]),
        *(pl.col(name).cast(incoming.schema[name]) for name in _IDENTITY if name != "timestamp_key"),
    )
    return incoming.join(known, on=_IDENTITY, how="anti", nulls_equal=True, maintain_order="left")


def _match_header(text: CsvText) -> tuple[dict[str, int], list[str]]:
    """Position of every Gold column that the file has."""
    found = [h.lower().replace(" ", "_") for h in text.header]
    repeated = sorted({h for h in EXPORT_HEADERS.values() if found.count(h.lower()) > 1})
    if repeated:
        raise SourceFileError(
            f"The header of {text.name} names {', '.join(repeated)} more than once", "Keep one column of each name"
        )
    positions = {gold: found.index(h.lower()) for gold, h in EXPORT_HEADERS.items() if h.lower() in found}
    needed = (("timestamp_key",), *REQUIRED_SENSORS)
    missing = [" or ".join(EXPORT_HEADERS[c] for c in group) for group in needed if not set(group) & positions.keys()]
    if missing:
        no_time = "timestamp" in missing
        raise SourceFileError(
            f"{text.name} lacks the columns {', '.join(missing)}; it has {', '.join(h for h in text.header if h)}",
            f"Add them{'; the time of each reading cannot be guessed, write it as ' + ACCEPTED if no_time else ''}",
        )
    optional = [h for gold, h in EXPORT_HEADERS.items() if gold not in positions and gold != "system_id"]
    known = {h.lower() for h in EXPORT_HEADERS.values()}
    ignored = [h for h, name in zip(text.header, found, strict=True) if h and name not in known]
    notes = [f"not in the file, so null: {', '.join(optional)}"] if optional else []
    return positions, notes + ([f"columns ignored: {', '.join(ignored)}"] if ignored else [])


def _without_empties() -> pl.Expr:
    cell = pl.all().str.strip_chars()
    return pl.when(~cell.is_in(_EMPTY)).then(cell).name.keep()


def _with_times(raw: pl.DataFrame, text: CsvText, timezone: str) -> tuple[pl.DataFrame, list[str]]:
    """`timestamp_key` parsed, rows without one left out, and `row` to find their line."""
    frame = raw.with_row_index("row")
    notes = []
    timeless = frame.filter(pl.col("timestamp_key").is_null())
    if len(timeless) == len(frame):
        raise SourceFileError(f"The column timestamp of {text.name} is empty", f"Write times as {ACCEPTED}")
    if len(timeless):
        first = text.line_of(timeless["row"][0])
        notes.append(f"{len(timeless)} rows have no timestamp and are left out, the first on line {first}")
        frame = frame.filter(pl.col("timestamp_key").is_not_null())
    times = wall_clock(frame["timestamp_key"], timezone)
    if times.problem:
        raise SourceFileError(f"In {text.name} {times.problem}", "Write dates year first: 2023-12-21 11:17:03")
    problem = _first_bad(frame, "timestamp_key", times.values.is_null(), text, "not a readable date and time")
    if problem:
        raise SourceFileError(problem, f"Write times as {ACCEPTED}")
    frame = frame.with_columns(times.values.alias("timestamp_key"))
    if times.instants is not None and times.instants.null_count() == 0:
        # The hour that a clock set back repeats is told from the first one by the order of the rows.
        frame = frame.with_columns(times.instants.alias("instant")).sort("instant", maintain_order=True).drop("instant")
    return frame, [*notes, *times.notes]


def _clock_notes(frame: pl.DataFrame, text: CsvText, ingested_at: datetime) -> list[str]:
    latest = ingested_at.astimezone(UTC).replace(tzinfo=None) + timedelta(days=1)
    wrong = frame.filter(~pl.col("timestamp_key").is_between(_EARLIEST, latest))
    if wrong.is_empty():
        return []
    first = f"{wrong['timestamp_key'][0]} on line {text.line_of(wrong['row'][0])}"
    when = f"before {_EARLIEST:%Y-%m-%d} or after the import"
    return [f"{len(wrong)} rows are stamped {when}, as by a wrong clock, the first {first}"]


def _with_values(frame: pl.DataFrame, text: CsvText) -> pl.DataFrame:
    """Sensors, codes and ids as numbers, actuators as booleans; every unreadable column in one error."""
    numeric = [c for c in (*SENSOR, "water_level") if c in frame.columns]
    switches = [c for c in ACTUATOR_COLUMNS if c in frame.columns]
    problems: list[str | None] = []
    if text.separator != "," and any(frame[c].str.contains(",", literal=True).any() for c in numeric):
        kind = "with a dot in a file of decimal commas: a thousands mark, or another decimal mark"
        dotted = frame.select(pl.col(numeric).str.contains(".", literal=True).fill_null(False))
        problems += [_first_bad(frame, c, dotted[c], text, kind) for c in numeric]
        frame = frame.with_columns(pl.col(numeric).str.replace(",", ".", literal=True))
    lower = pl.col(switches).str.to_lowercase()
    parsed = frame.with_columns(
        pl.col(numeric).cast(pl.Float64, strict=False),
        pl.when(lower.is_in(_ON)).then(True).when(lower.is_in(_OFF)).then(False).name.keep(),
    )
    problems += [
        _first_bad(frame, c, parsed[c].is_null() & frame[c].is_not_null(), text, kind)
        for columns, kind in ((numeric, "not a number"), (switches, "neither ON nor OFF"))
        for c in columns
    ]
    if any(problems):
        raise SourceFileError.of_all(
            [p for p in problems if p], "Correct these cells, or empty them if the value is unknown, and import again"
        )
    return parsed


def _first_bad(frame: pl.DataFrame, column: str, bad: pl.Series, text: CsvText, fault: str) -> str | None:
    count = int(bad.sum())
    if not count:
        return None
    first = frame.row(int(bad.arg_max() or 0), named=True)
    more = f" (and {count - 1} more)" if count > 1 else ""
    line = text.line_of(first["row"])
    return f"Line {line} of {text.name}: {EXPORT_HEADERS[column]} is '{first[column]}', {fault}{more}"


def _with_codes(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """`reading_id` and `water_level` as 32-bit integers, null where they cannot be, and notes on both."""
    notes = []
    if "reading_id" in frame.columns:
        number = frame["reading_id"].cast(pl.Float64, strict=False)
        whole = (number == number.floor()) & (number.abs() < _INT32)
        unusable = int((~whole.fill_null(False) & frame["reading_id"].is_not_null()).sum())
        if unusable:
            notes.append(f"{unusable} ids are not whole numbers of 32 bits and become null")
        ids = pl.select(pl.when(whole).then(number)).to_series().cast(pl.Int32)
        frame = frame.with_columns(ids.alias("reading_id"))
    if "water_level" in frame.columns:
        level = frame["water_level"]
        code = pl.select(pl.when(level.abs() < _INT32).then(level.round())).to_series().cast(pl.Int32)
        changed = int((level.is_not_null() & (code.cast(pl.Float64) != level).fill_null(True)).sum())
        if changed:
            notes.append(f"{changed} water levels are not whole codes and were rounded, or null where impossible")
        frame = frame.with_columns(code.alias("water_level"))
    return frame, notes


def _with_system(
    frame: pl.DataFrame, text: CsvText, system_id: str | None, default: str
) -> tuple[pl.DataFrame, list[str]]:
    """`system_id` of every row: the file's own, else the one named by the caller, else the default."""
    if system_id is not None and not system_id.strip():
        raise SourceFileError(f"The system of {text.name} has an empty name", "Name it, for example rack_1")
    fallback = (system_id or default).strip()
    if "system_id" not in frame.columns:
        return frame.with_columns(pl.lit(fallback).alias("system_id")), []
    own = frame["system_id"].drop_nulls().unique().sort().to_list()
    if system_id is not None and set(own) - {fallback}:
        raise SourceFileError(
            f"{text.name} names its own systems ({', '.join(own[:5])}) but is imported as {fallback}",
            "Leave out the system of the import, or remove the column system_id",
        )
    nameless = frame["system_id"].null_count()
    notes = [f"{nameless} rows name no system and belong to {fallback}"] if nameless else []
    return frame.with_columns(pl.col("system_id").fill_null(fallback)), notes
