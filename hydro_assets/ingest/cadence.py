"""How often each sensor of each system is read: one rule for import, run, checks and backtest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import polars as pl

from hydro_assets.durations import duration_text
from hydro_assets.tables import SENSOR

NEWEST = timedelta(days=7)
OFF = timedelta(hours=1)  # a longer silence (and ten times the usual one) is a break, not the cadence


def sensor_cadences(readings: pl.DataFrame, default_system: str, newest: timedelta = NEWEST) -> pl.DataFrame:
    """`system_id`, `sensor`, `every` and `values` (how many) of the newest days of a system.

    `every` is the distance of known values in which half of the time lies: that of the clock for a logger that writes
    at fixed times, and the usual silence for one that writes changes only. Breaks do not count.

    `readings`: rows of `gold.iot_data` (`timestamp_key`, perhaps `system_id`, sensors) in any order. Sensors with
    fewer than two known instants have no row.
    """
    if "system_id" not in readings.columns:
        readings = readings.with_columns(system_id=pl.lit(default_system))
    readings = readings.with_columns(pl.col("system_id").fill_null(default_system))
    known = pl.concat(
        [
            readings.filter(pl.col(name).is_not_null()).select(
                "system_id", pl.lit(name).alias("sensor"), pl.col("timestamp_key").cast(pl.Datetime("us")).alias("at")
            )
            for name in SENSOR
            if name in readings.columns
        ]
        or [pl.DataFrame(schema={"system_id": pl.String, "sensor": pl.String, "at": pl.Datetime("us")})]
    )
    return (
        known.unique()
        .filter(pl.col("at") > pl.col("at").max().over("system_id") - newest)
        .sort("at")
        .group_by("system_id", "sensor", maintain_order=True)
        .agg(pl.col("at").diff().drop_nulls().sort().alias("distances"), pl.len().alias("values"))
        .with_columns(pl.col("distances").map_elements(_usual, return_dtype=pl.Duration("us")).alias("every"))
        .drop_nulls("every")
        .select("system_id", "sensor", "every", "values")
        .sort("system_id", pl.col("sensor").replace_strict({n: i for i, n in enumerate(SENSOR)}))
    )


def _usual(distances: pl.Series) -> timedelta | None:
    """The distance up to which half of the time lies; `distances` are sorted."""
    if distances.is_empty():
        return None
    middle = distances.median()
    assert isinstance(middle, timedelta)
    seconds = distances.filter(distances <= max(OFF, 10 * middle))
    total = seconds.dt.total_microseconds().cum_sum()
    return seconds.filter(total * 2 >= total[-1])[0] if len(seconds) else middle


def is_filled(step: timedelta, cadence: timedelta) -> bool:
    """Whether readings of this cadence fall into nearly every step of a grid; loggers run a little slow."""
    return cadence <= 1.25 * step


def leaves_empty(step: timedelta, cadence: timedelta) -> bool:
    """Whether readings of this cadence leave most steps of a grid empty."""
    return cadence > 2 * step


def finest_step(cadence: timedelta) -> timedelta:
    """The finest usual grid step that readings of this cadence fill."""
    minutes = (1, 2, 3, 5, 10, 15, 20, 30, 60, 120, 180, 240, 360)
    steps = [timedelta(seconds=10), timedelta(seconds=30), *(timedelta(minutes=m) for m in minutes)]
    return next((step for step in steps if is_filled(step, cadence)), steps[-1])


def slow_sensors(cadences: pl.DataFrame, step: timedelta, sensors: Sequence[str] | None = None) -> pl.DataFrame:
    """Rows of `sensor_cadences` that do not fill a grid of `step`, of `sensors` (None: of all)."""
    wanted = cadences if sensors is None else cadences.filter(pl.col("sensor").is_in(list(sensors)))
    return wanted.filter(pl.col("every") > 1.25 * step)


def cadence_text(cadences: pl.DataFrame) -> str:
    """`ph_level every 5min, air_temperature every 30s`, the slowest system of each sensor; one word where all agree."""
    slowest = cadences.group_by("sensor", maintain_order=True).agg(pl.col("every").max())
    if slowest["every"].n_unique() == 1:
        return f"readings come every {duration_text(slowest['every'][0])}"
    return ", ".join(f"{name} every {duration_text(every)}" for name, every in slowest.iter_rows())
