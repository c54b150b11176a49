"""Fill Gold from a raw export or from the simulated greenhouse. Adding the same readings again changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl

from hydro_assets.durations import duration_text
from hydro_assets.errors import DataContractError, SourceFileError
from hydro_assets.features.feature_job import farm_spec
from hydro_assets.ingest.csv_import import new_readings, read_export
from hydro_assets.ingest.dimensions import dim_equipment, dim_time
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.quality.gold_findings import finest_step, ranges
from hydro_assets.tables import (
    ACTUATOR_COLUMNS,
    GOLD_DIM_EQUIPMENT,
    GOLD_DIM_TIME,
    GOLD_IOT_DATA,
    OPTIMAL_FLAGS,
    SENSORS,
    Table,
)

# Columns that a farm may lack altogether; Gold gets them with the first file that has them.
_OPTIONAL = {*(c.name for c in SENSORS), *ACTUATOR_COLUMNS, *OPTIMAL_FLAGS, "water_level"}


@dataclass(frozen=True)
class GoldImport:
    """What an import did."""

    read: int
    added: int
    days: tuple[date, ...]
    systems: tuple[str, ...]
    cadence: timedelta | None
    notes: tuple[str, ...]

    def __str__(self) -> str:
        if not self.added:
            return f"all {self.read:,} readings are in Gold already, nothing changed"
        known = f", {self.read - self.added:,} were there already" if self.read > self.added else ""
        return (
            f"{self.added:,} readings of {', '.join(self.systems)} added to Gold{known}; "
            f"{len(self.days)} days, {self.days[0]} to {self.days[-1]}"
        )


def import_export(lakehouse: Lakehouse, path: Path, system_id: str | None, ingested_at: datetime) -> GoldImport:
    """Add the readings of a raw export to Gold.

    Raises SourceFileError, before anything is written, when the file cannot be read whole, or when Gold would still
    hold too few readings with it (a few late rows of a long history are welcome).
    """
    export = read_export(path, system_id, ingested_at, lakehouse.settings)
    least, held = lakehouse.settings.minimum_records, 0
    if lakehouse.exists(GOLD_IOT_DATA.name):
        held = sum(lakehouse.rows_by_day(GOLD_IOT_DATA.name).values())
    if held + export.frame.height < least:
        beside = f" beside the {held} in Gold" if held else ""
        raise SourceFileError(
            f"{path} holds {export.frame.height} readings{beside}, fewer than the {least} that a model needs at least",
            "Export a longer period (several days), or lower HYDRO_MINIMUM_RECORDS if you know better",
        )
    impossible = [f"WARNING {finding.sentence}" for finding in ranges(export.frame) if finding.stops]
    return add_readings(lakehouse, export.frame, [*export.notes, *impossible])


def add_readings(lakehouse: Lakehouse, incoming: pl.DataFrame, notes: Sequence[str] = ()) -> GoldImport:
    """Add readings that Gold does not hold yet, and the calendar and equipment they need."""
    days = incoming["date"].unique().sort().to_list()
    existing = _existing(lakehouse, incoming, days)
    fresh = incoming if existing is None else new_readings(incoming, existing)
    if not fresh.is_empty():
        lakehouse.append(present_columns(fresh), fresh.select(present_columns(fresh).column_names))
        _extend_dimensions(lakehouse)
    return GoldImport(
        read=incoming.height,
        added=fresh.height,
        days=tuple(fresh["date"].unique().sort().to_list()),
        systems=tuple(incoming["system_id"].unique().sort().to_list()),
        cadence=cadence(incoming),
        notes=tuple(notes),
    )


def present_columns(frame: pl.DataFrame) -> Table:
    """`gold.iot_data` without the optional columns that this farm lacks (absent or null throughout)."""
    columns = tuple(
        c
        for c in GOLD_IOT_DATA.columns
        if c.name not in _OPTIONAL or (c.name in frame.columns and frame[c.name].null_count() < frame.height)
    )
    return replace(GOLD_IOT_DATA, columns=columns)


def cadence(readings: pl.DataFrame) -> timedelta | None:
    """Median distance of two readings of one system; None for fewer than two."""
    distances = readings.sort("timestamp_key").select(pl.col("timestamp_key").diff().over("system_id")).to_series()
    return distances.drop_nulls().median()  # type: ignore[return-value]


def require_fitting_grid(lakehouse: Lakehouse) -> None:
    """Raise before a grid is built that the newest readings leave mostly empty, or that the feature table has not."""
    settings = lakehouse.settings
    newest = lakehouse.days(GOLD_IOT_DATA.name)[-7:]
    rows = lakehouse.read_polars(GOLD_IOT_DATA.name, newest[0], newest[-1] + timedelta(days=1))
    if "system_id" not in rows.columns:
        rows = rows.with_columns(system_id=pl.lit(settings.default_system))
    distance = cadence(rows)
    if distance is not None and distance > 2 * settings.feature_step:
        step = duration_text(finest_step(distance))
        raise DataContractError(
            f"Readings come every {duration_text(distance)} (median), too slowly for a feature step of "
            f"{duration_text(settings.feature_step)}: most steps would be empty",
            f"Call hydro run --step {step}, or set HYDRO_FEATURE_STEP={step}",
        )
    spec = farm_spec(lakehouse)
    if lakehouse.exists(spec.table.name):
        lakehouse.ensure(spec.table)


def _existing(lakehouse: Lakehouse, incoming: pl.DataFrame, days: Sequence[date]) -> pl.DataFrame | None:
    if not lakehouse.exists(GOLD_IOT_DATA.name):
        return None
    stored = lakehouse.read_polars(GOLD_IOT_DATA.name, days[0], days[-1] + timedelta(days=1))
    lacking = [pl.lit(None, kind).alias(n) for n, kind in incoming.schema.items() if n not in stored.columns]
    stored = stored.with_columns(lacking).with_columns(pl.col("timestamp_key").dt.replace_time_zone(None))
    return stored.select(pl.col(n).cast(kind) for n, kind in incoming.schema.items() if n in stored.columns)


def _extend_dimensions(lakehouse: Lakehouse) -> None:
    days = lakehouse.days(GOLD_IOT_DATA.name)
    lakehouse.overwrite(GOLD_DIM_TIME, dim_time(days[0], days[-1] + timedelta(days=1)))
    lakehouse.overwrite(GOLD_DIM_EQUIPMENT, dim_equipment())
