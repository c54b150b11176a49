"""Calibrated probabilities: Platt scaling (Platt 1999, smoothed targets), or a constant where one class was seen."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np


@dataclass(frozen=True)
class PlattScaling:
    """`p = 1 / (1 + exp(-(slope * score + offset)))`, or `fixed`."""

    slope: float = 1.0
    offset: float = 0.0
    fixed: float | None = None

    @classmethod
    def constant(cls, share: float) -> Self:
        """The probability of a training set with one class."""
        return cls(fixed=share)

    @classmethod
    def fit(cls, score: np.ndarray, label: np.ndarray, iterations: int = 50) -> Self:
        """Fit on validation scores; unchanged where validation holds one class, which cannot calibrate anything."""
        known = ~np.isnan(label)
        score, label = score[known], label[known]
        positive, negative = label.sum(), (1 - label).sum()
        if positive == 0 or negative == 0:
            return cls()
        goal = np.where(label == 1, (positive + 1) / (positive + 2), 1 / (negative + 2))
        weights = np.array([1.0, 0.0])
        design = np.stack([score, np.ones_like(score)], axis=1)  # [n, 2]
        ridge = np.diag([1e-3, 1e-6])
        for _ in range(iterations):  # Newton's method
            p = _sigmoid(design @ weights)
            gradient = design.T @ (p - goal) + ridge @ (weights - [1.0, 0.0])
            hessian = (design * (p * (1 - p))[:, None]).T @ design + ridge
            move = np.linalg.solve(hessian, gradient)
            weights = weights - np.clip(move, -1, 1)
            if np.abs(move).max() < 1e-8:
                break
        return cls(slope=float(max(weights[0], 0.0)), offset=float(weights[1]))

    def probability(self, score: np.ndarray) -> np.ndarray:
        """[n] raw scores (log odds) -> [n] probabilities."""
        if self.fixed is not None:
            return np.full(score.shape, self.fixed)
        return _sigmoid(self.slope * score + self.offset)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(x, -500, 500)))
