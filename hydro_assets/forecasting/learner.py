"""The task of a forecast, and the one contract of everything that learns: LSTM, GRU and LightGBM."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from hydro_assets.forecasting.grid import TimeGrid

WINDOW = timedelta(minutes=30)  # longest short mean; longer memory comes from the feature columns


@dataclass(frozen=True)
class Task:
    """What is forecast, and from how much history. `K` targets, `H` horizons.

    Attributes:
        targets: columns that are forecast, each in its own unit.
        horizons: steps ahead.
        sequence_length: context length, the steps that a recurrent model sees.
        window_steps: newest steps of a target that simple forecasts read.
        stale_steps: a target must have been measured within so many steps.
    """

    targets: tuple[str, ...]
    horizons: tuple[int, ...]
    sequence_length: int
    window_steps: int
    stale_steps: int

    @classmethod
    def of(
        cls,
        targets: Sequence[str],
        horizons: Sequence[int],
        sequence_length: int,
        step: timedelta,
        gap_limit: timedelta,
    ) -> Self:
        """The task on a grid of `step`: half an hour of window, and a target that is stale after the gap limit."""
        window = window_steps(sequence_length, step)
        stale = min(max(gap_limit // step, 1), window)
        return cls(tuple(targets), tuple(horizons), sequence_length, window, stale)

    @property
    def padding(self) -> int:
        """Empty steps that a grid needs before each segment, so that no window leaves its segment."""
        return max(self.window_steps, self.sequence_length) - 1


def window_steps(sequence_length: int, step: timedelta) -> int:
    """Steps of a target that simple forecasts read: half an hour, but 3 to 8 context lengths of steps."""
    return max(3, min(WINDOW // step, 8 * sequence_length), min(sequence_length, 24))


class Learner(ABC):
    """Predicts how far each target will be from its base forecast; fitted in `training`, loadable in any process."""

    kind: ClassVar[str]
    task: Task
    labels: tuple[str, ...] = ()

    @abstractmethod
    def predict(self, grid: TimeGrid, rows: np.ndarray, base: np.ndarray) -> np.ndarray:
        """[n, K, H] forecasts for `rows` in each target's unit; NaN where nothing was learned.

        `base` is [n, K, H], the base forecasts of the same rows, which the learned change is added to.
        """

    def probability(self, grid: TimeGrid, rows: np.ndarray, base: np.ndarray) -> np.ndarray:
        """[n, L, H] probability of each of its `L` labels at t + h; no label unless the learner has a classifier."""
        return np.empty((rows.size, 0, len(self.task.horizons)))

    def one_class(self) -> np.ndarray:
        """[L, H] whether training saw one class of a label only, so that its probability is a smoothed share."""
        return np.zeros((0, len(self.task.horizons)), bool)

    @abstractmethod
    def save(self, folder: Path) -> dict[str, Any]:
        """Write binary parts into `folder` and return the rest as JSON values."""

    @classmethod
    @abstractmethod
    def load(cls, task: Task, folder: Path, state: dict[str, Any]) -> Self:
        """The learner that `save` wrote."""

    @abstractmethod
    def describe_inputs(self) -> Sequence[str]:
        """Feature columns that are read."""
