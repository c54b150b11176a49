"""What a training hands back: the package, what was measured, and the pictures of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from hydro_assets.models.package import ForecastPackage
from hydro_assets.training.splits import Split


@dataclass(frozen=True)
class Holdout:
    """Forecasts of the holdout's rows beside what came.

    Attributes:
        times: [n] microseconds since 1970 UTC; systems: [n].
        truth: [n, H]; forecasts: [n, H] of persistence, short_mean and the model.
        half_width: [n, H] half width of the model's 80 % interval.
        optimal, probability: [n, H] state of the environment that came (NaN unknown), and what was said of it.
    """

    times: np.ndarray
    systems: np.ndarray
    truth: np.ndarray
    forecasts: dict[str, np.ndarray]
    half_width: np.ndarray
    optimal: np.ndarray
    probability: np.ndarray


@dataclass(frozen=True)
class TrainingResult:
    """A trained package and everything that was measured on the way.

    Attributes:
        metrics, classification: METRICS_SCHEMA and CLASSIFICATION_SCHEMA.
        history: losses per epoch (recurrent) or per round and horizon (LightGBM).
        importance: share of the gain per feature; permutation: percent of holdout MAE that shuffling it adds.
    """

    package: ForecastPackage
    metrics: pl.DataFrame
    classification: pl.DataFrame | None
    history: list[dict[str, float]]
    split: Split
    log: list[str]
    params: dict[str, Any]
    importance: dict[str, float]
    permutation: dict[str, float]
    holdout: Holdout

    @cached_property
    def plots(self) -> dict[str, bytes]:
        """PNG pictures by name; drawn when first asked for."""
        from hydro_assets.training import plots

        info, held = self.package.info, self.holdout
        when = held.times.astype("datetime64[us]")
        made = {"error_by_horizon": plots.error_by_horizon(self.metrics, info.unit)}
        if self.history:
            made["learning_curve"] = plots.learning_curve(self.history)
        first = held.systems == held.systems[0]
        for j, h in enumerate(info.horizons):
            if j in (0, len(info.horizons) - 1) and not np.isnan(held.forecasts[info.kind][:, j]).all():
                made[f"forecast_h{h}"] = plots.forecast_against_truth(
                    when[first],
                    held.truth[first, j],
                    held.forecasts[info.kind][first, j],
                    held.half_width[first, j],
                    f"{info.target_col}, {h} steps ahead, {held.systems[0]}",
                    info.unit,
                )
        if self.classification is not None:
            made["reliability"] = plots.reliability(held.optimal.ravel(), held.probability.ravel())
        if self.importance:
            made["importance"] = plots.importance(self.importance, self.permutation)
        return made
