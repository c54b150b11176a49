"""A robust line from the recent values of a target to its change: smoothing, damped trend and day cycle in one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from hydro_assets.forecasting.scaling import TargetScaler

_CLIP_SHARE = 0.05  # features end at these quantiles of training: a jump must not be extrapolated
_RIDGE = 0.01
_SCARCITY = 25.0  # more ridge where few independent stretches of the horizon's length were seen
_ITERATIONS = 30
_ROWS = 20_000  # rows that are read, evenly over the training: a line of thirty weights needs no more


@dataclass(frozen=True)
class Line:
    """Least-absolute-deviation regression of the change from the level on `target_features`, one per horizon.

    Exponential smoothing, the damped trend of Gardner and McKenzie (1985) and "the same time yesterday" are special
    cases. Per-system scale, one set of weights for all systems.

    Attributes:
        scale: mean absolute change of each system and horizon.
        reads: [D] which features are read.
        clip, weights: [D, H], of those that are read.
    """

    scale: TargetScaler
    reads: np.ndarray
    clip: np.ndarray
    weights: np.ndarray

    @classmethod
    def fit(
        cls,
        features: np.ndarray,
        change: np.ndarray,
        systems: np.ndarray,
        reads: np.ndarray,
        horizons: Sequence[int],
    ) -> Self:
        """Fit on [n, D] features and [n, H] changes of training rows; `reads`: [D] bool."""
        scale, stretches = TargetScaler.fit(change, systems), len(change) / np.array(horizons)
        some = np.linspace(0, len(change) - 1, min(len(change), _ROWS)).astype(np.int64)
        features, change, systems = features[some], change[some], systems[some]
        size, features = scale.of(systems), features[:, reads]
        clip = np.zeros((features.shape[1], change.shape[1]))
        weights = np.zeros_like(clip)
        for j in range(change.shape[1]):
            known = ~np.isnan(change[:, j])
            if known.any():
                x, unit = features[known], size[known, j]
                x = x / unit[:, None]
                clip[:, j] = np.quantile(np.abs(x), 1 - 2 * _CLIP_SHARE, axis=0)
                x = np.clip(x, -clip[:, j], clip[:, j])
                weights[:, j] = least_absolute_deviation(x, change[known, j] / unit, _RIDGE + _SCARCITY / stretches[j])
        return cls(scale, reads, clip, weights)

    def change(self, features: np.ndarray, systems: np.ndarray) -> np.ndarray:
        """[n, D] -> [n, H] predicted change from the level."""
        size, features = self.scale.of(systems), features[:, self.reads]
        change = np.empty(size.shape)
        for j in range(size.shape[1]):
            x = np.clip(features / size[:, j : j + 1], -self.clip[:, j], self.clip[:, j])
            change[:, j] = np.einsum("nd,d->n", x, self.weights[:, j])  # a row's sum depends on no other row
        return change * size

    def to_json(self) -> dict[str, Any]:
        """JSON values that `from_json` reads back exactly."""
        return {
            "scale": self.scale.to_json(),
            "reads": self.reads.tolist(),
            "clip": self.clip.tolist(),
            "weights": self.weights.tolist(),
        }

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Self:
        scale = TargetScaler.from_json(state["scale"])
        return cls(scale, np.array(state["reads"], bool), np.array(state["clip"]), np.array(state["weights"]))


def least_absolute_deviation(x: np.ndarray, y: np.ndarray, ridge: float) -> np.ndarray:
    """[D] weights that minimise the absolute error of `x @ weights`, [n, D] and [n], under a ridge.

    Iteratively re-weighted least squares (Schlossmacher 1973).
    """
    spread = np.sqrt((x * x).mean(axis=0)) + 1e-12
    z, weights = np.ascontiguousarray((x / spread).T), np.zeros(x.shape[1])  # [D, n]
    smallest = 0.05 * np.abs(y).mean() + 1e-12
    for _ in range(_ITERATIONS):
        trust = 1 / np.maximum(np.abs(y - weights @ z), smallest)
        weighted = z * trust
        gram = weighted @ z.T
        penalty = (ridge * np.trace(gram) / max(gram.shape[0], 1) + 1e-12) * np.eye(gram.shape[0])
        before, weights = weights, np.linalg.solve(gram + penalty, weighted @ y)
        if np.abs(weights - before).max() < 1e-4 * np.abs(weights).max():
            break
    return weights / spread
