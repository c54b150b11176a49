"""What Gold must be. A bad cell is flagged later and stops nothing; a broken day or a wrong column does.

Structural faults are errors: no timestamp, a row in the wrong partition, a sensor in another unit, two systems under
one name, a day without any value. Faults of single cells and of probes are warnings: the feature table keeps the row,
makes the cell null and says why.
"""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from hydro_assets.durations import duration_text
from hydro_assets.ingest.cadence import finest_step, is_filled, judged_sensors, sensor_cadences
from hydro_assets.ingest.merge import merge_instants
from hydro_assets.ingest.report import placeholder
from hydro_assets.quality.finding import Finding, share_finding
from hydro_assets.settings import Settings
from hydro_assets.tables import REQUIRED_SENSORS, SENSOR, ZERO_IS_PLACEHOLDER

# Half of a sensor's cells: no probe fault does that within a day, another unit or a swapped column does.
WRONG_COLUMN_SHARE = 0.5
# A probe in another unit does not give one value again and again.
DEAD_PROBE_SHARE = 0.9
# Half of the instants with two different readings: not corrections, but two systems under one name.
MIXED_SYSTEMS_SHARE = 0.5
INCOMPLETE_SHARE = 0.05
# A glitch now and then is a probe's nature, and flagged in the feature table.
GLITCH_SHARE = 0.01
FEWEST_DAYS = 2


def day_findings(readings: pl.DataFrame, day: date) -> list[Finding]:
    """Judge the rows of `gold.iot_data` of one wall-clock day. Every error means: do not build features from it."""
    if readings.is_empty():
        return [Finding("arrived", False, "warn", f"Gold has no reading on {day}")]
    if "timestamp_key" not in readings.columns or not _sensors(readings):
        text = f"Gold has the columns {', '.join(readings.columns)}: it needs timestamp_key and at least one sensor"
        return [Finding("columns", False, "error", text)]
    readings = _in_force(readings)
    return [
        Finding("arrived", True, "warn", f"{readings.height:,} readings on {day}", {"readings": readings.height}),
        _own_day(readings, day),
        _duplicates(readings),
        *ranges(readings),
        *completeness(_merged(readings)),
    ]


def _in_force(readings: pl.DataFrame) -> pl.DataFrame:
    """Without the rows that a later arrival of the same reading corrects: a mended day is judged as mended.

    The same reading has the same id, or without ids comes from a file of the same name: another file may be another
    system's.
    """
    if "ingestion_timestamp" not in readings.columns:
        return readings
    names = [pl.format("{} {}", pl.lit(c), c) for c in ("reading_id", "source_file") if c in readings.columns]
    alone = pl.format("row {}", pl.int_range(pl.len()))
    place = [c for c in ("system_id", "timestamp_key") if c in readings.columns]
    latest = pl.col("ingestion_timestamp").max().over(*place, pl.coalesce(*names, alone))
    return readings.filter(pl.col("ingestion_timestamp").eq_missing(latest))


def _merged(readings: pl.DataFrame) -> pl.DataFrame:
    """One row per instant where the rows agree: a row of pH and another of RH are one complete reading."""
    keys = [c for c in ("system_id", "timestamp_key") if c in readings.columns]
    return merge_instants(readings, keys).frame


def enough_history(records: int, first: date, last: date, settings: Settings) -> list[Finding]:
    """Judge the size of Gold: `records` readings from `first` to `last` (days, inclusive)."""
    days = (last - first).days + 1
    least = settings.minimum_records
    return [
        Finding(
            "minimum_records",
            records >= least,
            "error",
            f"Gold has {records:,} readings, {'at least' if records >= least else 'fewer than'} the {least:,} needed",
            {"records": records},
        ),
        Finding(
            "span",
            days >= FEWEST_DAYS,
            "warn",
            f"Gold covers {days} days, {first} to {last}"
            + ("" if days >= FEWEST_DAYS else ": models need several days to know one day from another"),
            {"days": days},
        ),
    ]


def ranges(readings: pl.DataFrame) -> list[Finding]:
    """Share of each sensor's known cells that are physically impossible; placeholders (0, -127, ...) do not count.

    Another unit or a swapped column stops; a dead probe, which repeats one impossible value, and a sensor
    that no farm is required to have do not: their cells become null.
    """
    found = []
    for name in _sensors(readings):
        known = readings[name].drop_nulls()
        outside = known.filter(~_possible(name, known) & ~placeholder(name, known))
        share = len(outside) / len(known) if len(known) else 0.0
        sensor = SENSOR[name]
        extremes = f" ({outside.min():g} to {outside.max():g})" if len(outside) else ""
        text = f"of {len(known):,} {name} cells lie outside {sensor.range_text} {sensor.unit}{extremes}"
        stops_above = WRONG_COLUMN_SHARE
        if share > WRONG_COLUMN_SHARE:
            is_dead = outside.value_counts()["count"].max() > DEAD_PROBE_SHARE * len(outside)  # type: ignore[operator]
            text += ": a dead probe, null in the features" if is_dead else "; another unit or a swapped column"
            if is_dead or not any(name in group for group in REQUIRED_SENSORS):
                stops_above = 1.0
        found.append(share_finding(f"{name}_range", text, share, GLITCH_SHARE, stops_above, {"cells": len(outside)}))
    return found


def measured(readings: pl.DataFrame) -> list[str]:
    """Sensors with at least one usable value."""
    return [name for name in _sensors(readings) if readings.select(_usable(name).any()).item()]


def completeness(readings: pl.DataFrame) -> list[Finding]:
    """Share of rows without a usable value of each required quantity, and whether there is any value at all."""
    found, empty = [], []
    for group in REQUIRED_SENSORS:
        have = [n for n in group if n in readings.columns]
        label = " or ".join(group)
        usable = pl.any_horizontal(*(_usable(n) for n in have)) if have else pl.lit(False)
        share = 1 - readings.select(usable.sum()).item() / readings.height if have else 1.0
        if share == 1.0:
            empty.append(label)
        text = f"of {readings.height:,} readings have no usable {label}" + ("" if have else " (no such column)")
        found.append(share_finding(f"{group[0]}_complete", text, share, INCOMPLETE_SHARE, 1.0))
    some = len(empty) < len(REQUIRED_SENSORS)
    sentence = "at least one required quantity is measured" if some else f"No usable value of {', '.join(empty)} at all"
    return [*found, Finding("any_value", some, "error", sentence)]


def cadence(readings: pl.DataFrame, settings: Settings) -> list[Finding]:
    """How often the sensors of each system are read, against the grid step: the rule of import and run.

    Judged is the target, in a system without it the most frequent sensor; slower ones are named.
    """
    step, found = settings.feature_step, []
    cadences = sensor_cadences(readings, settings.default_system)
    judged = judged_sensors(cadences, settings.target_col)
    for system, distance in judged.select("system_id", "every").iter_rows():
        rows = cadences.filter(pl.col("system_id") == system)
        ok = is_filled(step, distance)
        never = distance > settings.gap_limit
        text = f"{system} is read every {_seconds(distance)}, the grid step is {_seconds(step)}"
        if not ok:
            text += f": most steps stay empty; set HYDRO_FEATURE_STEP={duration_text(finest_step(distance))}"
        slow = {
            n: every for n, every in rows.select("sensor", "every").iter_rows() if ok and not is_filled(step, every)
        }
        if slow:
            listed = ", ".join(f"{name} every {_seconds(every)}" for name, every in slow.items())
            text += f"; {listed}: these stay empty in most steps"
        facts = {"system_id": system, "median_seconds": distance.total_seconds()}
        found.append(Finding(f"cadence_{system}", ok, "error" if never else "warn", text, facts))
    return found


def _own_day(readings: pl.DataFrame, day: date) -> Finding:
    wall_day = pl.col("timestamp_key").dt.date()
    nulls = readings["timestamp_key"].null_count()
    strays = readings.select((wall_day != day).sum()).item()
    text = f"every reading of {day} is stamped on that day"
    if nulls or strays:
        text = f"On {day}, {nulls:,} readings have no timestamp and {strays:,} are stamped on another day"
    return Finding("own_day", not nulls and not strays, "error", text, {"nulls": nulls, "strays": strays})


def _duplicates(readings: pl.DataFrame) -> Finding:
    keys = [c for c in ("system_id", "timestamp_key") if c in readings.columns]
    found = merge_instants(readings, keys)
    instants = readings.select(keys).n_unique()
    share = found.differing / max(instants, 1)
    text = f"of {instants:,} instants carry readings that differ ({found.merged:,} more rows agree and are merged)"
    if share > MIXED_SYSTEMS_SHARE:
        text += (
            "; two systems share one name: give Gold a system_id. A correction of readings without ids must come in a "
            "file of the same name, or the wrong import be taken back: hydro imports, hydro forget"
        )
    facts = {"conflicting": found.differing, "copies": found.merged}
    return share_finding("duplicates", text, share, 0.0, MIXED_SYSTEMS_SHARE, facts)


def _sensors(readings: pl.DataFrame) -> list[str]:
    return [name for name in SENSOR if name in readings.columns]


def _possible(name: str, cells: pl.Series) -> pl.Series:
    return cells.is_finite() & (cells >= SENSOR[name].low) & (cells <= SENSOR[name].high)


def _usable(name: str) -> pl.Expr:
    cell, sensor = pl.col(name), SENSOR[name]
    zero = (cell == 0) if name in ZERO_IS_PLACEHOLDER else pl.lit(False)
    return (cell.is_finite() & cell.is_between(sensor.low, sensor.high) & ~zero).fill_null(False)


def _seconds(value: timedelta) -> str:
    seconds = value.total_seconds()
    return f"{seconds:g} s" if seconds < 120 else f"{seconds / 60:g} min"
