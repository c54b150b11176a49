"""How often each sensor of each system is read: one rule for import, run, checks and backtest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from hydro_assets.durations import duration_text
from hydro_assets.errors import DataContractError
from hydro_assets.settings import Settings
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


def finest_step(cadence: timedelta) -> timedelta:
    """The finest usual grid step that readings of this cadence fill."""
    minutes = (1, 2, 3, 5, 10, 15, 20, 30, 60, 120, 180, 240, 360)
    steps = [timedelta(seconds=10), timedelta(seconds=30), *(timedelta(minutes=m) for m in minutes)]
    return next((step for step in steps if is_filled(step, cadence)), steps[-1])


@dataclass(frozen=True)
class GridFit:
    """How a grid step suits the sensors of a farm.

    Attributes:
        step: the finest usual step that the judged sensor of every system fills.
        is_empty: whether most steps are empty in every system, by the judged sensors.
        advice: which sensors do not fill the grid, and what to set; None where all do.
    """

    step: timedelta
    is_empty: bool
    advice: str | None


def judged_sensors(cadences: pl.DataFrame, target: str) -> pl.DataFrame:
    """Rows of `sensor_cadences` by which a grid is judged: of each system the target, else what is read most often."""
    ordered = cadences.sort(pl.col("sensor") != target, "every", maintain_order=True)
    return ordered.unique("system_id", keep="first", maintain_order=True).sort("system_id")


def grid_fit(cadences: pl.DataFrame, step: timedelta, target: str) -> GridFit:
    """Whether readings of these `sensor_cadences` fill a grid of `step`; forecast is `target`."""
    judged = judged_sensors(cadences, target)["every"].to_list()
    slow = cadences.filter(pl.col("every") > 1.25 * step)
    if not judged or slow.is_empty():
        return GridFit(step, False, None)
    usual, slowest, quickest = finest_step(max(judged)), slow["every"].max(), slow["every"].min()
    assert isinstance(slowest, timedelta)
    assert isinstance(quickest, timedelta)
    text = f"{_cadence_text(slow, cadences)}, more slowly than the feature step of {duration_text(step)}: "
    if not is_filled(step, max(judged)):
        usual_text = duration_text(usual)
        text += f"run with --step {usual_text}, or set HYDRO_FEATURE_STEP={usual_text}"
    else:
        usual = step
        text += "null in the steps between"
    if slow.height < cadences.height or slowest > 2 * quickest:
        text += f"; of a logger that writes changes only, import with --hold {duration_text(finest_step(3 * slowest))}"
    return GridFit(usual, min(judged) > 2 * step, text)


def require_filled(cadences: pl.DataFrame, settings: Settings, command: str) -> GridFit:
    """How the grid of `settings` suits the readings; DataContractError where they leave most of its steps empty."""
    fit = grid_fit(cadences, settings.feature_step, settings.target_col)
    if fit.is_empty:
        raise DataContractError(
            f"Most steps of {duration_text(settings.feature_step)} would be empty: {fit.advice}",
            f"Call {command} --step {duration_text(fit.step)}",
        )
    return fit


def _cadence_text(slow: pl.DataFrame, cadences: pl.DataFrame) -> str:
    """`ph_level every 5min, air_temperature every 30s`, the slowest system of each; one word where all agree."""
    slowest = slow.group_by("sensor", maintain_order=True).agg(pl.col("every").max())
    if slow.height == cadences.height and slowest["every"].n_unique() == 1:
        return f"readings come every {duration_text(slowest['every'][0])}"
    return ", ".join(f"{name} every {duration_text(every)}" for name, every in slowest.iter_rows())
