"""A robust line from the recent course of the target to its change: smoothing and damped trend in one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from hydro_assets.forecasting.change_scale import ChangeScale
from hydro_assets.forecasting.contract import FitNotes, Forecaster, Report, Samples, Task
from hydro_assets.forecasting.origin import target_feature_names, target_features
from hydro_assets.forecasting.windows import SegmentGrid, by_chunks

_CLIP_SHARE = 0.05  # features end at these quantiles of training: a jump must not be extrapolated
_RIDGE = 0.1
_ITERATIONS = 30


class LocalLinear(Forecaster):
    """Least-absolute-deviation regression of the change from the level on `target_features`, one per horizon.

    Exponential smoothing and the damped trend of Gardner and McKenzie (1985) are special cases. Fitted by iteratively
    re-weighted least squares (Schlossmacher 1973) with a ridge; per-system scale, one set of weights for all systems.

    Args:
        robust: read median slopes, which a jump does not move, instead of least-squares slopes.
        recent_share: fit on this newest share of the training rows only.
    """

    kind = "local_linear"

    def __init__(self, task: Task, robust: bool, recent_share: float = 1.0) -> None:
        self.task, self.robust, self.recent_share = task, robust, recent_share

    def fit(self, samples: Samples, report: Report) -> FitNotes:
        rows = samples.train[np.argsort(samples.grid.times[samples.train], kind="stable")]
        rows = rows[rows.size - int(np.ceil(rows.size * self.recent_share)) :]
        level, features = self._features(samples.grid, rows)
        change = samples.truth[rows] - level[:, None]
        self.scale = ChangeScale.fit(change, samples.grid.systems[rows], centred=False)
        goal, size = self.scale.scaled(change, samples.grid.systems[rows]), self._size(samples.grid, rows)
        width, horizons = features.shape[1], len(self.task.horizons)
        self.clip, self.weights = np.zeros((width, horizons)), np.zeros((width, horizons))
        for j in range(horizons):
            known = ~np.isnan(goal[:, j])
            if known.any():
                x = features[known] / size[known, j : j + 1]
                self.clip[:, j] = np.quantile(np.abs(x), 1 - 2 * _CLIP_SHARE, axis=0)
                self.weights[:, j] = least_absolute_deviation(
                    np.clip(x, -self.clip[:, j], self.clip[:, j]), goal[known, j]
                )
        return FitNotes()

    def predict(self, grid: SegmentGrid, rows: np.ndarray, anchor: np.ndarray) -> np.ndarray:
        def line(part: np.ndarray) -> np.ndarray:
            level, features = self._features(grid, part)
            size = self._size(grid, part)
            change = [
                np.clip(features / size[:, j : j + 1], -self.clip[:, j], self.clip[:, j]) @ self.weights[:, j]
                for j in range(len(self.task.horizons))
            ]
            return level[:, None] + np.stack(change, axis=1) * size

        return by_chunks(line, rows, width=len(self.task.horizons))

    def _features(self, grid: SegmentGrid, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        both = target_features(grid, self.task.target, rows, self.task.window_steps, self.task.stale_steps)
        names = target_feature_names(self.task.target, grid.step, self.task.window_steps)
        read = [("_slope_" not in n) or (("_median_slope_" in n) == self.robust) for n in names]
        return both[:, 0], both[:, 1:][:, read]

    def _size(self, grid: SegmentGrid, rows: np.ndarray) -> np.ndarray:
        return self.scale.unscaled(np.ones((rows.size, len(self.task.horizons))), grid.systems[rows])

    def save(self, folder: Path) -> dict[str, Any]:
        return {
            "robust": self.robust,
            "recent_share": self.recent_share,
            "scale": self.scale.to_json(),
            "clip": self.clip.tolist(),
            "weights": self.weights.tolist(),
        }

    @classmethod
    def load(cls, task: Task, folder: Path, state: dict[str, Any]) -> Self:
        self = cls(task, state["robust"], state["recent_share"])
        self.scale = ChangeScale.from_json(state["scale"])
        self.clip, self.weights = np.array(state["clip"]), np.array(state["weights"])
        return self

    def describe_inputs(self) -> Sequence[str]:
        target = self.task.target
        return [target, *(f"{target}_{s}_{w}" for s in ("mean", "slope") for w in ("1h", "6h"))]


def least_absolute_deviation(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """[D] weights that minimise the absolute error of `x @ weights`, [n, D] and [n], under a ridge."""
    spread = np.sqrt((x * x).mean(axis=0)) + 1e-12
    z, weights = x / spread, np.zeros(x.shape[1])
    smallest = 0.05 * np.abs(y).mean() + 1e-12
    for _ in range(_ITERATIONS):
        trust = 1 / np.maximum(np.abs(y - z @ weights), smallest)
        weighted = z * trust[:, None]
        gram = weighted.T @ z
        ridge = (_RIDGE * np.trace(gram) / max(gram.shape[0], 1) + 1e-12) * np.eye(gram.shape[0])
        weights = np.linalg.solve(gram + ridge, weighted.T @ y)
    return weights / spread
