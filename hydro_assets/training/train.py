"""Train one model from feature rows: split, baselines, fit, floor, intervals, metrics, package."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from hydro_assets import columns
from hydro_assets.errors import DataContractError, TrainingError
from hydro_assets.models.blend import Blend
from hydro_assets.models.contract import Forecaster, Samples, Task
from hydro_assets.models.origin import input_columns
from hydro_assets.models.package import DataFacts, FeatureReference, ForecastPackage, PackageInfo
from hydro_assets.models.simple import SimpleForecasts
from hydro_assets.models.windows import SegmentGrid
from hydro_assets.settings import Settings
from hydro_assets.training import conformal
from hydro_assets.training.classification import classification_metrics
from hydro_assets.training.importance import permutation_importance
from hydro_assets.training.metrics import BASELINES, forecast_metrics
from hydro_assets.training.result import Holdout, TrainingResult
from hydro_assets.training.splits import Split, split_by_time

__all__ = ["DataFacts", "TrainingResult", "train"]

MEASURED_PARTS = ("validation", "holdout")


def train(
    kind: str,
    features: pl.DataFrame,
    settings: Settings,
    *,
    horizons: Sequence[int] | None = None,
    data_facts: DataFacts | None = None,
    split: Split | None = None,
    on_progress: Callable[[str], None] | None = None,
) -> TrainingResult:
    """Train `kind` (lstm, gru, lightgbm) to forecast `settings.target_col`.

    Args:
        features: rows of sensor_features, one or more systems, any order.
        horizons: steps ahead; default 1 .. settings.forecast_horizon.
        split: parts to learn, validate and hold out; default by the shares in `settings`.

    Raises:
        DataContractError: too few rows, or the target is not there.
        TrainingError: nothing can be learned.
    """
    log: list[str] = []

    def report(line: str) -> None:
        log.append(line)
        if on_progress is not None:
            on_progress(line)

    step = settings.feature_step
    task = Task.of(
        settings.target_col,
        tuple(horizons or range(1, settings.forecast_horizon + 1)),
        settings.sequence_length,
        step,
        settings.gap_limit,
    )
    _check(features, task, settings)
    grid = SegmentGrid.of(features, step, settings.gap_limit, task.history_steps - 1)
    every = np.arange(len(grid))
    truth = grid.ahead(task.target, task.horizons)
    embargo = step * (task.sequence_length + max(task.horizons))
    split = split or split_by_time(grid.times, step, embargo, settings.train_share, settings.validation_share)
    parts = _parts(split, grid, truth, task)
    report(", ".join(f"{p}: {rows.size} rows" for p, rows in parts.items()))

    samples = Samples(grid, truth, truth, parts["train"], parts["validation"])
    simple, notes = SimpleForecasts.fit(samples, task, report)
    simple_forecasts = simple.forecasts(grid, every)
    anchor = simple.anchor(grid, every, truth, simple_forecasts)
    forecaster = make_forecaster(kind, task, settings)
    fitted = forecaster.fit(replace(samples, anchor=anchor), report)
    learned = forecaster.predict(grid, every, anchor)

    fit_on = parts["validation"]
    blend = Blend.fit(
        truth[fit_on], {n: f[fit_on] for n, f in simple_forecasts.items()}, anchor[fit_on], learned[fit_on]
    )
    forecast, expected = blend.combine(grid, every, truth, simple_forecasts, anchor, learned, task.horizons)
    quantiles = conformal.quantiles(truth[fit_on], forecast[fit_on], expected[fit_on])
    notes += fitted.notes
    notes += [
        f"{h} steps ahead: better baseline {n}, trusted share of the learned change {w:.2f}"
        for h, n, w in zip(task.horizons, simple.baseline, blend.share, strict=True)
    ]

    if np.isnan(learned).all():
        notes.append(f"{kind} was trained for classification only: it forecasts no {task.target}")
    measured = {n: simple_forecasts[n] for n in BASELINES}
    measured |= {} if np.isnan(forecast).all() else {kind: forecast}
    metrics = pl.concat(
        [
            forecast_metrics(
                p,
                truth[parts[p]],
                {n: f[parts[p]] for n, f in measured.items()},
                task.horizons,
                grid.systems[parts[p]],
                settings.seed,
            )
            for p in MEASURED_PARTS
        ]
    )
    params = _params(kind, task, settings)
    inputs = dict.fromkeys([*forecaster.describe_inputs(), *simple.describe_inputs()])
    info = _describe(kind, task, settings, grid, parts["train"]).model_copy(
        update={
            "features": tuple(c for c in inputs if c in features.columns),
            "feature_units": {c: _unit(c) for c in inputs if c in features.columns},
            "data": data_facts or DataFacts(),
            "train_start": split.train_start,
            "train_end": split.train_end,
            "split": split.describe(),
            "params": params,
            "notes": tuple(notes),
            "metrics": tuple(metrics.filter(pl.col("system_id") == "all").to_dicts()),
        }
    )
    held = parts["holdout"]
    label = grid.ahead("is_env_optimal", task.horizons)
    said = forecaster.optimal_probability(grid, every, anchor)
    holdout = Holdout(
        grid.times[held],
        grid.systems[held],
        truth[held],
        {n: f[held] for n, f in measured.items()},
        quantiles[0] * expected[held],
        label[held],
        said[held],
    )
    return TrainingResult(
        package=ForecastPackage(info, simple, forecaster, blend, quantiles),
        metrics=metrics,
        classification=None
        if np.isnan(said).all()
        else pl.concat(
            [classification_metrics(p, label[parts[p]], said[parts[p]], task.horizons) for p in MEASURED_PARTS]
        ),
        history=fitted.history,
        split=split,
        log=log,
        params=params,
        importance=fitted.importance,
        permutation=permutation_importance(forecaster, fitted.importance, grid, held, anchor, truth, settings.seed),
        holdout=holdout,
    )


def _parts(split: Split, grid: SegmentGrid, truth: np.ndarray, task: Task) -> dict[str, np.ndarray]:
    """Rows of train, validation and holdout whose truth is known at some horizon."""
    known_rows = np.flatnonzero(np.isfinite(truth).any(axis=1))
    of_part = {p: split.rows(p, grid.times) for p in ("train", "validation", "holdout")}
    parts = {p: np.intersect1d(rows, known_rows) for p, rows in of_part.items()}
    empty = [p for p, rows in parts.items() if rows.size == 0]
    if empty:
        raise DataContractError(
            f"no row of {', '.join(empty)} has a known {task.target} {task.horizons} steps ahead",
            "Give a longer history without gaps, or shorter horizons",
        )
    return parts


def make_forecaster(kind: str, task: Task, settings: Settings) -> Forecaster:
    """An untrained forecaster; torch and LightGBM are imported only here."""
    if kind in ("lstm", "gru"):
        from hydro_assets.models.recurrent import RecurrentForecaster

        return RecurrentForecaster(kind, task, settings.recurrent, settings.seed)
    if kind == "lightgbm":
        from hydro_assets.models.gradient_boosting import LightGBMForecaster

        return LightGBMForecaster(task, settings.lightgbm, settings.seed)
    raise TrainingError(f"'{kind}' is not a kind of model", f"Choose one of {', '.join(columns.MODELS)}")


def _check(features: pl.DataFrame, task: Task, settings: Settings) -> None:
    problems = [
        f"the features have no column {c}" for c in ("system_id", "timestamp", task.target) if c not in features.columns
    ]
    if not problems:
        if not features.schema[task.target].is_numeric():
            problems.append(f"{task.target} is not a number and cannot be forecast")
        known = features.height - features[task.target].null_count()
        if known < settings.minimum_records:
            problems.append(f"{known} rows have a {task.target}, {settings.minimum_records} are needed")
    if problems:
        raise DataContractError.of_all(problems, "Choose a target_col that this farm measures, or give more history")


def _describe(kind: str, task: Task, settings: Settings, grid: SegmentGrid, train: np.ndarray) -> PackageInfo:
    """Facts of the task and of the training rows; the caller adds what was learned and measured."""
    seen = grid.values(task.target)[train]
    return PackageInfo(
        kind=kind,
        target_col=task.target,
        unit=_unit(task.target),
        step_seconds=settings.feature_step.total_seconds(),
        gap_limit_seconds=settings.gap_limit.total_seconds(),
        sequence_length=task.sequence_length,
        horizons=task.horizons,
        min_window_coverage=settings.min_window_coverage,
        systems=tuple(sorted(set(map(str, grid.systems[train])))),
        train_rows=int(train.size),
        target_low=float(np.nanmin(seen)),
        target_high=float(np.nanmax(seen)),
        reference=_reference(grid, train),
    )


def _reference(grid: SegmentGrid, rows: np.ndarray) -> dict[str, FeatureReference]:
    reference = {}
    for name in input_columns(grid.frame):
        values = grid.values(name)[rows]
        known = values[~np.isnan(values)]
        deciles = np.quantile(known, np.linspace(0, 1, 11)).tolist() if known.size else []
        reference[name] = FeatureReference(deciles=tuple(deciles), missing_share=1 - known.size / max(values.size, 1))
    return reference


def _params(kind: str, task: Task, settings: Settings) -> dict[str, Any]:
    own = settings.lightgbm if kind == "lightgbm" else settings.recurrent
    return {
        "model_type": kind,
        "target_col": task.target,
        "horizons": list(task.horizons),
        "sequence_length": task.sequence_length,
        "feature_step_seconds": settings.feature_step.total_seconds(),
        "seed": settings.seed,
        "train_share": settings.train_share,
        "validation_share": settings.validation_share,
        **own.model_dump(),
    }


def _unit(name: str) -> str:
    sensor = next((s for s in columns.SENSORS if name == s.name or name.startswith(f"{s.name}_")), None)
    return "" if sensor is None else sensor.unit
