"""The one contract of everything that forecasts: learned models and baselines alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from hydro_assets.forecasting.origin import window_steps
from hydro_assets.forecasting.windows import SegmentGrid

Report = Callable[[str], None]
HINDCAST_STEPS = 128  # newest origins whose forecasts are held against what came; a power of two


@dataclass(frozen=True)
class Task:
    """What is forecast, and from how much history.

    Attributes:
        target: column that is forecast, in its own unit.
        horizons: steps ahead.
        sequence_length: steps that a recurrent model sees.
        window_steps: newest steps of the target that simple forecasts read.
        stale_steps: the target must have been measured within so many steps.
    """

    target: str
    horizons: tuple[int, ...]
    sequence_length: int
    window_steps: int
    stale_steps: int

    @classmethod
    def of(
        cls, target: str, horizons: Sequence[int], sequence_length: int, step: timedelta, gap_limit: timedelta
    ) -> Self:
        """The task on a grid of `step`: half an hour of window, and a target that is stale after the gap limit."""
        window = window_steps(sequence_length, step)
        return cls(target, tuple(horizons), sequence_length, window, min(max(gap_limit // step, 1), window))

    @property
    def history_steps(self) -> int:
        """Steps of history, the present included, that a full forecast reads.

        A window, before it the hindcasts that weigh the learned forecast, and before each of them those that weighed
        its anchor.
        """
        return max(self.window_steps, self.sequence_length) + 2 * (HINDCAST_STEPS + max(self.horizons))


@dataclass(frozen=True)
class Samples:
    """Rows of a grid with what came after them.

    Attributes:
        grid: rows and windows; `R` rows.
        truth: [R, H] target at t + h, NaN where unknown.
        anchor: [R, H] combined simple forecast, which learned models start from.
        train, validation: [n] row numbers to learn from and to stop early and calibrate on.
    """

    grid: SegmentGrid
    truth: np.ndarray
    anchor: np.ndarray
    train: np.ndarray
    validation: np.ndarray


@dataclass
class FitNotes:
    """What a fit has to say: per-epoch history, sentences for the model card, share of the gain per feature."""

    history: list[dict[str, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    importance: dict[str, float] = field(default_factory=dict)


class Forecaster(ABC):
    """fit, predict, save, load, describe_inputs. `predict` may be called in any process after `load`."""

    kind: ClassVar[str]
    task: Task

    @abstractmethod
    def fit(self, samples: Samples, report: Report) -> FitNotes:
        """Learn from `samples.train`, stop and choose on `samples.validation`.

        Raises:
            TrainingError: nothing can be learned from these rows.
        """

    @abstractmethod
    def predict(self, grid: SegmentGrid, rows: np.ndarray, anchor: np.ndarray) -> np.ndarray:
        """[n, H] forecasts for `rows` in the target's unit; NaN where there is nothing to forecast from.

        `anchor` is [n, H], the combined simple forecast for the same rows; baselines do not read it.
        """

    def optimal_probability(self, grid: SegmentGrid, rows: np.ndarray, anchor: np.ndarray) -> np.ndarray:
        """[n, H] probability that the environment is optimal at t + h; NaN where the forecaster has no classifier."""
        return np.full((rows.size, len(self.task.horizons)), np.nan)

    @abstractmethod
    def save(self, folder: Path) -> dict[str, Any]:
        """Write binary parts into `folder` and return the rest as JSON values."""

    @classmethod
    @abstractmethod
    def load(cls, task: Task, folder: Path, state: dict[str, Any]) -> Self:
        """The forecaster that `save` wrote."""

    @abstractmethod
    def describe_inputs(self) -> Sequence[str]:
        """Feature columns that are read."""
