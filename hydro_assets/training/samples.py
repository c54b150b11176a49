"""What a learner is fitted on, and what its fit hands back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hydro_assets.forecasting.grid import TimeGrid
from hydro_assets.forecasting.learner import Learner, Task

Report = Callable[[str], None]


@dataclass(frozen=True)
class Samples:
    """Rows of a grid with their base forecasts and what was measured.

    Attributes:
        actual: [R, K, H] targets at t + h, NaN where unknown.
        base: [R, K, H] base forecasts, which learners start from.
        train, validation: [n] row numbers to learn from, and to stop early and calibrate on.
    """

    task: Task
    grid: TimeGrid
    actual: np.ndarray
    base: np.ndarray
    train: np.ndarray
    validation: np.ndarray

    @property
    def change(self) -> np.ndarray:
        """[R, K, H] what is learned: how far the actual is from the base forecast."""
        return self.actual - self.base


@dataclass
class LearnerFit:
    """A fitted learner and what its fit has to say.

    Attributes:
        history: an entry per epoch, or per round of each booster.
        notes: sentences for the model card.
        importance: share of the gain per feature.
        lengths: how long it learned until validation was best (epochs, or rounds per booster): for the refit.
    """

    learner: Learner
    history: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    importance: dict[str, float] = field(default_factory=dict)
    lengths: dict[tuple[str, int], int] = field(default_factory=dict)
