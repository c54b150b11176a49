"""What every source of Gold readings ends with: Gold's column types, its `is_*_optimal` flags and its day."""

from __future__ import annotations

import polars as pl

from hydro_assets.setting_groups import CropProfile
from hydro_assets.tables import GOLD_IOT_DATA, OPTIMAL_FLAGS

_POLARS_TYPE: dict[str, pl.DataType] = {
    "int": pl.Int32(),
    "double": pl.Float64(),
    "boolean": pl.Boolean(),
    "string": pl.String(),
    "date": pl.Date(),
    "timestamp": pl.Datetime("us"),
}

# `timestamp_key` is the farm's wall clock and so carries no zone; the arrival is an instant.
GOLD_SCHEMA: dict[str, pl.DataType] = {c.name: _POLARS_TYPE[c.type] for c in GOLD_IOT_DATA.columns} | {
    "ingestion_timestamp": pl.Datetime("us", "UTC")
}


def gold_readings(frame: pl.DataFrame, crop: CropProfile) -> pl.DataFrame:
    """Complete measured columns to the columns of `gold.iot_data`, in its order and types.

    `frame` has `timestamp_key` (naive) and any of the measured columns; absent ones become null. Flags follow the
    bands of `crop` and are null where their sensor is; `is_tds_optimal` uses conductivity where TDS is null.
    """
    absent = [pl.lit(None, dtype=kind).alias(name) for name, kind in GOLD_SCHEMA.items() if name not in frame.columns]
    complete = frame.with_columns(absent).cast({name: GOLD_SCHEMA[name] for name in frame.columns})  # type: ignore[arg-type]
    return complete.with_columns(
        *(_in_band(sensor, crop).alias(flag) for flag, sensor in OPTIMAL_FLAGS.items()),
        pl.col("timestamp_key").dt.date().alias("date"),
    ).select(GOLD_SCHEMA.keys())


def _in_band(sensor: str, crop: CropProfile) -> pl.Expr:
    bands = crop.bands()
    inside = pl.col(sensor).is_between(bands[sensor].low, bands[sensor].high)
    if sensor == "tds_level":
        inside = pl.coalesce(inside, pl.col("ec_level").is_between(bands["ec_level"].low, bands["ec_level"].high))
    return inside
