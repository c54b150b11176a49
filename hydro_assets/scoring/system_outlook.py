"""What a grower reads: per system the newest forecast, the risk of leaving the crop band, and how soon."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from statistics import NormalDist
from typing import Any

import polars as pl

from hydro_assets.durations import duration_text, midnight
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.lakehouse.lakehouse import POLARS_TYPES
from hydro_assets.scoring.score_system import BOUNDS
from hydro_assets.settings import Band, Settings
from hydro_assets.tables import MODELS, SENSOR, SYSTEM_OUTLOOK, names, usable_windows

_STANDARD = NormalDist()
_Z80 = _STANDARD.inv_cdf(0.9)  # half an 80 % interval, in standard deviations
# A slope speaks for a few lengths of the window it was fitted on, not for tomorrow.
TREND_REACH = 6


def system_outlook(rows: pl.DataFrame, settings: Settings, as_of: datetime) -> pl.DataFrame:
    """One row of `columns.SYSTEM_OUTLOOK` per system: its newest row of batch_predictions over all horizons.

    `leaving_probability` takes the error of each horizon as normal, with the spread of its 80 % interval, and is the
    largest probability of a single step: a lower bound of leaving at any step. `minutes_to_leaving` is where the line
    through the current value and the forecasts first crosses an edge of the band; behind the last horizon it goes on
    with the slope over the feature table's shortest window, for TREND_REACH lengths of that window.
    """
    outlooks = [
        _outlook(system.filter(pl.col("timestamp") == pl.col("timestamp").max()).sort("horizon"), settings, as_of)
        for _, system in rows.sort("system_id").group_by("system_id", maintain_order=True)
    ]
    return pl.DataFrame(outlooks, schema={c.name: POLARS_TYPES[c.type] for c in SYSTEM_OUTLOOK.columns})


def needed_columns(present: Sequence[str], settings: Settings) -> list[str]:
    """The columns of batch_predictions that an outlook reads, of those that are present."""
    wanted = {
        "system_id",
        "timestamp",
        "target_col",
        "horizon",
        "prediction_for",
        "ensemble_avg",
        "ensemble_members",
        "lightgbm_optimal_probability",
        "prediction_quality",
        "inference_timestamp",
        *BOUNDS,
        *(f"{m}_version" for m in MODELS),
        *(name for target in SENSOR for name in (target, _slope_column(target, settings))),
    }
    return [name for name in present if name in wanted]


def update_outlook(
    lakehouse: Lakehouse, settings: Settings, start_day: date, end_day: date, as_of: datetime
) -> pl.DataFrame:
    """Bring system_outlook up to the predictions of [start_day, end_day), which were just scored; returns the table.

    A system keeps its row when that is newer than every day of the range, so scoring history moves no outlook back.
    """
    from pyspark.sql import functions as F

    scored = lakehouse.read(names.BATCH_PREDICTIONS, start_day, end_day)
    newest = scored.groupBy("system_id").agg(F.max("timestamp").alias("timestamp"))
    rows = scored.select(*needed_columns(scored.columns, settings)).join(newest, ["system_id", "timestamp"])
    fresh = system_outlook(pl.DataFrame(pl.from_arrow(rows.toArrow())), settings, as_of)
    kept = fresh.clear()
    if lakehouse.exists(SYSTEM_OUTLOOK.name):
        stored = lakehouse.read_polars(SYSTEM_OUTLOOK.name).select(fresh.columns)
        outside = ~pl.col("timestamp").is_between(midnight(start_day), midnight(end_day), closed="left")
        kept = stored.filter(outside).with_columns(
            age_minutes=_age(settings.feature_step, as_of), updated_at=pl.lit(as_of).cast(pl.Datetime("us", "UTC"))
        )
    merged = pl.concat([fresh, kept]).sort("system_id", "timestamp")
    merged = merged.unique("system_id", keep="last", maintain_order=True)
    lakehouse.overwrite(SYSTEM_OUTLOOK, merged)
    return merged


def _age(step: timedelta, as_of: datetime) -> pl.Expr:
    return (pl.lit(as_of) - pl.col("timestamp") - step).dt.total_seconds(fractional=True) / 60


def _slope_column(target: str, settings: Settings) -> str:
    return f"{target}_slope_{duration_text(usable_windows(settings.feature_step)[0])}"


def _outlook(rows: pl.DataFrame, settings: Settings, as_of: datetime) -> dict[str, Any]:
    """The outlook of one system from the rows of one timestamp, sorted by horizon."""
    last = rows.row(-1, named=True)
    target = last["target_col"]  # the row's own: days that were scored for another target keep it
    band, now = settings.crop.bands().get(target), last.get(target)
    outlook = {
        **{name: last[name] for name in ("system_id", "timestamp", "target_col", "horizon", "prediction_for", *BOUNDS)},
        "age_minutes": (as_of - last["timestamp"] - settings.feature_step) / timedelta(minutes=1),
        "current_value": now,
        "prediction": last["ensemble_avg"],
        "optimal_probability": last["lightgbm_optimal_probability"],
        **{name: last[name] for name in ("ensemble_members", "prediction_quality", "inference_timestamp")},
        **{f"{m}_version": last[f"{m}_version"] for m in MODELS},
        "updated_at": as_of,
    }
    if band is None:
        return outlook
    minutes, by = _leaving(rows, now, last.get(_slope_column(target, settings)), band, settings)
    return {
        **outlook,
        "band_low": band.low,
        "band_high": band.high,
        "is_in_band": None if now is None else _is_inside(now, band),
        "leaving_probability": 1.0 if by == "outside" else _leaving_probability(rows, band),
        "minutes_to_leaving": minutes,
        "leaving_by": by,
    }


def _is_inside(value: float, band: Band) -> bool:
    return band.low <= value <= band.high


def _leaving_probability(rows: pl.DataFrame, band: Band) -> float | None:
    known = rows.drop_nulls(["ensemble_avg", "lower_80", "upper_80"])
    steps = known.select("ensemble_avg", "lower_80", "upper_80").iter_rows()
    return max((_outside_probability(forecast, lower, upper, band) for forecast, lower, upper in steps), default=None)


def _outside_probability(forecast: float, lower: float, upper: float, band: Band) -> float:
    sigma = (upper - lower) / (2 * _Z80)
    if sigma <= 0:
        return 0.0 if _is_inside(forecast, band) else 1.0
    inside = _STANDARD.cdf((band.high - forecast) / sigma) - _STANDARD.cdf((band.low - forecast) / sigma)
    return 1.0 - inside


def _leaving(
    rows: pl.DataFrame, now: float | None, slope: float | None, band: Band, settings: Settings
) -> tuple[float | None, str | None]:
    """Minutes until the band is left and what says so; `slope` is in units per hour."""
    if now is not None and not _is_inside(now, band):
        return 0.0, "outside"
    step = settings.feature_step / timedelta(minutes=1)
    path = [(0.0, now)] if now is not None else []
    for horizon, value in rows.drop_nulls("ensemble_avg").select("horizon", "ensemble_avg").iter_rows():
        minutes = horizon * step
        if not _is_inside(value, band):
            before = path[-1] if path else None
            return (minutes if before is None else _crossing(before, (minutes, value), band)), "forecast"
        path.append((minutes, value))
    if not path or not slope:
        return None, None
    minutes, value = path[-1]
    reach = TREND_REACH * usable_windows(settings.feature_step)[0] / timedelta(minutes=1)
    crossing = minutes + ((band.high if slope > 0 else band.low) - value) / slope * 60
    return (crossing, "trend") if crossing <= minutes + reach else (None, None)


def _crossing(before: tuple[float, float], after: tuple[float, float], band: Band) -> float:
    """Where the line from a point inside to one outside meets the edge between them."""
    (t0, v0), (t1, v1) = before, after
    edge = band.high if v1 > band.high else band.low
    return t0 + (t1 - t0) * (edge - v0) / (v1 - v0)
