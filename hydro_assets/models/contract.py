"""The one contract of everything that forecasts: learned models and baselines alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from hydro_assets.models.windows import SegmentGrid

Report = Callable[[str], None]


@dataclass(frozen=True)
class Task:
    """What is forecast: `target` at each of `horizons` steps ahead, from `sequence_length` steps of history."""

    target: str
    horizons: tuple[int, ...]
    sequence_length: int


@dataclass(frozen=True)
class Samples:
    """Rows of a grid with what came after them.

    Attributes:
        grid: rows and windows; `R` rows.
        truth: [R, H] target at t + h, NaN where unknown.
        anchor: [R, H] forecast of the best baseline, which learned models start from.
        train, validation: [n] row numbers to learn from and to stop early and calibrate on.
    """

    grid: SegmentGrid
    truth: np.ndarray
    anchor: np.ndarray
    train: np.ndarray
    validation: np.ndarray


@dataclass
class FitNotes:
    """What a fit has to say: per-epoch history and sentences for the model card."""

    history: list[dict[str, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


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

        `anchor` is [n, H], the best baseline's forecast for the same rows.
        """

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
