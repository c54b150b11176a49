"""What a training hands back: the package, what was measured, and the pictures of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from hydro_assets.forecasting.package import ForecastPackage
from hydro_assets.training import plots
from hydro_assets.training.outcomes import Outcomes
from hydro_assets.training.splits import Split


@dataclass(frozen=True)
class TrainingResult:
    """A trained package and everything that was measured on the way.

    Attributes:
        metrics, classification: METRICS_SCHEMA and CLASSIFICATION_SCHEMA.
        history: `train_loss`, `validation_loss` per epoch (recurrent) or per round, horizon and `name` of the target
            (LightGBM; a label has `train_log_loss`, `validation_log_loss`).
        leaving, leaving_reliability: of `LeavingFit`: how good the probability of leaving the crop band is.
        importance: share of the gain per feature; permutation: percent of holdout MAE that shuffling it adds.
    """

    package: ForecastPackage
    metrics: pl.DataFrame
    classification: pl.DataFrame | None
    history: list[dict[str, Any]]
    split: Split
    log: list[str]
    params: dict[str, Any]
    importance: dict[str, float]
    permutation: dict[str, float]
    holdout: Outcomes
    leaving: pl.DataFrame | None = None
    leaving_reliability: pl.DataFrame | None = None

    @cached_property
    def plots(self) -> dict[str, bytes]:
        """PNG pictures by name; drawn when first asked for."""
        info, held = self.package.info, self.holdout
        first = info.target_names.index(info.primary)
        made = {"error_by_horizon": plots.error_by_horizon(self.metrics)}
        if self.history:
            made["learning_curve"] = plots.learning_curve(self.history, info.primary)
        if info.kind in held.forecasts:  # a classifier alone forecasts nothing
            one = held.of(np.flatnonzero(held.systems == held.systems[0]))
            for j in sorted({0, len(info.horizons) - 1}):
                made[f"forecast_h{info.horizons[j]}"] = plots.forecast_against_actual(
                    one.times.astype("datetime64[us]"),
                    one.actual[:, first, j],
                    one.forecasts[info.kind][:, first, j],
                    one.half_width[0, :, first, j],
                    f"{info.primary}, {info.horizons[j]} steps ahead, {one.systems[0]}",
                    info.target(info.primary).unit,
                )
        if info.labels:
            made["reliability"] = plots.reliability(held.state[:, 0].ravel(), held.probability[:, 0].ravel())
        if self.importance:
            made["importance"] = plots.importance(self.importance, self.permutation)
        return made
