"""States whose probability is forecast, and how a score of a classifier becomes a probability."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hydro_assets.forecasting.grid import TimeGrid
from hydro_assets.tables import OPTIMAL_FLAGS, REQUIRED_SENSORS


def label_values(grid: TimeGrid, label: str) -> np.ndarray:
    """[R] 1 where the state holds, 0 where it does not, NaN where it is not known or not measured.

    `is_env_optimal` and `is_*_on` are columns of the features; `is_ph_optimal` and the like hold where the distance of
    their sensor to its band is 0.
    """
    if label in grid.frame.columns or label not in OPTIMAL_FLAGS:
        values = grid.values(label)
        return np.where(np.isnan(values), np.nan, np.where(values > 0, 1.0, 0.0))
    sensor = OPTIMAL_FLAGS[label]
    same_quantity = next((group for group in REQUIRED_SENSORS if sensor in group), (sensor,))
    measured = [f"{s}_band_distance" for s in same_quantity if f"{s}_band_distance" in grid.frame.columns]
    distance = grid.values(measured[0]) if measured else np.full(len(grid), np.nan)
    return np.where(np.isnan(distance), np.nan, np.where(distance == 0, 1.0, 0.0))


@dataclass(frozen=True)
class Calibration:
    """Platt scaling (Platt 1999): `p = 1 / (1 + exp(-(slope * score + offset)))`, or `share` where nothing was learned.

    Attributes:
        share: smoothed share of the state in training, `(positives + 1) / (n + 2)`, where training saw one class only.
    """

    slope: float = 1.0
    offset: float = 0.0
    share: float | None = None

    def probability(self, score: np.ndarray) -> np.ndarray:
        """[n] raw scores (log odds) -> [n] probabilities."""
        if self.share is not None:
            return np.full(score.shape, self.share)
        return 1 / (1 + np.exp(-np.clip(self.slope * score + self.offset, -500, 500)))

    def to_json(self) -> dict[str, Any]:
        """JSON values that the constructor reads back exactly."""
        return asdict(self)
