"""The two dimension tables of Gold: the calendar and the five actuators."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import polars as pl

from hydro_assets.tables import EQUIPMENT_ROWS, GOLD_DIM_EQUIPMENT, GOLD_DIM_TIME


def dim_time(start_day: date, end_day: date) -> pl.DataFrame:
    """One row per hour of [start_day, end_day), wall clock of the farm, in the columns of `gold.dim_time`."""
    hours = pl.datetime_range(
        datetime.combine(start_day, time()),
        datetime.combine(end_day, time()),
        timedelta(hours=1),
        closed="left",
        time_unit="us",
        eager=True,
    )
    stamp = pl.col("timestamp_key")
    return (
        pl.DataFrame({"timestamp_key": hours})
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
