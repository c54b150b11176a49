"""One self-contained forecast package: weights, scaler, inputs, units, floor and intervals; predicts in target units."""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, ValidationError

from hydro_assets import columns
from hydro_assets.errors import ModelUnavailableError
from hydro_assets.models.baselines import Persistence, ShortMean
from hydro_assets.models.contract import Forecaster, Task
from hydro_assets.models.windows import SegmentGrid

FORMAT_VERSION = 1
PACKAGE_FILE = "package.json"
PREDICTION_SCHEMA = pl.Schema({
    "system_id": pl.String(), "timestamp": pl.Datetime("us", "UTC"), "horizon": pl.Int32(),
    "prediction": pl.Float64(), "baseline": pl.Float64(),
    "lower_80": pl.Float64(), "upper_80": pl.Float64(), "lower_95": pl.Float64(), "upper_95": pl.Float64(),
    "optimal_probability": pl.Float64(), "quality": pl.String(),
})
# Imported only when a package of the kind is loaded: torch and LightGBM are heavy.
_LEARNERS = {
    "lstm": ("hydro_assets.models.recurrent", "RecurrentForecaster"),
    "gru": ("hydro_assets.models.recurrent", "RecurrentForecaster"),
    "lightgbm": ("hydro_assets.models.gradient_boosting", "LightGBMForecaster"),
}
_OUT_OF_RANGE_SPANS = 1.0  # the target may leave the range seen in training by this multiple of its width


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


class PackageInfo(_Frozen):
    """Everything that a reader of a package needs to know; all plain values."""

    format_version: int = FORMAT_VERSION
    kind: str
    target_col: str
    unit: str
    step_seconds: float
    gap_limit_seconds: float
    sequence_length: int
    history_steps: int
    horizons: tuple[int, ...]
    min_window_coverage: float
    features: tuple[str, ...]
    feature_units: dict[str, str]
    systems: tuple[str, ...]
    data: DataFacts = DataFacts()
    train_start: datetime
    train_end: datetime
    train_rows: int
    target_low: float
    target_high: float
    split: dict[str, str] = {}
    params: dict[str, Any] = {}
    metrics: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    reference: dict[str, FeatureReference] = {}

    @property
    def step(self) -> timedelta:
        return timedelta(seconds=self.step_seconds)

    @property
    def gap_limit(self) -> timedelta:
        return timedelta(seconds=self.gap_limit_seconds)

    @property
    def lookback(self) -> timedelta:
        """History before the first row to score that a full prediction reads."""
        return self.step * self.history_steps + self.gap_limit

    @property
    def task(self) -> Task:
        return Task(self.target_col, self.horizons, self.sequence_length)


@dataclass(frozen=True)
class Floor:
    """What keeps a learned model from doing worse than the baselines.

    Attributes:
        baseline: [H] name of the best baseline, by validation MAE.
        weight: [H] share of the learned difference to that baseline which is used, 0 = the baseline alone.
    """

    baseline: tuple[str, ...]
    weight: tuple[float, ...]


class ForecastPackage:
    """A trained forecaster with all that predicting takes. Loadable without Dagster, Spark and MLflow."""

    def __init__(
        self, info: PackageInfo, forecaster: Forecaster, persistence: Persistence, short_mean: ShortMean, floor: Floor,
        half_widths: np.ndarray,
    ) -> None:
        self.info, self.forecaster, self.floor = info, forecaster, floor
        self.persistence, self.short_mean = persistence, short_mean
        self.half_widths = half_widths  # [L, H] for 80 % and 95 %

    def predict(
        self, frame: pl.DataFrame, start: datetime | None = None, end: datetime | None = None
    ) -> pl.DataFrame:
        """Forecast every row of `frame` with start <= timestamp < end, each horizon in its own output row.

        Args:
            frame: feature rows of one or more systems, with `info.lookback` of history before `start`.

        Returns:
            PREDICTION_SCHEMA, sorted by system, timestamp, horizon. `prediction` and its interval are null unless
            `quality` is ok; `baseline` is given wherever the target is known at the origin. Qualities:
            unknown_target (the target is not measured), stale_input (not measured within the gap limit), no_window
            (under `min_window_coverage` of the window), out_of_range_input (far outside what training saw),
            not_forecast (the model was trained for classification only).

        Raises:
            TableError: rows off the grid of `info.step`, or duplicated.
        """
        info = self.info
        grid = SegmentGrid.of(frame, info.step, info.gap_limit, info.history_steps - 1)
        rows = np.arange(len(grid))
        if start is not None:
            rows = rows[(grid.frame["timestamp"] >= start).to_numpy()[rows]]
        if end is not None:
            rows = rows[(grid.frame["timestamp"] < end).to_numpy()[rows]]
        baseline = self.baseline(grid, rows)
        prediction = self.blended(grid, rows, baseline)
        quality = self._quality(grid, rows, prediction)
        ok = quality == "ok"
        prediction[~ok] = np.nan
        probability = self._optimal_probability(grid, rows)
        n, horizons = rows.size, len(info.horizons)
        bounds = {
            f"{side}_{level}": (prediction + sign * self.half_widths[i]).ravel()
            for i, level in enumerate(("80", "95")) for side, sign in (("lower", -1), ("upper", 1))
        }
        result = pl.DataFrame({
            "system_id": np.repeat(grid.systems[rows], horizons),
            "timestamp": pl.Series(np.repeat(grid.times[rows], horizons)).cast(pl.Datetime("us")),
            "horizon": np.tile(np.array(info.horizons, np.int32), n),
            "prediction": prediction.ravel(), "baseline": baseline.ravel(), **bounds,
            "optimal_probability": probability.ravel(), "quality": np.repeat(quality, horizons),
        }, schema_overrides={"system_id": pl.String(), "quality": pl.String()})
        return result.with_columns(
            pl.col("timestamp").dt.replace_time_zone("UTC"), pl.col(pl.Float64).fill_nan(None)
        ).select(pl.col(name).cast(dtype) for name, dtype in PREDICTION_SCHEMA.items())

    def baseline(self, grid: SegmentGrid, rows: np.ndarray) -> np.ndarray:
        """[n, H] forecast of the best baseline of each horizon; NaN where the target is stale."""
        return best_baseline(self.floor.baseline, self.persistence, self.short_mean, grid, rows)

    def blended(self, grid: SegmentGrid, rows: np.ndarray, baseline: np.ndarray) -> np.ndarray:
        """[n, H] baseline plus the trusted share of the learned difference to it."""
        learned = self.forecaster.predict(grid, rows, baseline)
        return baseline + np.array(self.floor.weight) * (learned - baseline)

    def _optimal_probability(self, grid: SegmentGrid, rows: np.ndarray) -> np.ndarray:
        if self.info.kind != "lightgbm":
            return np.full((rows.size, len(self.info.horizons)), np.nan)
        return self.forecaster.optimal_probability(grid, rows)  # type: ignore[attr-defined]

    def _quality(self, grid: SegmentGrid, rows: np.ndarray, prediction: np.ndarray) -> np.ndarray:
        """[n] the first reason that holds, or ok."""
        return window_quality(self.info, self.persistence, grid, rows, prediction)

    def save(self, folder: Path) -> None:
        """Write package.json and the binary parts into `folder`, which is created."""
        folder.mkdir(parents=True, exist_ok=True)
        state = {
            "info": self.info.model_dump(mode="json"),
            "forecaster": self.forecaster.save(folder),
            "persistence": self.persistence.save(folder),
            "short_mean": self.short_mean.save(folder),
            "floor": {"baseline": self.floor.baseline, "weight": self.floor.weight},
            "half_widths": [[None if np.isnan(w) else w for w in row] for row in self.half_widths.tolist()],
        }
        (folder / PACKAGE_FILE).write_text(json.dumps(state, indent=1))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; nothing is unpickled.

        Raises:
            ModelUnavailableError: a part is missing, damaged, or of a later format.
        """
        try:
            state = json.loads((folder / PACKAGE_FILE).read_text())
            version = state["info"]["format_version"]
            if version > FORMAT_VERSION:
                raise ModelUnavailableError(f"the package in {folder} has format {version}, this code reads up to "
                                            f"{FORMAT_VERSION}", "Upgrade hydro_assets where the model is served")
            info = PackageInfo(**state["info"])
            module, name = _LEARNERS[info.kind]
            learner: type[Forecaster] = getattr(importlib.import_module(module), name)
            return cls(
                info,
                learner.load(info.task, folder, state["forecaster"]),
                Persistence.load(info.task, folder, state["persistence"]),
                ShortMean.load(info.task, folder, state["short_mean"]),
                Floor(tuple(state["floor"]["baseline"]), tuple(state["floor"]["weight"])),
                np.array(state["half_widths"], dtype=float),
            )
        except (OSError, KeyError, TypeError, ValueError, ValidationError) as exc:
            raise ModelUnavailableError(f"the package in {folder} cannot be read ({type(exc).__name__}: {exc})",
                                        "Register the model again, or serve another version") from exc


def best_baseline(
    names: tuple[str, ...], persistence: Persistence, short_mean: ShortMean, grid: SegmentGrid, rows: np.ndarray
) -> np.ndarray:
    """[n, H] each horizon from the baseline that `names` gives for it."""
    unused = np.empty((rows.size, len(names)))
    last, mean = (b.predict(grid, rows, unused) for b in (persistence, short_mean))
    return np.where(np.array(names) == "short_mean", mean, last)


def window_quality(
    info: PackageInfo, persistence: Persistence, grid: SegmentGrid, rows: np.ndarray, prediction: np.ndarray
) -> np.ndarray:
    """[n] `ok`, or the first reason why a row has no prediction."""
    known = np.zeros(grid.segment_of_step.size + 1)
    known[1:] = np.cumsum(~np.isnan(grid.dense(info.target_col)))
    end = grid.step_of_row[rows] + 1
    inside = known[end] - known[end - info.sequence_length]  # known target values of the window
    level = persistence.predict(grid, rows, prediction)[:, 0] if rows.size else np.empty(0)
    span = (info.target_high - info.target_low) * _OUT_OF_RANGE_SPANS
    limits = columns.SENSOR.get(info.target_col)
    low = max(info.target_low - span, -np.inf if limits is None or limits.low is None else limits.low)
    high = min(info.target_high + span, np.inf if limits is None or limits.high is None else limits.high)
    reasons = [
        (np.isnan(grid.values(info.target_col)).all() | (inside == 0), "unknown_target"),
        (np.isnan(level), "stale_input"),
        (inside < info.min_window_coverage * info.sequence_length, "no_window"),
        ((level < low) | (level > high), "out_of_range_input"),
        (np.isnan(prediction).all(axis=1), "not_forecast"),
    ]
    return np.select([np.broadcast_to(c, rows.shape) for c, _ in reasons], [r for _, r in reasons], "ok").astype(object)
