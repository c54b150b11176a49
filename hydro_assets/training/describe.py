"""What a package says of itself: the task, the rows it was trained on, what it reads and how good it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from hydro_assets import tables
from hydro_assets.forecasting.grid import TimeGrid
from hydro_assets.forecasting.info import DataFacts, FeatureReference, PackageInfo, ReadingFacts, TargetInfo
from hydro_assets.forecasting.learner import Learner
from hydro_assets.forecasting.row_features import input_columns
from hydro_assets.settings import Settings
from hydro_assets.training.metrics import SCORES
from hydro_assets.training.prepare import TrainingData


def describe(
    learner: Learner,
    data: TrainingData,
    settings: Settings,
    inputs: Sequence[str],
    baseline: dict[str, tuple[str, ...]],
    metrics: pl.DataFrame,
    notes: list[str],
    data_facts: DataFacts | None,
) -> PackageInfo:
    """The facts of a trained package; `inputs`: feature columns that it reads, as far as the farm has them."""
    task, split, rows = data.task, data.split, data.before_holdout
    features = tuple(c for c in dict.fromkeys(inputs) if c in data.grid.frame.columns)
    return PackageInfo(
        kind=learner.kind,
        primary=data.primary,
        targets=tuple(_target(data, name, rows) for name in task.targets),
        horizons=task.horizons,
        labels=learner.labels,
        baseline=baseline,
        step_seconds=settings.feature_step.total_seconds(),
        gap_limit_seconds=settings.gap_limit.total_seconds(),
        sequence_length=task.sequence_length,
        min_window_coverage=settings.min_window_coverage,
        features=features,
        feature_units={c: _unit(c) for c in features},
        systems=tuple(sorted(set(map(str, data.grid.systems[rows])))),
        data=data_facts or DataFacts(),
        train_start=split.train_start,
        train_end=split.validation_end,
        train_rows=int(rows.size),
        split=split.describe(),
        params=parameters(learner.kind, data, settings),
        metrics=_summary(metrics),
        notes=tuple(notes),
        reference=_reference(data.grid, rows),
        readings=_readings(data.grid.frame.columns, settings),
    )


def _readings(columns: Sequence[str], settings: Settings) -> ReadingFacts:
    sensors = tuple(name for name in tables.SENSOR if name in columns)
    return ReadingFacts(
        sensors=sensors,
        actuators=tuple(name for name in tables.ACTUATOR_COLUMNS if name in columns),
        bands={name: (band.low, band.high) for name, band in settings.crop.bands().items() if name in sensors},
        timezone=settings.timezone,
    )


def _target(data: TrainingData, name: str, rows: np.ndarray) -> TargetInfo:
    seen = data.grid.values(name)[rows]
    return TargetInfo(name=name, unit=_unit(name), low=float(np.nanmin(seen)), high=float(np.nanmax(seen)))


def parameters(kind: str, data: TrainingData, settings: Settings) -> dict[str, Any]:
    """Parameters of the model and of its training."""
    task = data.task
    own = settings.lightgbm if kind == "lightgbm" else settings.recurrent
    return {
        "model_type": kind,
        "target_col": data.primary,
        "targets": list(task.targets),
        "horizons": list(task.horizons),
        "sequence_length": task.sequence_length,
        "feature_step_seconds": settings.feature_step.total_seconds(),
        "seed": settings.seed,
        "train_share": settings.train_share,
        "validation_share": settings.validation_share,
        "labels": list(settings.labels),
        **own.model_dump(),
    }


def _summary(metrics: pl.DataFrame) -> tuple[dict[str, Any], ...]:
    """Scores of all systems together on rows that were not learned from; the bounds are in the run and the card."""
    unseen = metrics.filter(pl.col("system_id") == "all", pl.col("split") != "train")
    return tuple(unseen.select("split", "model", "target", "horizon", "system_id", "n", "baseline", *SCORES).to_dicts())


def _reference(grid: TimeGrid, rows: np.ndarray) -> dict[str, FeatureReference]:
    reference = {}
    for name in input_columns(grid.frame):
        values = grid.values(name)[rows]
        known = values[~np.isnan(values)]
        deciles = np.quantile(known, np.linspace(0, 1, 11)).tolist() if known.size else []
        reference[name] = FeatureReference(deciles=tuple(deciles), missing_share=1 - known.size / max(values.size, 1))
    return reference


def _unit(name: str) -> str:
    sensor = next((s for s in tables.SENSORS if name == s.name or name.startswith(f"{s.name}_")), None)
    return "" if sensor is None else sensor.unit
