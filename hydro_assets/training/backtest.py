"""The whole table: every target, horizon and model on holdouts that come after what was learned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from hydro_assets import tables
from hydro_assets.errors import DataContractError
from hydro_assets.features.spec import FeatureSpec
from hydro_assets.features.system_features import features_of_system
from hydro_assets.forecasting.baselines import BASELINES
from hydro_assets.ingest.export import read_export
from hydro_assets.settings import Settings
from hydro_assets.training.outcomes import Outcomes
from hydro_assets.training.splits import Split, rolling_origins
from hydro_assets.training.train import train


@dataclass(frozen=True)
class Backtest:
    """MAE per target, horizon and system.

    Attributes:
        table: target, unit, system_id, horizon, n, one MAE column per baseline, model and `ensemble` (their mean),
            `better_baseline`, and `ensemble_ratio` = ensemble / better baseline.
        mean_gain: mean over targets and horizons (all systems together) of 1 - ensemble_ratio; None without a ratio,
            because no baseline errs anywhere.
        splits: the dates of each fold.
    """

    table: pl.DataFrame
    mean_gain: float | None
    splits: tuple[Split, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values for `--format json`."""
        return {
            "rows": self.table.to_dicts(),
            "mean_gain": self.mean_gain,
            "splits": [s.describe() for s in self.splits],
        }


def features_of_exports(
    paths: Sequence[Path], system: str | None, settings: Settings, read_at: datetime
) -> tuple[pl.DataFrame, list[str]]:
    """Feature rows of raw sensor exports, without any table: (features, notes).

    Raises:
        SourceFileError: a file cannot be read as a sensor export.
    """
    exports = [read_export(path, system, read_at, settings) for path in paths]
    readings = pl.concat([e.frame for e in exports], how="diagonal_relaxed")
    measured = [c for c in readings.columns if readings[c].null_count() < readings.height or c not in tables.SENSOR]
    readings = readings.select(measured)
    spec = FeatureSpec.for_farm(settings, readings.columns)
    parts = [
        features_of_system(rows, spec, str(name))
        for (name,), rows in readings.partition_by("system_id", as_dict=True, maintain_order=True).items()
    ]
    notes = [n for e in exports for n in e.notes] + list(spec.notes)
    return pl.concat(parts), list(dict.fromkeys(notes))


def backtest(
    features: pl.DataFrame,
    settings: Settings,
    targets: Sequence[str],
    horizons: Sequence[int],
    kinds: Sequence[str] = tables.MODELS,
    folds: int = 1,
    report: Callable[[str], None] = lambda line: None,
) -> Backtest:
    """Train every kind for every target and measure all of them on the same holdout rows.

    One fold is the split that training uses. More folds have holdouts one behind the other over the same last part
    of the rows, each learned from everything before it; their errors are averaged by the number of rows.

    Raises:
        DataContractError: a target is not measured, or the history is too short.
    """
    absent = [t for t in targets if t not in features.columns or features[t].null_count() == features.height]
    if absent:
        there = [c.name for c in tables.SENSORS if c.name in features.columns and c.name not in absent]
        raise DataContractError(
            f"{', '.join(absent)} is not measured in this export",
            f"Choose among {', '.join(there) or 'other exports'} with --targets",
        )
    splits = _splits(features, settings, max(horizons), folds)
    quiet = settings.lightgbm.model_copy(update={"task_type": "regression"})
    measured: list[pl.DataFrame] = []
    for target in targets:
        mine = settings.model_copy(update={"target_col": target, "lightgbm": quiet})
        for number, split in enumerate(splits, start=1):
            held = []
            for kind in kinds:
                report(f"{target}, fold {number} of {len(splits)}, {kind}")
                held.append(train(kind, features, mine, horizons=horizons, split=split).holdout)
            measured.append(_errors(target, horizons, kinds, held))
    table = _table(pl.concat(measured), kinds)
    ratio = table.filter(system_id="all")["ensemble_ratio"].drop_nulls()
    return Backtest(table, None if ratio.is_empty() else 1 - float(ratio.to_numpy().mean()), tuple(splits))


def _splits(features: pl.DataFrame, settings: Settings, longest: int, folds: int) -> list[Split]:
    times = features["timestamp"].to_physical().to_numpy()
    embargo = settings.feature_step * (settings.sequence_length + longest)
    shares = settings.train_share, settings.validation_share
    return rolling_origins(times, settings.feature_step, embargo, *shares, folds)


def _errors(target: str, horizons: Sequence[int], kinds: Sequence[str], held: Sequence[Outcomes]) -> pl.DataFrame:
    """Absolute error of every forecaster, one row per holdout row and horizon that all of them forecast."""
    first, n = held[0], len(held[0].times)
    forecasts = {b: first.forecasts[b] for b in BASELINES}
    forecasts |= {kind: h.forecasts[kind] for kind, h in zip(kinds, held, strict=True)}
    forecasts["ensemble"] = np.mean([forecasts[kind] for kind in kinds], axis=0)
    errors = {name: np.abs(f - first.truth).ravel() for name, f in forecasts.items()}
    frame = pl.DataFrame(
        {
            "target": [target] * (n * len(horizons)),
            "system_id": np.repeat(first.systems.astype(str), len(horizons)),
            "horizon": np.tile(np.array(horizons, np.int32), n),
            **errors,
        }
    )
    return frame.filter(pl.all_horizontal(pl.col(list(errors)).is_finite()))


def _table(errors: pl.DataFrame, kinds: Sequence[str]) -> pl.DataFrame:
    """MAE per target, system (and `all`) and horizon."""
    names = [*BASELINES, *kinds, "ensemble"]
    groups = ["target", "system_id", "horizon"]
    both = pl.concat([errors, errors.with_columns(system_id=pl.lit("all"))])
    table = both.group_by(groups, maintain_order=True).agg(pl.len().alias("n"), pl.col(names).mean())
    better = pl.min_horizontal(*BASELINES)
    return table.with_columns(
        unit=pl.col("target").replace_strict({c.name: c.unit for c in tables.SENSORS}, default=""),
        better_baseline=pl.when(pl.col("persistence") <= pl.col("short_mean"))
        .then(pl.lit("persistence"))
        .otherwise(pl.lit("short_mean")),
        # Nothing can be better than an error of zero, and the ensemble that also has none is as good.
        ensemble_ratio=pl.when(better > 0).then(pl.col("ensemble") / better),
    ).select("target", "unit", *groups[1:], "n", *names, "better_baseline", "ensemble_ratio")
