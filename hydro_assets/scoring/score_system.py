"""Score the feature rows of one system with every model that may serve: a pure function of a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from hydro_assets.errors import TableError
from hydro_assets.forecasting.labels import label_values
from hydro_assets.forecasting.leaving import leaving_probability, path_log_odds
from hydro_assets.scoring.members import require_fitting, served_targets
from hydro_assets.settings import Settings
from hydro_assets.tables import BASELINES, BOUNDS, FORECASTS, KEYS, MODELS, SENSOR

if TYPE_CHECKING:
    from hydro_assets.forecasting.memory import RowMemory
    from hydro_assets.forecasting.package import ForecastPackage, SharedRows

CELL = (*KEYS, "target", "horizon")
LABELLER = "lightgbm"
"""The kind of model that forecasts labels."""


def score_system(
    frame: pl.DataFrame,
    packages: Mapping[str, ForecastPackage],
    versions: Mapping[str, str],
    settings: Settings,
    start: datetime,
    end: datetime,
    scored_at: datetime,
    memory: RowMemory | None = None,
) -> pl.DataFrame:
    """Rows of `tables.FORECASTS`: per feature row with start <= timestamp < end, each target and label, each horizon.

    `frame`: feature rows of one system, sorted by timestamp, with the history that the models look back on.
    `packages`, `versions`: by kind (`tables.MODELS`); a kind that is absent has no model that may serve. Targets are
    `members.served_targets`, horizons are `settings.horizons`.
    `memory`: of earlier calls with the same rows, models and settings; only what is new is computed then.
    Forecasts are in the target's unit and end at its physical range (a relative humidity of 101 % becomes 100 %).

    `ensemble_avg` is the mean of the forecasts of `ensemble_members`; its interval is the mean of their bounds, which
    holds at least its nominal share only as far as the members err together (`prediction_accuracy` measures it).
    `prediction_quality`:
    - `ok`: every model forecast;
    - `fallback`: no model did, the baseline serves as the only member and there is no interval;
    - `model_missing`, `not_covered` (the model was not trained for this target or lead time), `no_window`,
      `stale_input`, `out_of_range_input`, `unknown_target`, ...: why the first absent model did not forecast;
      `ensemble_avg` is then of the others, or null where nothing can be said;
    - of a label: `ok`, or `one_class`: training saw one class only, and the probability is its smoothed share.
    `prediction_reason` names the reason of each absent model.

    Raises ModelUnavailableError when a model is of another grid or needs an absent feature, and TableError when a row
    is there twice.
    """
    from hydro_assets.forecasting.package import SharedRows, predict_all

    require_fitting(packages, frame.columns, settings)
    if twice := frame.height - frame.select(KEYS).n_unique():
        raise TableError(f"{twice} feature rows repeat a (system_id, timestamp)", "Build these feature days again")
    asked = frame.filter(pl.col("timestamp").is_between(start, end, closed="left"))
    origins = asked.select(KEYS)
    targets = served_targets(packages, frame.columns, settings)
    rows = _cells(origins, targets, settings.horizons).join(
        _last_known(frame, targets, settings, start, end), on=(*KEYS, "target"), how="left", maintain_order="left"
    )
    shared = SharedRows(frame, memory)
    rows = rows.join(_baselines(packages, shared, start, end), on=CELL, how="left", maintain_order="left")
    said = predict_all(packages, shared, start, end)
    now = asked.select(name for name in targets if name in frame.columns)
    for kind in MODELS:
        forecast = _forecast(kind, packages.get(kind), said.get(kind), now, settings)
        rows = rows.join(forecast, on=CELL, how="left", maintain_order="left", validate="1:1")
    rows = rows.with_columns(_members(packages)).with_columns(_served())
    labels = _labels(packages.get(LABELLER), shared, settings, start, end)
    return (
        pl.concat([rows, labels], how="diagonal")
        .with_columns(
            date=pl.col("timestamp").dt.date(),
            lead_minutes=pl.col("horizon") * (settings.feature_step.total_seconds() / 60),
            prediction_for=pl.col("timestamp") + pl.col("horizon") * settings.feature_step,
            is_in_training=_is_in_training(packages),
            inference_timestamp=pl.lit(scored_at).cast(pl.Datetime("us", "UTC")),
            **{f"{kind}_version": pl.lit(versions.get(kind), pl.String) for kind in MODELS},
        )
        .select(FORECASTS.column_names)
    )


def _cells(origins: pl.DataFrame, targets: Sequence[str], horizons: Sequence[int]) -> pl.DataFrame:
    """Every origin with every target and horizon, in this order."""
    cells = pl.DataFrame(
        {"target": np.repeat(targets, len(horizons)), "horizon": list(horizons) * len(targets)},
        schema={"target": pl.String, "horizon": pl.Int32},
    )
    return origins.join(cells, how="cross", maintain_order="left_right")


def _last_known(
    frame: pl.DataFrame, targets: Sequence[str], settings: Settings, start: datetime, end: datetime
) -> pl.DataFrame:
    """[keys, target, last_known]: the last step mean; null once it is as old as the gap limit."""
    parts = []
    frame = frame.filter(pl.col("timestamp").is_between(start - settings.gap_limit, end, closed="left"))
    for target in targets:
        value = pl.col(target).fill_nan(None) if target in frame.columns else pl.lit(None, pl.Float64)
        seen = pl.when(value.is_not_null()).then("timestamp").forward_fill()
        parts.append(
            frame.select(*KEYS, target=pl.lit(target), value=value.forward_fill(), seen=seen).select(
                *KEYS,
                "target",
                last_known=pl.when(pl.col("timestamp") - pl.col("seen") < settings.gap_limit).then("value"),
            )
        )
    return pl.concat(parts).filter(pl.col("timestamp").is_between(start, end, closed="left"))


def _baselines(
    packages: Mapping[str, ForecastPackage], rows: SharedRows, start: datetime, end: datetime
) -> pl.DataFrame:
    """[cell, persistence, short_mean, same_time_yesterday]: of the first model that covers the cell."""
    empty = pl.DataFrame(
        schema={
            "system_id": pl.String,
            "timestamp": pl.Datetime("us", "UTC"),
            "target": pl.String,
            "horizon": pl.Int32,
            **dict.fromkeys(BASELINES, pl.Float64),
        }
    )
    parts, covered = [empty], set[tuple[str, int]]()
    for package in packages.values():
        info = package.info
        cells = {(name, h) for name in info.target_names for h in info.horizons}
        if cells <= covered:
            continue
        known = package.baselines(rows, start, end).select(empty.columns)
        parts.append(known)
        covered |= cells
    return pl.concat(parts).unique(CELL, keep="first", maintain_order=True) if len(parts) > 2 else pl.concat(parts)


def _forecast(
    kind: str, package: ForecastPackage | None, said: pl.DataFrame | None, now: pl.DataFrame, settings: Settings
) -> pl.DataFrame:
    """The cell and the columns of one model, each prefixed by its kind; no rows when there is no model."""
    numbers = ("prediction", "baseline", *BOUNDS, "leaving")
    types = {**dict.fromkeys(numbers, pl.Float64), "reason": pl.String}
    if package is None or said is None:
        keys = {"system_id": pl.String, "timestamp": pl.Datetime("us", "UTC"), "target": pl.String, "horizon": pl.Int32}
        return pl.DataFrame(schema={**keys, **{f"{kind}_{name}": dtype for name, dtype in types.items()}})
    low, high = (
        pl.col("target").replace_strict(_limits(side), default=None, return_dtype=pl.Float64) for side in (0, 1)
    )
    possible = [
        pl.when(pl.col(n).is_finite()).then(pl.min_horizontal(pl.max_horizontal(n, low), high)).alias(n)
        for n in ("prediction", "baseline", *BOUNDS)
    ]
    out = (
        said.with_columns(leaving=_leaving(package, said, now, settings))
        .with_columns(possible)
        .with_columns(
            *(pl.when(pl.col("prediction").is_not_null()).then(bound).alias(bound) for bound in (*BOUNDS, "leaving")),
            reason=pl.when(pl.col("prediction").is_not_null())
            .then(pl.lit("ok"))
            .when(pl.col("quality") == "ok")
            .then(pl.lit("no_forecast"))
            .otherwise("quality"),
        )
    )
    return out.select(*CELL, *(pl.col(name).cast(dtype).alias(f"{kind}_{name}") for name, dtype in types.items()))


def _limits(side: int) -> dict[str, float | None]:
    """Physical range of every sensor, lower (0) or upper (1) end."""
    return {name: (column.low, column.high)[side] for name, column in SENSOR.items()}


def _leaving(package: ForecastPackage, said: pl.DataFrame, now: pl.DataFrame, settings: Settings) -> pl.Series:
    """[n * K * H], in the order of `said`: the probability of leaving the band up to each horizon; null without a band.

    `now`: [n] rows with the present values.
    """
    info, bands = package.info, settings.crop.bands()
    shape = now.height, len(info.target_names), len(info.horizons)
    names = ("prediction", "lower_80", "upper_80")
    prediction, low, high = (said[name].fill_null(np.nan).to_numpy().reshape(shape) for name in names)
    leaving = np.full(shape, np.nan)
    for k, target in enumerate(info.target_names):
        if target in bands and target in now.columns:
            band, value = bands[target], now[target].fill_null(np.nan).to_numpy()
            odds = path_log_odds(prediction[:, k], (high - low)[:, k] / 2, band.low, band.high)
            outside = (value < band.low) | (value > band.high)
            leaving[:, k] = leaving_probability(odds, outside, target, info.horizons, info.leaving)
    return pl.Series(leaving.ravel(), dtype=pl.Float64).fill_nan(None)


def _labels(
    package: ForecastPackage | None, rows: SharedRows, settings: Settings, start: datetime, end: datetime
) -> pl.DataFrame:
    """Rows of the labels that the model forecasts; the baseline says that the present state lasts."""
    if package is None or not package.info.labels:
        return pl.DataFrame(schema={"target": pl.String})
    asked = pl.col("label").is_in(settings.labels) & pl.col("horizon").is_in(settings.horizons)
    said = package.probabilities(rows, start, end).filter(asked)
    grid = rows.bases(package.info).grid
    state = pl.concat(
        grid.frame.select(*KEYS, label=pl.lit(name), state=pl.Series(label_values(grid, name)).fill_nan(None))
        for name in package.info.labels
    )
    said = said.join(state, on=(*KEYS, "label"), how="left", maintain_order="left")
    probability = pl.col("probability")
    return said.select(
        *KEYS,
        "horizon",
        target="label",
        **{f"{LABELLER}_prediction": probability},
        ensemble_avg=probability,
        ensemble_members=pl.when(probability.is_not_null()).then(pl.lit(LABELLER)),
        baseline_prediction="state",
        persistence="state",
        prediction_quality="quality",
        prediction_reason=pl.when(pl.col("quality") != "ok").then(pl.concat_str(pl.lit(f"{LABELLER}: "), "quality")),
    )


def _is_in_training(packages: Mapping[str, ForecastPackage]) -> pl.Expr:
    """Whether any model learned from, or was calibrated on, the row."""
    at = pl.col("timestamp")
    learned = [
        (at >= package.info.train_start) & (at < package.info.learned_until)
        for package in packages.values()
        if package.info.train_start is not None and package.info.learned_until is not None
    ]
    return pl.any_horizontal(learned) if learned else pl.lit(False)


def _members(packages: Mapping[str, ForecastPackage]) -> list[pl.Expr]:
    """Which models forecast, what they say together, and what kept the others."""
    kinds = [pl.when(pl.col(f"{k}_prediction").is_not_null()).then(pl.lit(k)) for k in MODELS]
    absent_as = {k: "not_covered" if k in packages else "model_missing" for k in MODELS}
    reasons = {k: pl.col(f"{k}_reason").fill_null(absent_as[k]) for k in MODELS}
    absent = [pl.when(reason != "ok").then(pl.concat_str(pl.lit(f"{k}: "), reason)) for k, reason in reasons.items()]
    # A model that was there and could not forecast this row says more than one that is not there at all.
    spoken = [pl.when(pl.col(f"{k}_reason") != "ok").then(f"{k}_reason") for k in MODELS]
    missing = [pl.when(pl.col(f"{k}_reason").is_null()).then(pl.lit(absent_as[k])) for k in MODELS]
    return [
        pl.concat_list(kinds).list.drop_nulls().list.join(",").alias("learned"),
        pl.mean_horizontal(*(f"{k}_prediction" for k in MODELS)).alias("learned_avg"),
        *(pl.mean_horizontal(*(f"{k}_{bound}" for k in MODELS)).alias(bound) for bound in BOUNDS),
        pl.mean_horizontal(*(f"{k}_leaving" for k in MODELS)).alias("leaving_probability"),
        pl.coalesce(*(f"{k}_baseline" for k in MODELS), "last_known").alias("baseline_prediction"),
        pl.coalesce("persistence", "last_known").alias("persistence"),
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
