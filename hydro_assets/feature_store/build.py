"""`sensor_features` of any range of days, distributed by Spark: groups of one system and a few days each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from hydro_assets.columns import ACTUATOR_COLUMNS, SENSORS, Table
from hydro_assets.errors import DataContractError, TableError
from hydro_assets.feature_store.features import features_of_system
from hydro_assets.feature_store.spec import FeatureSpec
from hydro_assets.lakehouse import Lakehouse, TableVersion, WriteReceipt
from hydro_assets.lakehouse.arrow import spark_schema, to_spark_arrow

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

GOLD = "gold.iot_data"
# Wall-clock days are shifted against UTC days by less than a day, whatever the farm's time zone.
ZONE_MARGIN = timedelta(days=1)


@dataclass(frozen=True)
class FeatureBuild:
    """What was built: the write, what it was built from, and what the farm lacks."""

    table: Table
    receipt: WriteReceipt
    gold: TableVersion
    notes: tuple[str, ...]


def farm_spec(lakehouse: Lakehouse) -> FeatureSpec:
    """The feature spec of the farm in this lakehouse, from its Gold tables as they are."""
    gold = lakehouse.read(GOLD)
    codes = None
    if lakehouse.exists("gold.dim_equipment"):
        codes = lakehouse.read_polars("gold.dim_equipment", columns=["equipment_code"])["equipment_code"].to_list()
    weekend = None
    if lakehouse.exists("gold.dim_time"):
        calendar = lakehouse.read("gold.dim_time")
        if {"date", "day_type"} <= set(calendar.columns):
            rows = calendar.where("day_type = 'weekend'").select("date").distinct().toArrow()
            weekend = frozenset(rows.column("date").to_pylist())
    return FeatureSpec.for_farm(lakehouse.settings, gold.columns, codes, weekend)


def build_sensor_features(
    lakehouse: Lakehouse,
    start_day: date,
    end_day: date,
    facts: Mapping[str, Any] | None = None,
) -> FeatureBuild:
    """Compute the feature days `[start_day, end_day)` (UTC) from Gold and replace them, in one commit.

    Only the Gold days in reach of the look-back are read. Raises DataContractError when Gold holds no reading in
    the range, so that a typing error in a date does not empty a table.
    """
    spec = farm_spec(lakehouse)
    gold_version = lakehouse.version(GOLD)
    assert gold_version is not None
    frame = sensor_features_frame(lakehouse, spec, start_day, end_day)
    # The commit says from what its days were built: the watcher of Gold compares it with what they need.
    note = {
        "gold_version": gold_version.version,
        "gold_table_id": gold_version.table_id,
        "start_day": start_day,
        "end_day": end_day,
        **(facts or {}),
    }
    require_readings(lakehouse, start_day, end_day)
    receipt = lakehouse.replace_days(spec.table, frame, start_day, end_day, note)
    return FeatureBuild(spec.table, receipt, gold_version, spec.notes)


def feature_span(lakehouse: Lakehouse) -> tuple[date, date]:
    """UTC days `[first, end)` that the wall-clock days of Gold touch. Raises TableError when Gold is empty."""
    days = lakehouse.days(GOLD)
    if not days:
        raise TableError("Gold holds no reading", "Import readings first: hydro import --csv FILE, or hydro demo")
    margin = timedelta(days=0) if lakehouse.settings.timezone == "UTC" else ZONE_MARGIN
    return days[0] - margin, days[-1] + timedelta(days=1) + margin


def require_readings(lakehouse: Lakehouse, start_day: date, end_day: date) -> None:
    """Raise DataContractError when Gold has no reading in `[start_day, end_day)` (with a day's margin for zones)."""
    near = lakehouse.read(GOLD, start_day - ZONE_MARGIN, end_day + ZONE_MARGIN)
    if near.limit(1).count() == 0:
        days = lakehouse.days(GOLD)
        span = f"it covers {days[0]} to {days[-1]}" if days else "it is empty"
        raise DataContractError(
            f"Gold has no reading from {start_day} to {end_day - timedelta(days=1)}; {span}",
            "Choose days that Gold covers, or import them",
        )


def sensor_features_frame(lakehouse: Lakehouse, spec: FeatureSpec, start_day: date, end_day: date) -> DataFrame:
    """The distributed plan, not yet run. One task holds `days_per_task` days of one system and their look-back."""
    from pyspark.sql import functions as F

    settings = lakehouse.settings
    per_task = settings.days_per_task
    zone_days = 0 if spec.timezone == "UTC" else ZONE_MARGIN.days
    back_days = -(-spec.look_back // timedelta(days=1)) + zone_days  # whole days, rounded up
    gold = lakehouse.read(GOLD, start_day - timedelta(days=back_days), end_day + timedelta(days=zone_days))
    wanted = [
        c
        for c in (
            "reading_id",
            "timestamp_key",
            *(s.name for s in SENSORS),
            "water_level",
            *ACTUATOR_COLUMNS,
            "ingestion_timestamp",
        )
        if c in gold.columns
    ]
    system = F.col("system_id") if "system_id" in gold.columns else F.lit(None).cast("string")
    # A reading serves every task whose days it can reach: its own, and those within the look-back after it.
    offset = F.datediff(F.to_date("timestamp_key"), F.lit(start_day))
    last_task = (end_day - start_day).days - 1
    first = F.greatest(F.floor((offset - zone_days) / per_task), F.lit(0))
    last = F.least(F.floor((offset + back_days) / per_task), F.lit(last_task // per_task))
    rows = gold.select(
        F.coalesce(system, F.lit(settings.default_system)).alias("system_id"),
        *wanted,
        F.explode(F.sequence(first.cast("int"), last.cast("int"))).alias("task"),
    )
    compute = features_of_task(spec, start_day, end_day, per_task)
    return rows.groupBy("system_id", "task").applyInArrow(compute, spark_schema(spec.table))


def features_of_task(
    spec: FeatureSpec, start_day: date, end_day: date, per_task: int
) -> Callable[[tuple[Any, ...], pa.Table], pa.Table]:
    """The function of one group (system, task) that Spark's workers run on Arrow tables."""

    def compute(key: tuple[Any, ...], rows: pa.Table) -> pa.Table:
        system_id, task = key[0].as_py(), key[1].as_py()
        start = start_day + timedelta(days=task * per_task)
        end = min(start + timedelta(days=per_task), end_day)
        readings = pl.DataFrame(pl.from_arrow(rows)).drop("system_id", "task")
        made = features_of_system(readings, spec, system_id, midnight(start), midnight(end))
        return to_spark_arrow(made, spec.table)

    return compute


def midnight(day: date) -> datetime:
    """The first instant of a UTC day."""
    return datetime.combine(day, time(), UTC)
