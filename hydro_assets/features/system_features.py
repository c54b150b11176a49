"""The features of one system: a pure function of its readings. Spark only hands it groups of rows."""

from __future__ import annotations

import math
from datetime import datetime

import polars as pl

from hydro_assets.features import rolling
from hydro_assets.features.probes import judgements
from hydro_assets.features.spec import FeatureSpec
from hydro_assets.features.step_grid import dense_grid, step_aggregates
from hydro_assets.features.tidy_readings import tidy_readings


def features_of_system(
    readings: pl.DataFrame,
    spec: FeatureSpec,
    system_id: str,
    start: datetime | None = None,
    end: datetime | None = None,
) -> pl.DataFrame:
    """Rows of `sensor_features` for one system, in the columns of `spec.table`, sorted by `timestamp`.

    `readings` are rows of `gold.iot_data` of this system in any order; for exact rows from `start` on they must reach
    back `spec.look_back` before it. `[start, end)` (aware datetimes) selects the rows that are returned. The row at t
    uses readings stamped before `t + step` and nothing later.
    """
    steps = step_aggregates(tidy_readings(readings, spec), spec)
    dense = _without_dead_cells(_centred(dense_grid(steps), spec), spec)
    over_segment = [e.over("segment").alias(n) for n, e in _segment_expressions(spec).items()]
    rows = dense.with_columns(over_segment).filter(pl.col("observed"))
    rows = rows.with_columns(*_row_expressions(spec))
    if start is not None:
        rows = rows.filter(pl.col("timestamp") >= start)
    if end is not None:
        rows = rows.filter(pl.col("timestamp") < end)
    return rows.with_columns(system_id=pl.lit(system_id), date=pl.col("timestamp").dt.date()).select(
        spec.table.column_names
    )


def _centred(dense: pl.DataFrame, spec: FeatureSpec) -> pl.DataFrame:
    # Sums of centred values keep their digits. The centre is the segment's first value and not its mean, which would
    # carry the rounding of later readings into earlier rows.
    return dense.with_columns(
        *(pl.col(name).drop_nulls().first().over("segment").alias(f"{name}__centre") for name in spec.sensors),
        (pl.col("k") - pl.col("k").first().over("segment")).alias("__x"),
    )


def _without_dead_cells(dense: pl.DataFrame, spec: FeatureSpec) -> pl.DataFrame:
    """The flags of stuck and noise-only probes; what they flag is null for every statistic, lag and window."""
    judged = {n: e for s in spec.sensors for n, e in judgements(s, spec.step, spec.min_window_coverage).items()}
    flagged = dense.with_columns(e.over("segment").alias(n) for n, e in judged.items())
    dead = {name: pl.col(f"is_{name}_stuck") | pl.col(f"is_{name}_noise_only") for name in spec.sensors}
    return flagged.with_columns(
        *(pl.when(~dead[s]).then(c).alias(c) for s in spec.sensors for c in (s, f"{s}_min", f"{s}_max", f"{s}_std")),
        *(pl.when(dead[s]).then(0).otherwise(f"{s}_count").cast(pl.Int32).alias(f"{s}_count") for s in spec.sensors),
    )


def _segment_expressions(spec: FeatureSpec) -> dict[str, pl.Expr]:
    """Expressions that look back in time; the caller evaluates each over the segment."""
    minutes = spec.step.total_seconds() / 60
    k, x_hours = pl.col("k"), pl.col("__x") * (minutes / 60)
    made: dict[str, pl.Expr] = {}
    for name in spec.sensors:
        y = pl.col(name)
        centred = y - pl.col(f"{name}__centre")
        for lag, n in spec.lags:
            made[f"{name}_lag_{lag}"] = y.shift(n)
        made[f"{name}_change_per_min"] = rolling.change_per_minute(y, k, minutes)
        for window, width in spec.windows:
            least = rolling.least_samples(width, spec.min_window_coverage)
            for statistic, expression in rolling.window_statistics(y, width, least).items():
                made[f"{name}_{statistic}_{window}"] = expression
            made[f"{name}_slope_{window}"] = rolling.slope(centred, x_hours, width, least)
            if name in spec.bands:
                made[f"{name}_share_in_band_{window}"] = (
                    _in_band(name, spec).cast(pl.Float64).rolling_mean(width, min_samples=least)
                )
    for name in spec.actuators:
        state, stem = pl.col(name), name.removeprefix("is_").removesuffix("_on")
        made[f"{stem}_minutes_since_on"] = rolling.minutes_since_on(state, k, minutes)
        for window, width in spec.windows:
            least = rolling.least_samples(width, spec.min_window_coverage)
            made[f"{stem}_share_on_{window}"] = state.cast(pl.Float64).rolling_mean(width, min_samples=least)
    for window, width in spec.windows:
        seen = pl.col("observed").cast(pl.Float64).rolling_sum(width, min_samples=1)
        made[f"missing_share_{window}"] = 1 - seen / width
    return made


def _in_band(name: str, spec: FeatureSpec) -> pl.Expr:
    low, high = spec.bands[name]
    return pl.col(name).is_between(low, high)


def _row_expressions(spec: FeatureSpec) -> list[pl.Expr]:
    """Expressions of the row alone: calendar in the farm's time, distance to the band, overall optimum."""
    local = pl.col("timestamp").dt.convert_time_zone(spec.timezone)
    day_angle = (local.dt.hour() + local.dt.minute() / 60 + local.dt.second() / 3600) * (2 * math.pi / 24)
    week_angle = (local.dt.weekday() - 1) * (2 * math.pi / 7)
    weekend = local.dt.weekday() >= 6 if spec.weekend_days is None else local.dt.date().is_in(sorted(spec.weekend_days))
    made = [
        day_angle.sin().alias("hour_sin"),
        day_angle.cos().alias("hour_cos"),
        week_angle.sin().alias("weekday_sin"),
        week_angle.cos().alias("weekday_cos"),
        weekend.alias("is_weekend"),
    ]
    for name, (low, high) in spec.bands.items():
        y = pl.col(name)
        distance = pl.when(y < low).then(y - low).when(y > high).then(y - high).when(y.is_not_null()).then(0.0)
        made.append(distance.alias(f"{name}_band_distance"))
    judged = [_in_band(name, spec) for name in spec.environment_sensors]
    # One cell outside its band settles it even where another is unknown; `all_horizontal` has that three-valued logic.
    optimal = pl.all_horizontal(judged) if judged else pl.lit(None, pl.Boolean)
    made.append(optimal.alias("is_env_optimal"))
    return made
