"""`sensor_features` of any range of days as a Spark plan: groups of one system and a few days each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from hydro_assets.durations import midnight
from hydro_assets.features.spec import FeatureSpec
from hydro_assets.features.system_features import features_of_system
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.lakehouse.arrow import spark_schema, to_spark_arrow
from hydro_assets.tables import ACTUATOR_COLUMNS, SENSORS, names

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import Column, DataFrame

# Wall-clock days are shifted against UTC days by less than a day, whatever the farm's time zone.
ZONE_MARGIN = timedelta(days=1)


def farm_spec(lakehouse: Lakehouse) -> FeatureSpec:
    """The feature spec of the farm in this lakehouse, from its Gold tables as they are."""
    codes = None
    if lakehouse.exists(names.DIM_EQUIPMENT):
        codes = lakehouse.read_polars(names.DIM_EQUIPMENT, columns=["equipment_code"])["equipment_code"].to_list()
    weekend = None
    if lakehouse.exists(names.DIM_TIME) and {"date", "day_type"} <= lakehouse.columns(names.DIM_TIME).keys():
        calendar = lakehouse.read_polars(names.DIM_TIME, columns=["date", "day_type"]).unique()
        weekend = frozenset(calendar.filter(pl.col("day_type") == "weekend")["date"])
    return FeatureSpec.for_farm(lakehouse.settings, list(lakehouse.columns(names.IOT_DATA)), codes, weekend)


def sensor_features_frame(
    lakehouse: Lakehouse, spec: FeatureSpec, start_day: date, end_day: date, as_of: datetime | None = None
) -> DataFrame:
    """The distributed plan, not yet run. One task holds `task_days` days of one system and their look-back.

    Args:
        as_of: only readings that had arrived by then are used; None = all.
    """
    from pyspark.sql import functions as F

    settings = lakehouse.settings
    per_task = settings.task_days
    zone_days = 0 if spec.timezone == "UTC" else ZONE_MARGIN.days
    back_days = -(-spec.look_back // timedelta(days=1)) + zone_days  # whole days, rounded up
    gold = lakehouse.read(names.IOT_DATA, start_day - timedelta(days=back_days), end_day + timedelta(days=zone_days))
    if as_of is not None:
        gold = gold.where(_arrival(gold, spec.timezone) <= F.lit(as_of.isoformat()).cast("timestamp"))
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


def _arrival(gold: DataFrame, timezone: str) -> Column:
    """When each reading was known: its arrival, or where Gold does not say, the moment it was taken."""
    from pyspark.sql import functions as F

    taken = F.to_utc_timestamp(F.col("timestamp_key").cast("timestamp"), timezone)
    return F.coalesce(F.col("ingestion_timestamp"), taken) if "ingestion_timestamp" in gold.columns else taken


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
