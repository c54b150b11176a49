"""The two dimension tables of Gold: the calendar and the five actuators."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from hydro_assets.tables import EQUIPMENT_ROWS, GOLD_DIM_EQUIPMENT, GOLD_DIM_TIME


def dim_time(days: Sequence[date]) -> pl.DataFrame:
    """One row per hour of each of `days`, wall clock of the farm, in the columns of `gold.dim_time`.

    Only days that hold readings: a single reading stamped a century away adds a day, not a century.
    """
    first = pl.DataFrame({"date": sorted(set(days))}, schema={"date": pl.Date})
    hours = pl.DataFrame({"hour": [timedelta(hours=h) for h in range(24)]}, schema={"hour": pl.Duration("us")})
    stamp = pl.col("timestamp_key")
    return (
        first.join(hours, how="cross")
        .select((pl.col("date").cast(pl.Datetime("us")) + pl.col("hour")).alias("timestamp_key"))
        .with_columns(
            stamp.dt.date().alias("date"),
            stamp.dt.hour().cast(pl.Int32).alias("hour"),
            stamp.dt.weekday().cast(pl.Int32).alias("day_of_week"),
            stamp.dt.month().cast(pl.Int32).alias("month"),
            pl.when(stamp.dt.weekday() >= 6).then(pl.lit("weekend")).otherwise(pl.lit("weekday")).alias("day_type"),
        )
        .select(GOLD_DIM_TIME.column_names)
    )


def dim_equipment() -> pl.DataFrame:
    """The five actuators in the columns of `gold.dim_equipment`."""
    names = GOLD_DIM_EQUIPMENT.column_names
    return pl.DataFrame(EQUIPMENT_ROWS, schema=names, orient="row").cast({"equipment_id": pl.Int32})
