"""Train one model from feature rows: split, base forecasts, fit, intervals, refit, metrics, package."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from hydro_assets import tables
from hydro_assets.errors import TrainingError
from hydro_assets.forecasting.info import DataFacts
from hydro_assets.forecasting.package import ForecastPackage
from hydro_assets.settings import Settings
from hydro_assets.training.classification import class_notes, classification_metrics
from hydro_assets.training.describe import describe
from hydro_assets.training.fit import FittedBases, fit
from hydro_assets.training.fit_leaving import fit_leaving
from hydro_assets.training.importance import permutation_importance
from hydro_assets.training.metrics import coverage_notes, forecast_metrics
from hydro_assets.training.prepare import PARTS, prepare
from hydro_assets.training.result import TrainingResult
from hydro_assets.training.splits import Split

__all__ = ["DataFacts", "TrainingResult", "train"]


def train(
    kind: str,
    features: pl.DataFrame,
    settings: Settings,
    *,
    data_facts: DataFacts | None = None,
    split: Split | None = None,
    on_progress: Callable[[str], None] | None = None,
) -> TrainingResult:
    """Train `kind` (lstm, gru, lightgbm) to forecast the targets of `settings` at its horizons.

    Args:
        features: rows of sensor_features, one or more systems, any order.
        split: parts to learn, validate and hold out; default by the shares in `settings`.

    Raises:
        DataContractError: too few rows, or no target is there.
        TrainingError: nothing can be learned.
    """
    log: list[str] = []

    def report(line: str) -> None:
        log.append(line)
        if on_progress is not None:
            on_progress(line)

    if kind not in tables.MODELS:
        raise TrainingError(f"'{kind}' is not a kind of model", f"Choose one of {', '.join(tables.MODELS)}")
    data = prepare(features, settings, split)
    report(f"{', '.join(data.task.targets)}, {', '.join(map(str, data.task.horizons))} steps ahead")
    report(", ".join(f"{part}: {rows.size} rows" for part, rows in data.parts.items()))
    bases = FittedBases.fit(data)
    fitted = fit(kind, bases, settings, report)
    baseline = {base.target: base.baseline for base in bases.served}
    metrics = pl.concat(
        forecast_metrics(part, fitted.outcomes[part], data.task, baseline, settings.seed) for part in PARTS
    )
    labels = fitted.learner.labels
    scores = [
        classification_metrics(part, fitted.outcomes[part], labels, data.task.horizons, settings.seed) for part in PARTS
    ]
    inputs = [*fitted.learner.describe_inputs(), *(c for base in bases.served for c in base.describe_inputs())]
    notes = fitted.notes + class_notes(labels, fitted.outcomes) + coverage_notes(metrics)
    info = describe(fitted.learner, data, settings, inputs, baseline, metrics, notes, data_facts)
    package = ForecastPackage(info, fitted.models, fitted.learner)
    leaving = fit_leaving(package, data.grid.frame, settings.crop.bands(), data.split.validation_end)
    package.info = info.model_copy(update={"leaving": leaving.calibrations})
    gain = fitted.trained.importance
    return TrainingResult(
        package=package,
        metrics=metrics,
        classification=pl.concat(scores) if labels else None,
        history=fitted.trained.history,
        split=data.split,
        log=log,
        params=info.params,
        importance=gain,
        permutation=permutation_importance(fitted.learner, gain, bases, settings.seed),
        holdout=fitted.outcomes["holdout"],
        leaving=leaving.metrics,
        leaving_reliability=leaving.reliability,
    )
