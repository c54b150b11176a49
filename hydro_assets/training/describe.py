"""What a package says of itself: the task, the rows it was trained on, what it reads and how good it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from hydro_assets import tables
from hydro_assets.forecasting.contract import Task
from hydro_assets.forecasting.origin import input_columns
from hydro_assets.forecasting.package import DataFacts, FeatureReference, PackageInfo
from hydro_assets.forecasting.windows import SegmentGrid
from hydro_assets.settings import Settings
from hydro_assets.training.metrics import SCORES
from hydro_assets.training.prepare import TrainingData


def describe(
    kind: str,
    data: TrainingData,
    settings: Settings,
    inputs: list[str],
    metrics: pl.DataFrame,
    notes: list[str],
    data_facts: DataFacts | None,
) -> PackageInfo:
    """The facts of a trained package; `inputs`: feature columns that it reads, as far as the farm has them."""
    task, split, rows = data.task, data.split, data.parts["train"]
    seen = data.grid.values(task.target)[rows]
    features = tuple(c for c in dict.fromkeys(inputs) if c in data.grid.frame.columns)
    return PackageInfo(
        kind=kind,
        target_col=task.target,
        unit=_unit(task.target),
        step_seconds=settings.feature_step.total_seconds(),
        gap_limit_seconds=settings.gap_limit.total_seconds(),
        sequence_length=task.sequence_length,
        horizons=task.horizons,
        min_window_coverage=settings.min_window_coverage,
        features=features,
        feature_units={c: _unit(c) for c in features},
        systems=tuple(sorted(set(map(str, data.grid.systems[rows])))),
        data=data_facts or DataFacts(),
        train_start=split.train_start,
        train_end=split.train_end,
        train_rows=int(rows.size),
        target_low=float(np.nanmin(seen)),
        target_high=float(np.nanmax(seen)),
        split=split.describe(),
        params=parameters(kind, task, settings),
        metrics=_summary(metrics),
        notes=tuple(notes),
        reference=_reference(data.grid, rows),
    )


def parameters(kind: str, task: Task, settings: Settings) -> dict[str, Any]:
    """Parameters of the model and of its training."""
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


def _summary(metrics: pl.DataFrame) -> tuple[dict[str, Any], ...]:
    """Scores of all systems together on rows that were not learned from; the bounds are in the run and the card."""
    unseen = metrics.filter(pl.col("system_id") == "all", pl.col("split") != "train")
    return tuple(unseen.select("split", "model", "horizon", "system_id", "n", *SCORES).to_dicts())


def _reference(grid: SegmentGrid, rows: np.ndarray) -> dict[str, FeatureReference]:
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
