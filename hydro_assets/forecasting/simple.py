"""The simple forecasts that every package carries: its floor, and what its learned model starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from hydro_assets.forecasting.baselines import BASELINES, Persistence, ShortMean
from hydro_assets.forecasting.combination import Combination
from hydro_assets.forecasting.contract import Report, Samples, Task
from hydro_assets.forecasting.local_linear import LocalLinear
from hydro_assets.forecasting.origin import short_mean_steps
from hydro_assets.forecasting.windows import SegmentGrid

_RECENT_SHARE = 0.25


@dataclass(frozen=True)
class SimpleForecasts:
    """Persistence, short means and three lines (one of them on the newest quarter of training), and their combination.

    Attributes:
        members: forecasters by name; `persistence` and `short_mean` are the baselines that metrics are held against.
        baseline: [H] the better baseline by validation MAE.
        combination: weights of all members by their recent errors: the anchor of learned models.
    """

    task: Task
    members: dict[str, Persistence | ShortMean | LocalLinear]
    baseline: tuple[str, ...]
    combination: Combination

    @classmethod
    def fit(cls, samples: Samples, task: Task, report: Report) -> tuple[Self, list[str]]:
        """Fit all members; returns them with notes for the model card."""
        members = _members(task, samples.grid)
        notes = [n for m in members.values() for n in m.fit(samples, report).notes]
        truth = samples.truth[samples.validation]
        forecasts = {name: m.predict(samples.grid, samples.validation, truth) for name, m in members.items()}
        combination = Combination.fit(truth, list(forecasts.values()))
        mae = combination.prior[[list(members).index(name) for name in BASELINES]]  # [2, H]
        baseline = tuple(BASELINES[i] for i in mae.argmin(axis=0))
        return cls(task, members, baseline, combination), notes

    def forecasts(self, grid: SegmentGrid, rows: np.ndarray) -> dict[str, np.ndarray]:
        """[n, H] of each member by name."""
        unused = np.empty((rows.size, len(self.task.horizons)))
        return {name: member.predict(grid, rows, unused) for name, member in self.members.items()}

    def better_baseline(self, forecasts: dict[str, np.ndarray]) -> np.ndarray:
        """[n, H] each horizon from its better baseline."""
        return np.where(np.array(self.baseline) == "short_mean", forecasts["short_mean"], forecasts["persistence"])

    def combined(
        self, grid: SegmentGrid, rows: np.ndarray, truth: np.ndarray, forecasts: dict[str, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """[n, H] the members combined by their recent errors: the anchor; and the [n, H] error to expect of it."""
        return self.combination.combine(grid, rows, truth, list(forecasts.values()), self.task.horizons)

    def describe_inputs(self) -> Sequence[str]:
        """Feature columns that are read."""
        return list(dict.fromkeys(c for m in self.members.values() for c in m.describe_inputs()))

    def save(self, folder: Path) -> dict[str, Any]:
        return {
            "members": {name: {"kind": m.kind, **m.save(folder)} for name, m in self.members.items()},
            "baseline": list(self.baseline),
            "combination": self.combination.to_json(),
        }

    @classmethod
    def load(cls, task: Task, folder: Path, state: dict[str, Any]) -> Self:
        kinds = {c.kind: c for c in (Persistence, ShortMean, LocalLinear)}
        members = {name: kinds[s["kind"]].load(task, folder, s) for name, s in state["members"].items()}
        return cls(task, members, tuple(state["baseline"]), Combination.from_json(state["combination"]))


def _members(task: Task, grid: SegmentGrid) -> dict[str, Persistence | ShortMean | LocalLinear]:
    lengths = short_mean_steps(grid.step, task.window_steps)
    short, long = lengths[len(lengths) // 2 - 1 if len(lengths) > 1 else 0], lengths[max(len(lengths) - 2, 0)]
    horizons = len(task.horizons)
    return {
        "persistence": Persistence(task),
        "short_mean": ShortMean(task),
        "fixed_mean": ShortMean(task, [short] * horizons),
        "long_mean": ShortMean(task, [long] * horizons),
        "trend": LocalLinear(task, robust=False),
        "robust_trend": LocalLinear(task, robust=True),
        "recent_trend": LocalLinear(task, robust=True, recent_share=_RECENT_SHARE),
    }
