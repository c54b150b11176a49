"""Errors of stored predictions once their truth is known: pure functions of frames."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from hydro_assets.forecasting.windows import SegmentGrid
from hydro_assets.lakehouse.lakehouse import POLARS_TYPES
from hydro_assets.scoring.score_system import BOUNDS
from hydro_assets.settings import Settings
from hydro_assets.tables import KEYS, MODELS, PREDICTION_ACCURACY

ALL_SYSTEMS = "all"
SCHEMA = {c.name: POLARS_TYPES[c.type] for c in PREDICTION_ACCURACY.columns}
GROUP = ("date", "system_id", "target_col", "model", "version", "horizon")
NEEDED = (
    *KEYS,
    "horizon",
    "prediction_for",
    "target_col",
    *(f"{m}_prediction" for m in MODELS),
    *(f"{m}_version" for m in MODELS),
    "ensemble_avg",
    "ensemble_members",
    "baseline_prediction",
    *BOUNDS,
    "lightgbm_optimal_probability",
)
"""Columns of batch_predictions that are read."""


def accuracy_by_system(
    predictions: pl.DataFrame, features: pl.DataFrame, settings: Settings, start: datetime, end: datetime
) -> pl.DataFrame:
    """Rows of `columns.PREDICTION_ACCURACY` for predictions whose truth is stamped start <= prediction_for < end.

    `features`: the rows from the first origin to the last truth. The truth is the target's step mean at
    `prediction_for`, unknown where a gap lies between it and the origin. Predictions of another target than
    `settings.target_col` have no truth here. Where nothing is known there is no row.
    """
    due = predictions.filter(
        pl.col("prediction_for").is_between(start, end, closed="left"), pl.col("target_col") == settings.target_col
    )
    horizons = due["horizon"].unique().sort().to_list()
    truth = truth_ahead(features, settings.target_col, horizons, settings).rename({"value": "truth"})
    label = truth_ahead(features, "is_env_optimal", horizons, settings).rename({"value": "label"})
    on = [*KEYS, "horizon"]
    known = due.join(truth, on=on, how="left").join(label, on=on, how="left")
    return _metrics(pl.concat(_by_model(known)))


def with_all_systems(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` of single systems, and for each day, model, version and horizon one row of all systems together."""
    keys = [name for name in GROUP if name != "system_id"]
    means = {
        "n": ("mae", "bias", "baseline_mae", "coverage_80", "coverage_95"),
        "n_classified": ("brier", "mean_probability", "optimal_share"),
    }
    pooled = rows.group_by(keys).agg(
        pl.col("n").sum(),
        pl.col("n_classified").sum(),
        _mean(pl.col("rmse") ** 2, "n").sqrt().alias("rmse"),
        *(_mean(pl.col(name), weight).alias(name) for weight, names in means.items() for name in names),
    )
    pooled = pooled.with_columns(_skill(), system_id=pl.lit(ALL_SYSTEMS))
    return pl.concat([rows, pooled.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())]).sort(GROUP)


def truth_ahead(features: pl.DataFrame, column: str, horizons: list[int], settings: Settings) -> pl.DataFrame:
    """[system_id, timestamp, horizon, value]: `column` `horizon` steps after each row, where known, same segment."""
    grid = SegmentGrid.of(features, settings.feature_step, settings.gap_limit, 0)
    ahead = grid.ahead(column, horizons)  # [R, H]
    empty = pl.DataFrame(
        schema={"system_id": pl.String, "timestamp": pl.Datetime("us", "UTC"), "horizon": pl.Int32, "value": pl.Float64}
    )
    parts = [
        grid.frame.select(*KEYS, horizon=pl.lit(h, pl.Int32), value=pl.Series(ahead[:, j], dtype=pl.Float64))
        for j, h in enumerate(horizons)
    ]
    return pl.concat([empty, *parts]).with_columns(pl.col("value").fill_nan(None)).drop_nulls("value")


def _by_model(known: pl.DataFrame) -> list[pl.DataFrame]:
    """Per model: what it forecast, beside the truth."""
    null, text = pl.lit(None, pl.Float64), pl.lit(None, pl.String)
    is_learned = pl.col("ensemble_members") != "baseline"
    members = [(m, pl.col(f"{m}_prediction"), pl.col(f"{m}_version"), m == "lightgbm", False) for m in MODELS]
    others = [
        ("ensemble", pl.when(is_learned).then("ensemble_avg"), text, False, True),
        ("baseline", pl.col("baseline_prediction"), text, False, False),
    ]
    probability = pl.when(pl.col("label").is_not_null()).then("lightgbm_optimal_probability")
    return [
        known.select(
            "system_id",
            *("horizon", "target_col", "truth", "label", "baseline_prediction"),
            date=pl.col("prediction_for").dt.date(),
            model=pl.lit(name),
            version=version,
            forecast=forecast,
            probability=probability if classifies else null,
            **{b: pl.when(is_learned).then(b) if has_interval else null for b in BOUNDS},
        )
        for name, forecast, version, classifies, has_interval in [*members, *others]
    ]


def _metrics(long: pl.DataFrame) -> pl.DataFrame:
    error = pl.col("forecast") - pl.col("truth")
    baseline_error = pl.when(error.is_not_null()).then(pl.col("baseline_prediction") - pl.col("truth"))
    label = pl.when(pl.col("probability").is_not_null()).then("label")
    rows = long.group_by(GROUP).agg(
        n=error.count(),
        mae=error.abs().mean(),
        rmse=(error**2).mean().sqrt(),
        bias=error.mean(),
        baseline_mae=baseline_error.abs().mean(),
        coverage_80=pl.col("truth").is_between("lower_80", "upper_80").mean(),
        coverage_95=pl.col("truth").is_between("lower_95", "upper_95").mean(),
        n_classified=label.count(),
        brier=((pl.col("probability") - label) ** 2).mean(),
        mean_probability=pl.col("probability").mean(),
        optimal_share=label.mean(),
    )
    rows = rows.filter((pl.col("n") > 0) | (pl.col("n_classified") > 0)).with_columns(_skill())
    return rows.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items()).sort(GROUP)


def _skill() -> pl.Expr:
    return pl.when(pl.col("baseline_mae") > 0).then(1 - pl.col("mae") / pl.col("baseline_mae")).alias("skill")


def _mean(value: pl.Expr, weight: str) -> pl.Expr:
    """Mean of `value` weighted by the count in `weight`, over the rows that have a value."""
    counted = pl.when(value.is_not_null()).then(pl.col(weight))
    return pl.when(counted.sum() > 0).then((value * counted).sum() / counted.sum())
