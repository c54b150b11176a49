"""Everything that a reader of a package needs to know, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict

from hydro_assets.forecasting.base import look_back_steps
from hydro_assets.forecasting.learner import Task
from hydro_assets.forecasting.leaving import LeavingCalibration
from hydro_assets.forecasting.weights import reach

FORMAT_VERSION = 2


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DataFacts(_Frozen):
    """Where the training rows came from."""

    table: str | None = None
    versions: dict[str, int] = {}


class FeatureReference(_Frozen):
    """Distribution of one feature in the training rows, for drift: deciles 0 .. 100 % and share of nulls."""

    deciles: tuple[float, ...]
    missing_share: float


class TargetInfo(_Frozen):
    """One forecast column: its unit and the range that training saw."""

    name: str
    unit: str
    low: float
    high: float


class ReadingFacts(_Frozen):
    """What else a feature row of the version was made by: what the farm measures, its bands and its time zone."""

    sensors: tuple[str, ...]
    actuators: tuple[str, ...]
    bands: dict[str, tuple[float, float]]
    timezone: str


class PackageInfo(_Frozen):
    """The facts of a package.

    Attributes:
        primary: the target of `batch_predictions`.
        horizons: steps ahead, of every target and label.
        baseline: per target, the name of the best baseline on validation at each horizon.
        metrics: scores of all systems together on rows that were not learned from.
        reference: distribution of the features in training.
        readings: how readings become feature rows; None in packages that take feature rows only.
        leaving: how probable leaving the crop band is, learned per target and horizon.
    """

    format_version: int = FORMAT_VERSION
    kind: str
    primary: str
    targets: tuple[TargetInfo, ...]
    horizons: tuple[int, ...]
    labels: tuple[str, ...] = ()
    baseline: dict[str, tuple[str, ...]]
    step_seconds: float
    gap_limit_seconds: float
    sequence_length: int
    min_window_coverage: float
    features: tuple[str, ...] = ()
    feature_units: dict[str, str] = {}
    systems: tuple[str, ...]
    data: DataFacts = DataFacts()
    train_start: datetime | None = None
    train_end: datetime | None = None
    train_rows: int
    split: dict[str, str] = {}
    params: dict[str, Any] = {}
    metrics: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    reference: dict[str, FeatureReference] = {}
    readings: ReadingFacts | None = None
    leaving: tuple[LeavingCalibration, ...] = ()

    @property
    def target_names(self) -> tuple[str, ...]:
        return tuple(target.name for target in self.targets)

    def target(self, name: str) -> TargetInfo:
        """The facts of one target."""
        return next(target for target in self.targets if target.name == name)

    @property
    def learned_until(self) -> datetime | None:
        """Start of the rows that the version has neither learned from nor been calibrated on."""
        start = self.split.get("holdout_start")
        return None if start is None else datetime.fromisoformat(start)

    @property
    def step(self) -> timedelta:
        return timedelta(seconds=self.step_seconds)

    @property
    def gap_limit(self) -> timedelta:
        return timedelta(seconds=self.gap_limit_seconds)

    @property
    def history_steps(self) -> int:
        """Steps of history, the present included, that a full prediction reads."""
        return history_steps(self.horizons, self.sequence_length, self.step)

    @property
    def lookback(self) -> timedelta:
        """History before the first row to score that a full prediction reads."""
        return self.step * self.history_steps

    @property
    def task(self) -> Task:
        return Task.of(self.target_names, self.horizons, self.sequence_length, self.step, self.gap_limit)


def history_steps(horizons: Sequence[int], sequence_length: int, step: timedelta) -> int:
    """Steps of history, the present included, that a full prediction reads.

    What one forecast reads, before it the hindcasts that weigh the learned forecast, and before each of them those that
    weighed its base forecast.
    """
    task = Task.of((), horizons, sequence_length, step, step)
    return look_back_steps(task, step) + 2 * max(reach(h) for h in horizons) + 1
