"""Errors of stored forecasts once the actual values are known: pure functions of frames."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from hydro_assets.forecasting.grid import TimeGrid
from hydro_assets.forecasting.labels import label_values
from hydro_assets.lakehouse.tables import POLARS_TYPES
from hydro_assets.settings import Settings
from hydro_assets.tables import ALL_SYSTEMS, BASELINES, BOUNDS, KEYS, MODELS, PREDICTION_ACCURACY, SENSOR
from hydro_assets.training.fit_leaving import path_left_band

SCHEMA = {c.name: POLARS_TYPES[c.type] for c in PREDICTION_ACCURACY.columns}
GROUP = ("date", "system_id", "target", "model", "version", "horizon", "lead_minutes", "is_in_training")
NEEDED = (
    *KEYS,
    "target",
    "horizon",
    "lead_minutes",
    "prediction_for",
    "is_in_training",
    *(f"{m}_prediction" for m in MODELS),
    *(f"{m}_version" for m in MODELS),
    "ensemble_avg",
    "ensemble_members",
    "baseline_prediction",
    *BASELINES,
    *BOUNDS,
    "leaving_probability",
)
"""Columns of forecasts that are read."""
_MEANS = {
    "n": ("mae", "bias", "coverage_80", "coverage_95", *(f"{name}_mae" for name in BASELINES)),
    "n_events": ("brier", "mean_probability", "event_share"),
    "n_foreseen": ("hit_rate",),
}
"""Columns that are means, by the count of what they are means of."""


def accuracy_by_system(
    forecasts: pl.DataFrame, features: pl.DataFrame, settings: Settings, start: datetime, end: datetime
) -> pl.DataFrame:
    """Rows of `tables.PREDICTION_ACCURACY` for forecasts whose actual value is stamped start <= prediction_for < end.

    `features`: the rows from the first origin to the last actual value, sorted. Where nothing is known there is no row.
    """
    due = forecasts.filter(pl.col("prediction_for").is_between(start, end, closed="left"))
    targets = due["target"].unique().sort().to_list()
    grid = TimeGrid.of(features, settings.feature_step, settings.gap_limit)
    values = {t: pl.Series(grid.values(t) if t in SENSOR else label_values(grid, t)) for t in targets}
    actual = (
        grid.frame.select(KEYS)
        .with_columns(**values)
        .unpivot(targets, index=KEYS, variable_name="target", value_name="actual")
        .with_columns(pl.col("actual").fill_nan(None))
    )
    known = due.join(
        actual.rename({"timestamp": "prediction_for"}), on=("system_id", "prediction_for", "target"), how="left"
    ).join(_left(due, grid.frame, settings), on=[*KEYS, "target", "horizon"], how="left")
    # Means of floats depend on the order of their rows, and an engine gives rows in any.
    return _metrics(pl.concat(_by_model(known.sort(*KEYS, "target", "horizon"))))


def with_all_systems(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` of single systems, and for each day, model, version, target and horizon one row of all of them."""
    keys = [name for name in GROUP if name != "system_id"]
    pooled = (
        rows.sort(GROUP)
        .group_by(keys)
        .agg(
            pl.col(*_MEANS).sum(),
            _mean(pl.col("rmse") ** 2, "n").sqrt().alias("rmse"),
            *(_mean(pl.col(name), weight).alias(name) for weight, names in _MEANS.items() for name in names),
        )
    )
    pooled = pooled.with_columns(_best_baseline()).with_columns(_skill(), system_id=pl.lit(ALL_SYSTEMS))
    return pl.concat([rows, pooled.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())]).sort(GROUP)


def _left(due: pl.DataFrame, features: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """[cell, left]: whether the target left its band on the way, where it was inside at the start."""
    parts = [due.select(*KEYS, "target", "horizon", left=pl.lit(None, pl.Boolean)).clear()]
    for target, band in settings.crop.bands().items():
        horizons = due.filter(pl.col("target") == target)["horizon"].unique().sort().to_list()
        if horizons and target in features.columns:
            left = path_left_band(features, target, band, horizons, settings.feature_step)
            inside = left.filter(~pl.col("is_outside")).with_columns(target=pl.lit(target))
            parts.append(inside.select(parts[0].columns))
    return pl.concat(parts)


def _by_model(known: pl.DataFrame) -> list[pl.DataFrame]:
    """Per model: what it forecast, beside what came; for a label, and for leaving the band, a probability."""
    null, text = pl.lit(None, pl.Float64), pl.lit(None, pl.String)
    is_sensor = pl.col("target").is_in(list(SENSOR))
    is_learned = pl.col("ensemble_members") != "baseline"
    label = pl.when(~is_sensor).then("actual")
    members = [
        (m, pl.col(f"{m}_prediction"), pl.col(f"{m}_version"), pl.when(~is_sensor).then(f"{m}_prediction"), label)
        for m in MODELS
    ]
    leaving = pl.when(is_learned & is_sensor).then("leaving_probability")
    others = [
        ("ensemble", pl.when(is_learned).then("ensemble_avg"), text, leaving, pl.col("left").cast(pl.Float64)),
        ("baseline", pl.col("baseline_prediction"), text, null, null),
    ]
    return [
        known.select(
            *("system_id", "target", "horizon", "lead_minutes", "is_in_training"),
            date=pl.col("prediction_for").dt.date(),
            model=pl.lit(name),
            version=version,
            actual=pl.when(is_sensor).then("actual"),
            forecast=pl.when(is_sensor).then(forecast),
            # A baseline that knows no yesterday says the last value.
            **{b: pl.coalesce(b, "persistence") for b in BASELINES},
            **{b: pl.when(is_learned).then(b) if name == "ensemble" else null for b in BOUNDS},
            probability=pl.when(event.is_not_null()).then(probability),
            event=pl.when(probability.is_not_null()).then(event),
        )
        for name, forecast, version, probability, event in [*members, *others]
    ]


def _metrics(long: pl.DataFrame) -> pl.DataFrame:
    actual = pl.col("actual")
    error = pl.col("forecast") - actual
    is_foreseen = pl.col("probability") >= 0.5
    baselines = {f"{b}_mae": pl.when(error.is_not_null()).then((pl.col(b) - actual).abs()).mean() for b in BASELINES}
    rows = long.group_by(GROUP).agg(
        n=error.count(),
        mae=error.abs().mean(),
        rmse=(error**2).mean().sqrt(),
        bias=error.mean(),
        **baselines,
        coverage_80=actual.is_between("lower_80", "upper_80").mean(),
        coverage_95=actual.is_between("lower_95", "upper_95").mean(),
        n_events=pl.col("event").count(),
        brier=((pl.col("probability") - pl.col("event")) ** 2).mean(),
        mean_probability=pl.col("probability").mean(),
        event_share=pl.col("event").mean(),
        n_foreseen=is_foreseen.sum(),
        hit_rate=pl.when(is_foreseen).then("event").mean(),
    )
    rows = rows.filter((pl.col("n") > 0) | (pl.col("n_events") > 0))
    rows = rows.with_columns(_best_baseline()).with_columns(_skill())
    return rows.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items()).sort(GROUP)


def _best_baseline() -> list[pl.Expr]:
    """The rule of `baseline` everywhere: of the three, the best on the rows that are measured."""
    errors = [pl.col(f"{b}_mae") for b in BASELINES]
    best = pl.min_horizontal(errors)
    names = [pl.when(error == best).then(pl.lit(b)) for b, error in zip(BASELINES, errors, strict=True)]
    return [pl.coalesce(names).alias("baseline"), best.alias("baseline_mae")]


def _skill() -> pl.Expr:
    return pl.when(pl.col("baseline_mae") > 0).then(1 - pl.col("mae") / pl.col("baseline_mae")).alias("skill")


def _mean(value: pl.Expr, weight: str) -> pl.Expr:
    """Mean of `value` weighted by the count in `weight`, over the rows that have a value."""
    counted = pl.when(value.is_not_null()).then(pl.col(weight))
    return pl.when(counted.sum() > 0).then((value * counted).sum() / counted.sum())
