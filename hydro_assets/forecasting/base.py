"""The base forecast of one target: simple forecasts, weighted by their recent errors; and the baselines among them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from typing import Any, Self

import numpy as np

from hydro_assets.forecasting.actuals import mean_absolute_error
from hydro_assets.forecasting.grid import TimeGrid, by_chunks
from hydro_assets.forecasting.learner import Task
from hydro_assets.forecasting.linear import Line
from hydro_assets.forecasting.target_features import (
    DAYS,
    day_change,
    short_mean_steps,
    target_feature_names,
    target_features,
    trailing_means,
)
from hydro_assets.forecasting.weights import ExponentialWeights

BASELINES = ("persistence", "short_mean", "same_time_yesterday")
"""The simple forecasts that any model has to beat; the best of them on validation, per target and horizon, is *the*
baseline of every table."""

_SCARCITY = 4.0

LINES: dict[str, Callable[[str], bool]] = {
    "trend": lambda name: "_median_slope_" not in name and "_same_time_" not in name,
    "day_trend": lambda name: "_slope_" not in name or "_median_slope_" in name,
}
"""Lines by name, and which of the target features each reads."""


@dataclass(frozen=True)
class BaseForecast:
    """Simple forecasts of one target and their combination.

    Attributes:
        short: steps of the short mean per horizon; middle: steps of a mean that is the same at each horizon, because
            the best length on validation is not always the best later.
        lines: regressions on the recent values.
        weights: of all simple forecasts by their recent errors.
        baseline: [H] the best of BASELINES on validation.
    """

    task: Task
    target: str
    short: tuple[int, ...]
    middle: int
    lines: dict[str, Line]
    weights: ExponentialWeights
    baseline: tuple[str, ...]

    @classmethod
    def fit(
        cls, grid: TimeGrid, task: Task, target: str, actual: np.ndarray, learn: np.ndarray, choose: np.ndarray
    ) -> Self:
        """Fit the lines on the rows `learn`, choose short mean, baseline and first weights on the rows `choose`.

        Args:
            actual: [R, H] of the target.
        """
        lengths = short_mean_steps(grid.step, task.window_steps)
        window = grid.windows(target, choose, task.window_steps)
        means = trailing_means(window, lengths)  # [n, M]
        mae = mean_absolute_error(np.repeat(means.T[:, :, None], actual.shape[1], axis=2), actual[choose])  # [M, H]
        short = tuple(lengths[i] for i in np.nan_to_num(mae, nan=np.inf).argmin(axis=0))
        middle = lengths[max(len(lengths) // 2 - 1, 0)]
        lines = _fit_lines(grid, task, target, actual, learn)
        draft = cls(task, target, short, middle, lines, ExponentialWeights(np.ones((1, 1))), ())
        # Validation alone holds few independent errors of a long horizon. Lines are fitted on the training rows, so
        # their errors there count as more, the fewer independent stretches of the horizon's length there are.
        both = np.union1d(learn, choose)
        prior = ExponentialWeights.fit(draft.simple(grid, both), actual[both]).prior
        prior[-len(lines) :] *= 1 + _SCARCITY * np.array(task.horizons) / max(learn.size, 1)
        simple = draft.simple(grid, choose)
        best = mean_absolute_error(simple[: len(BASELINES)], actual[choose])
        baseline = tuple(BASELINES[i] for i in np.nan_to_num(best, nan=np.inf).argmin(axis=0))
        return cls(task, target, short, middle, lines, ExponentialWeights(prior), baseline)

    def refit(self, grid: TimeGrid, actual: np.ndarray, learn: np.ndarray) -> Self:
        """The same choices, with lines fitted on the rows `learn`."""
        return replace(self, lines=_fit_lines(grid, self.task, self.target, actual, learn))

    @property
    def names(self) -> tuple[str, ...]:
        """[E] names of the simple forecasts."""
        return (*BASELINES, "middle_mean", *self.lines)

    def simple(self, grid: TimeGrid, rows: np.ndarray) -> np.ndarray:
        """[E, n, H] every simple forecast of `rows`; NaN where the target is stale."""
        horizons = len(self.task.horizons)
        values = grid.values(self.target)
        width = len(self.names) * horizons
        flat = grid.remembered(
            ("simple", self.digest),
            rows,
            lambda some: by_chunks(lambda part: self._simple(grid, values, part), some, width),
        )
        return flat.reshape(rows.size, len(self.names), horizons).transpose(1, 0, 2)

    def _simple(self, grid: TimeGrid, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        window = grid.windows(self.target, rows, self.task.window_steps)
        both = target_features(grid, self.task, self.target, rows)
        level = both[:, :1]
        stale = np.where(np.isnan(level), np.nan, 0.0)
        flat = np.broadcast_to(level, (rows.size, len(self.task.horizons)))
        yesterday = [day_change(grid, values, rows, h, DAYS) for h in self.task.horizons]
        forecasts = [
            flat,
            trailing_means(window, self.short) + stale,
            level + np.nan_to_num(np.stack(yesterday, axis=1)),
            np.broadcast_to(trailing_means(window, [self.middle]) + stale, flat.shape),
            *(level + line.change(both[:, 1:], grid.systems[rows]) for line in self.lines.values()),
        ]
        return np.concatenate(forecasts, axis=1)

    def combine(
        self, grid: TimeGrid, rows: np.ndarray, actual: np.ndarray, simple: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """[n, H] the base forecast of `rows`, and the [n, H] absolute error to expect of it."""
        return self.weights.combine(grid, rows, simple, np.abs(simple - actual), self.task.horizons)

    def of_baseline(self, simple: np.ndarray) -> np.ndarray:
        """[n, H] each horizon from its baseline."""
        at = [BASELINES.index(name) for name in self.baseline]
        return np.stack([simple[i, :, j] for j, i in enumerate(at)], axis=1)

    def describe_inputs(self) -> Sequence[str]:
        """Feature columns that are read."""
        return [self.target, *(f"{self.target}_{s}_{w}" for s in ("mean", "slope") for w in ("1h", "6h"))]

    @cached_property
    def digest(self) -> str:
        """Equal for base forecasts that give equal values."""
        return hashlib.sha256(json.dumps([self.to_json(), repr(self.task)], sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """JSON values that `from_json` reads back exactly."""
        return {
            "target": self.target,
            "short": list(self.short),
            "middle": self.middle,
            "lines": {name: line.to_json() for name, line in self.lines.items()},
            "weights": self.weights.to_json(),
            "baseline": list(self.baseline),
        }

    @classmethod
    def from_json(cls, task: Task, state: dict[str, Any]) -> Self:
        return cls(
            task,
            state["target"],
            tuple(state["short"]),
            state["middle"],
            {name: Line.from_json(line) for name, line in state["lines"].items()},
            ExponentialWeights.from_json(state["weights"]),
            tuple(state["baseline"]),
        )


def _fit_lines(grid: TimeGrid, task: Task, target: str, actual: np.ndarray, learn: np.ndarray) -> dict[str, Line]:
    names, both = target_feature_names(task, target, grid.step), target_features(grid, task, target, learn)
    known = ~np.isnan(both[:, 0])
    features, systems = both[known, 1:], grid.systems[learn][known]
    change = actual[learn][known] - both[known, :1]
    return {
        line: Line.fit(features, change, systems, np.array([reads(name) for name in names]), task.horizons)
        for line, reads in LINES.items()
    }


def look_back_steps(task: Task, step: timedelta) -> int:
    """Steps before an origin that a simple forecast of it reads."""
    return max(task.padding, DAYS * (timedelta(days=1) // step) + 2 * max(1, max(task.horizons) // 8))
