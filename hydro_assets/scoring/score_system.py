"""Score the feature rows of one system with every model that may serve: a pure function of a frame."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from hydro_assets.errors import TableError
from hydro_assets.scoring.members import PREDICTION_COLUMNS, require_fitting
from hydro_assets.settings import Settings
from hydro_assets.tables import KEYS, MODELS, SENSOR

if TYPE_CHECKING:
    from hydro_assets.forecasting.package import ForecastPackage

BOUNDS = ("lower_80", "upper_80", "lower_95", "upper_95")
ROW = (*KEYS, "horizon")


def score_system(
    frame: pl.DataFrame,
    packages: Mapping[str, ForecastPackage],
    versions: Mapping[str, str],
    settings: Settings,
    start: datetime,
    end: datetime,
    scored_at: datetime,
) -> pl.DataFrame:
    """One row per feature row with start <= timestamp < end and horizon 1 .. forecast_horizon.

    `frame`: feature rows of one system, sorted by timestamp, with the history that the models look back on.
    `packages`, `versions`: by kind (`columns.MODELS`); a kind that is absent has no model that may serve.
    Returns all columns of `frame`, then `columns.batch_predictions_table`'s own. Forecasts are in the target's unit
    and end at its physical range (a relative humidity of 101 % becomes 100 %).

    `ensemble_avg` is the mean of the forecasts of `ensemble_members`; its interval is the mean of their bounds, which
    holds at least its nominal share only as far as the members err together (`prediction_accuracy` measures it).
    `prediction_quality`:
    - `ok`: every model forecast;
    - `fallback`: no model did, the baseline serves as the only member and there is no interval;
    - `model_missing`, `no_window`, `stale_input`, `out_of_range_input`, `unknown_target`, ...: why the first absent
      model did not forecast; `ensemble_avg` is then of the others, or null where nothing can be said.
    `prediction_reason` names the reason of each absent model.

    Raises ModelUnavailableError when a model is of another target, grid or horizon, or needs an absent feature, and
    TableError when a row is there twice.
    """
    require_fitting(packages, frame.columns, settings)
    if twice := frame.height - frame.select(KEYS).n_unique():
        raise TableError(f"{twice} feature rows repeat a (system_id, timestamp)", "Build these feature days again")
    origins = frame.filter(pl.col("timestamp").is_between(start, end, closed="left"))
    horizons = pl.DataFrame({"horizon": range(1, settings.forecast_horizon + 1)}, schema={"horizon": pl.Int32})
    rows = origins.select(*KEYS, _last_known(frame, settings, start, end)).join(horizons, how="cross")
    for kind in MODELS:
        forecast = _forecast(kind, packages.get(kind), frame, start, end)
        rows = rows.join(forecast, on=ROW, how="left", maintain_order="left", validate="1:1")
    scored = (
        rows.with_columns(
            baseline_prediction=pl.coalesce(*(f"{kind}_baseline" for kind in MODELS), "last_known"),
            prediction_for=pl.col("timestamp") + pl.col("horizon") * settings.feature_step,
            target_col=pl.lit(settings.target_col),
            inference_timestamp=pl.lit(scored_at).cast(pl.Datetime("us", "UTC")),
            **{f"{kind}_version": pl.lit(versions.get(kind), pl.String) for kind in MODELS},
        )
        .with_columns(_members())
        .with_columns(_served())
        .select(c.name for c in PREDICTION_COLUMNS)
    )
    # Both are in the order of the origins, then of the horizons: laid side by side, hundreds of columns are not copied.
    steps = settings.forecast_horizon
    wide = origins if steps == 1 else origins[np.arange(origins.height).repeat(steps)]
    return wide.select(frame.columns).hstack(scored)


def _last_known(frame: pl.DataFrame, settings: Settings, start: datetime, end: datetime) -> pl.Series:
    """The target's last step mean, what persistence says; null once it is as old as the gap limit."""
    target = settings.target_col
    value = pl.col(target).fill_nan(None) if target in frame.columns else pl.lit(None, pl.Float64)
    return (
        frame.select(
            "timestamp",
            value=value.forward_fill(),
            seen=pl.when(value.is_not_null()).then("timestamp").forward_fill(),
        )
        .filter(pl.col("timestamp").is_between(start, end, closed="left"))
        .select(last_known=pl.when(pl.col("timestamp") - pl.col("seen") < settings.gap_limit).then("value"))
        .to_series()
    )


def _forecast(
    kind: str, package: ForecastPackage | None, frame: pl.DataFrame, start: datetime, end: datetime
) -> pl.DataFrame:
    """Keys, horizon and the columns of one model, each prefixed by its kind; no rows when there is no model."""
    names = ("prediction", "baseline", *BOUNDS, "reason")
    types = {**dict.fromkeys(names, pl.Float64), "reason": pl.String}
    keys = {"system_id": pl.String, "timestamp": pl.Datetime("us", "UTC"), "horizon": pl.Int32}
    probability = {"lightgbm_optimal_probability": pl.Float64} if kind == "lightgbm" else {}
    if package is None:
        return pl.DataFrame(schema={**keys, **{f"{kind}_{name}": types[name] for name in names}, **probability})
    limits = SENSOR.get(package.info.target_col)
    low, high = (limits.low, limits.high) if limits else (None, None)
    numbers = ("prediction", "baseline", *BOUNDS)
    possible = [pl.when(pl.col(n).is_finite()).then(pl.col(n).clip(low, high)).alias(n) for n in numbers]
    out = (
        package.predict(frame, start, end)
        .with_columns(possible)
        .with_columns(
            *(pl.when(pl.col("prediction").is_not_null()).then(bound).alias(bound) for bound in BOUNDS),
            reason=pl.when(pl.col("prediction").is_not_null())
            .then(pl.lit("ok"))
            .when(pl.col("quality") == "ok")
            .then(pl.lit("no_forecast"))
            .otherwise("quality"),
        )
    )
    return out.select(
        *ROW,
        *(pl.col(name).cast(types[name]).alias(f"{kind}_{name}") for name in names),
        *(pl.col("optimal_probability").alias(name) for name in probability),
    )


def _members() -> list[pl.Expr]:
    """Which models forecast, what they say together, and what kept the others."""
    kinds = [pl.when(pl.col(f"{k}_prediction").is_not_null()).then(pl.lit(k)) for k in MODELS]
    reasons = {k: pl.col(f"{k}_reason").fill_null("model_missing") for k in MODELS}
    absent = [pl.when(reason != "ok").then(pl.concat_str(pl.lit(f"{k}: "), reason)) for k, reason in reasons.items()]
    # A model that was there and could not forecast this row says more than one that is not there at all.
    spoken = [pl.when(pl.col(f"{k}_reason") != "ok").then(f"{k}_reason") for k in MODELS]
    missing = [pl.when(pl.col(f"{k}_reason").is_null()).then(pl.lit("model_missing")) for k in MODELS]
    return [
        pl.concat_list(kinds).list.drop_nulls().list.join(",").alias("learned"),
        pl.mean_horizontal(*(f"{k}_prediction" for k in MODELS)).alias("learned_avg"),
        *(pl.mean_horizontal(*(f"{k}_{bound}" for k in MODELS)).alias(bound) for bound in BOUNDS),
        pl.concat_str(absent, separator="; ", ignore_nulls=True).replace("", None).alias("prediction_reason"),
        pl.coalesce(*spoken, *missing, pl.lit("ok")).alias("why"),
    ]


def _served() -> list[pl.Expr]:
    """The ensemble where a model forecast, else the baseline, marked as such."""
    is_learned = pl.col("learned") != ""
    is_fallback = ~is_learned & pl.col("baseline_prediction").is_not_null()
    return [
        pl.when(is_learned).then("learned_avg").otherwise("baseline_prediction").alias("ensemble_avg"),
        pl.when(is_learned).then("learned").when(is_fallback).then(pl.lit("baseline")).alias("ensemble_members"),
        pl.when(is_fallback).then(pl.lit("fallback")).otherwise("why").alias("prediction_quality"),
    ]
