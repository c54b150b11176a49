"""Train one model from feature rows: split, baselines, fit, floor, intervals, metrics, package."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from hydro_assets import tables
from hydro_assets.errors import TrainingError
from hydro_assets.forecasting.baselines import BASELINES
from hydro_assets.forecasting.blend import Blend
from hydro_assets.forecasting.contract import FitNotes, Forecaster, Report, Task
from hydro_assets.forecasting.package import DataFacts, ForecastPackage
from hydro_assets.forecasting.simple import SimpleForecasts
from hydro_assets.settings import Settings
from hydro_assets.training import conformal
from hydro_assets.training.classification import class_notes, classification_metrics
from hydro_assets.training.describe import describe
from hydro_assets.training.importance import permutation_importance
from hydro_assets.training.metrics import coverage_notes, forecast_metrics
from hydro_assets.training.outcomes import Outcomes
from hydro_assets.training.prepare import PARTS, TrainingData, prepare
from hydro_assets.training.result import TrainingResult
from hydro_assets.training.splits import Split

__all__ = ["DataFacts", "TrainingResult", "train"]


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

    steps = tuple(horizons or range(1, settings.forecast_horizon + 1))
    task = Task.of(settings.target_col, steps, settings.sequence_length, settings.feature_step, settings.gap_limit)
    forecaster = make_forecaster(kind, task, settings)
    data = prepare(features, task, settings, split)
    report(", ".join(f"{part}: {rows.size} rows" for part, rows in data.parts.items()))
    fitted = fit(forecaster, data, report)
    parts = {part: fitted.outcomes.of(rows) for part, rows in data.parts.items()}
    metrics = pl.concat([forecast_metrics(part, parts[part], steps, settings.seed) for part in PARTS])
    scores = [classification_metrics(part, parts[part], steps, settings.seed) for part in PARTS]
    inputs = [*forecaster.describe_inputs(), *fitted.simple.describe_inputs()]
    notes = fitted.notes + coverage_notes(metrics)
    info = describe(kind, data, settings, inputs, metrics, notes, data_facts)
    gain, held = fitted.told.importance, data.parts["holdout"]
    return TrainingResult(
        package=ForecastPackage(info, fitted.simple, forecaster, fitted.blend, fitted.quantiles),
        metrics=metrics,
        classification=None if np.isnan(fitted.outcomes.probability).all() else pl.concat(scores),
        history=fitted.told.history,
        split=data.split,
        log=log,
        params=info.params,
        importance=gain,
        permutation=permutation_importance(forecaster, gain, data.grid, held, fitted.anchor, data.truth, settings.seed),
        holdout=parts["holdout"],
    )


@dataclass(frozen=True)
class Fitted:
    """What makes a package beside its forecaster, what the learner told, and what the package says of every row.

    Attributes:
        quantiles: [L, H] conformal quantiles of error / expected error.
        anchor: [R, H] combined simple forecast.
    """

    simple: SimpleForecasts
    blend: Blend
    quantiles: np.ndarray
    told: FitNotes
    notes: list[str]
    anchor: np.ndarray
    outcomes: Outcomes


def fit(forecaster: Forecaster, data: TrainingData, report: Report) -> Fitted:
    """Learn the change from the simple forecasts, then find on validation how far to trust it; and the intervals."""
    task, grid, every, truth = data.task, data.grid, data.every, data.truth
    simple, notes = SimpleForecasts.fit(data.samples(anchor=truth), task, report)
    simple_forecasts = simple.forecasts(grid, every)
    anchor, anchor_error = simple.combined(grid, every, truth, simple_forecasts)
    told = forecaster.fit(data.samples(anchor), report)
    learned = forecaster.predict(grid, every, anchor)

    calibration = data.parts["validation"]
    blend = Blend.fit(
        truth[calibration],
        {name: forecast[calibration] for name, forecast in simple_forecasts.items()},
        anchor[calibration],
        learned[calibration],
    )
    forecast, expected = blend.combine(grid, every, truth, simple_forecasts, anchor, learned, task.horizons)
    train = data.parts["train"]
    # A short validation part holds few independent errors of a long horizon, and may be a quiet time. How far errors
    # exceed the recent ones is a matter of the series more than of the model: the long training part says it too, by
    # the simple forecasts, which hardly fit it.
    quantiles = np.fmax(
        conformal.quantiles(truth[calibration], forecast[calibration], expected[calibration]),
        conformal.quantiles(truth[train], anchor[train], anchor_error[train]),
    )
    notes += told.notes + [
        f"{h} steps ahead: better baseline {name}, trusted share of the learned change {share:.2f}"
        for h, name, share in zip(task.horizons, simple.baseline, blend.share, strict=True)
    ]
    label = grid.ahead("is_env_optimal", task.horizons)
    probability = forecaster.optimal_probability(grid, every, anchor)
    if not np.isnan(probability).all():
        notes += class_notes(label, data.parts)
    measured = {name: simple_forecasts[name] for name in BASELINES}
    if np.isnan(learned).all():
        notes.append(f"{forecaster.kind} was trained for classification only: it forecasts no {task.target}")
    else:
        measured[forecaster.kind] = forecast
    outcomes = Outcomes(
        grid.times,
        grid.systems,
        truth,
        measured,
        half_width=quantiles[:, None, :] * expected,  # [L, H], [R, H] -> [L, R, H]
        optimal=label,
        probability=probability,
    )
    return Fitted(simple, blend, quantiles, told, notes, anchor, outcomes)


def make_forecaster(kind: str, task: Task, settings: Settings) -> Forecaster:
    """An untrained forecaster; torch and LightGBM are imported only here."""
    if kind in ("lstm", "gru"):
        from hydro_assets.forecasting.recurrent import RecurrentForecaster

        return RecurrentForecaster(kind, task, settings.recurrent, settings.seed)
    if kind == "lightgbm":
        from hydro_assets.forecasting.gradient_boosting import LightGBMForecaster

        return LightGBMForecaster(task, settings.lightgbm, settings.seed)
    raise TrainingError(f"'{kind}' is not a kind of model", f"Choose one of {', '.join(tables.MODELS)}")
