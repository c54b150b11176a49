"""One self-contained forecast package: weights, scaler, units, floor, intervals; it predicts in the target's unit."""

from __future__ import annotations

import importlib
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, ValidationError

from hydro_assets import tables
from hydro_assets.errors import ModelUnavailableError
from hydro_assets.forecasting.baselines import BASELINES
from hydro_assets.forecasting.blend import Blend
from hydro_assets.forecasting.contract import Forecaster, Task
from hydro_assets.forecasting.simple import SimpleForecasts
from hydro_assets.forecasting.windows import SegmentGrid

FORMAT_VERSION = 1
PACKAGE_FILE = "package.json"
PREDICTION_SCHEMA = pl.Schema(
    {
        "system_id": pl.String(),
        "timestamp": pl.Datetime("us", "UTC"),
        "horizon": pl.Int32(),
        "prediction": pl.Float64(),
        "baseline": pl.Float64(),
        "lower_80": pl.Float64(),
        "upper_80": pl.Float64(),
        "lower_95": pl.Float64(),
        "upper_95": pl.Float64(),
        "optimal_probability": pl.Float64(),
        "quality": pl.String(),
    }
)
# Imported only when a package of the kind is loaded: torch and LightGBM are heavy.
_LEARNERS = {
    "lstm": ("hydro_assets.forecasting.recurrent", "RecurrentForecaster"),
    "gru": ("hydro_assets.forecasting.recurrent", "RecurrentForecaster"),
    "lightgbm": ("hydro_assets.forecasting.gradient_boosting", "LightGBMForecaster"),
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
    horizons: tuple[int, ...]
    min_window_coverage: float
    features: tuple[str, ...] = ()
    feature_units: dict[str, str] = {}
    systems: tuple[str, ...]
    data: DataFacts = DataFacts()
    train_start: datetime | None = None
    train_end: datetime | None = None
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
        return self.step * self.history_steps

    @property
    def history_steps(self) -> int:
        """Steps of history, the present included, that a full prediction reads."""
        return self.task.history_steps

    @property
    def task(self) -> Task:
        return Task.of(self.target_col, self.horizons, self.sequence_length, self.step, self.gap_limit)


class ForecastPackage:
    """A trained forecaster with all that predicting takes. Loadable without Dagster, Spark and MLflow."""

    def __init__(
        self, info: PackageInfo, simple: SimpleForecasts, forecaster: Forecaster, blend: Blend, quantiles: np.ndarray
    ) -> None:
        self.info, self.simple, self.forecaster, self.blend = info, simple, forecaster, blend
        self.quantiles = quantiles  # [L, H] conformal quantiles of error / expected error, for 80 % and 95 %

    def predict(self, frame: pl.DataFrame, start: datetime | None = None, end: datetime | None = None) -> pl.DataFrame:
        """Forecast every row of `frame` with start <= timestamp < end, each horizon in its own output row.

        Args:
            frame: feature rows of one or more systems, with `info.lookback` of history before `start`.

        Returns:
            PREDICTION_SCHEMA, sorted by system, timestamp, horizon. `prediction` and its interval are null unless
            `quality` is ok, `optimal_probability` unless it is ok or not_forecast; `baseline` is given wherever the
            target is known at the origin. Qualities: unknown_target (the target is not measured), stale_input (not
            measured within the gap limit), no_window (under `min_window_coverage` of the window), out_of_range_input
            (far outside what training saw), not_forecast (the model was trained for classification only).

        Raises:
            TableError: rows off the grid of `info.step`, or duplicated.
        """
        info, horizons = self.info, len(self.info.horizons)
        grid = SegmentGrid.of(frame, info.step, info.gap_limit, info.task.history_steps - 1)
        near, asked = _rows(grid, start, end, info.lookback)
        simple = self.simple.forecasts(grid, near)
        truth = grid.ahead(info.target_col, info.horizons)[near]
        anchor, _ = self.simple.combined(grid, near, truth, simple)
        learned = self.forecaster.predict(grid, near, anchor)
        prediction, expected = self.blend.combine(grid, near, truth, simple, anchor, learned, info.horizons)
        rows, baseline = near[asked], self.simple.better_baseline(simple)[asked]
        prediction, half = prediction[asked], self.quantiles[:, None, :] * expected[asked]  # [n, H], [L, n, H]
        quality = window_quality(info, grid, rows, simple["persistence"][asked], prediction)
        prediction[quality != "ok"] = np.nan
        probability = self.forecaster.optimal_probability(grid, rows, anchor[asked])
        probability[~np.isin(quality, ("ok", "not_forecast"))] = np.nan
        bounds = {
            f"{side}_{level}": (prediction + sign * half[i]).ravel()
            for i, level in enumerate(("80", "95"))
            for side, sign in (("lower", -1), ("upper", 1))
        }
        result = pl.DataFrame(
            {
                "system_id": np.repeat(grid.systems[rows], horizons),
                "timestamp": pl.Series(np.repeat(grid.times[rows], horizons)).cast(pl.Datetime("us")),
                "horizon": np.tile(np.array(info.horizons, np.int32), rows.size),
                "prediction": prediction.ravel(),
                "baseline": baseline.ravel(),
                **bounds,
                "optimal_probability": probability.ravel(),
                "quality": np.repeat(quality, horizons),
            },
            schema_overrides={"system_id": pl.String(), "quality": pl.String()},
        )
        return result.with_columns(
            pl.col("timestamp").dt.replace_time_zone("UTC"), pl.col(pl.Float64).fill_nan(None)
        ).select(pl.col(name).cast(dtype) for name, dtype in PREDICTION_SCHEMA.items())

    def baselines(self, frame: pl.DataFrame, start: datetime, end: datetime) -> pl.DataFrame:
        """What both baselines say for the rows that `predict` answers: keys, horizon, persistence, short_mean."""
        info = self.info
        grid = SegmentGrid.of(frame, info.step, info.gap_limit, info.task.history_steps - 1)
        rows, _ = _rows(grid, start, end, timedelta(0))
        unused = np.empty((rows.size, len(info.horizons)))
        said = {name: self.simple.members[name].predict(grid, rows, unused) for name in BASELINES}
        keys = grid.frame.select("system_id", "timestamp")[rows]
        parts = [
            keys.with_columns(horizon=pl.lit(h, pl.Int32), **{name: pl.Series(v[:, j]) for name, v in said.items()})
            for j, h in enumerate(info.horizons)
        ]
        return pl.concat(parts).with_columns(pl.col(*said).fill_nan(None))

    def save(self, folder: Path) -> None:
        """Write package.json and the binary parts into `folder`, which is created."""
        folder.mkdir(parents=True, exist_ok=True)
        state = {
            "info": self.info.model_dump(mode="json"),
            "simple": self.simple.save(folder),
            "forecaster": self.forecaster.save(folder),
            "blend": self.blend.to_json(),
            "quantiles": [[None if np.isnan(q) else q for q in row] for row in self.quantiles.tolist()],
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
                raise ModelUnavailableError(
                    f"the package in {folder} has format {version}, this code reads up to {FORMAT_VERSION}",
                    "Upgrade hydro_assets where the model is served",
                )
            info = PackageInfo(**state["info"])
            module, name = _LEARNERS[info.kind]
            learner: type[Forecaster] = getattr(importlib.import_module(module), name)
            return cls(
                info,
                SimpleForecasts.load(info.task, folder, state["simple"]),
                learner.load(info.task, folder, state["forecaster"]),
                Blend.from_json(state["blend"]),
                np.array(state["quantiles"], dtype=float),
            )
        except (OSError, KeyError, TypeError, ValueError, ValidationError) as exc:
            raise ModelUnavailableError(
                f"the package in {folder} cannot be read ({type(exc).__name__}: {exc})",
                "Register the model again, or serve another version",
            ) from exc


def _rows(
    grid: SegmentGrid, start: datetime | None, end: datetime | None, lookback: timedelta
) -> tuple[np.ndarray, np.ndarray]:
    """Rows to compute (those asked for and the history they are judged by), and which of these are asked for."""
    times = grid.frame["timestamp"]
    before_end = np.ones(len(grid), bool) if end is None else (times < end).to_numpy()
    if start is None:
        near = np.flatnonzero(before_end)
        return near, np.ones(near.size, bool)
    near = np.flatnonzero(before_end & (times >= start - lookback).to_numpy())
    return near, (times >= start).to_numpy()[near]


def window_quality(
    info: PackageInfo, grid: SegmentGrid, rows: np.ndarray, persistence: np.ndarray, prediction: np.ndarray
) -> np.ndarray:
    """[n] `ok`, or the first reason why a row has no prediction."""
    known = np.zeros(grid.segment_of_step.size + 1)
    known[1:] = np.cumsum(~np.isnan(grid.dense(info.target_col)))
    end = grid.step_of_row[rows] + 1
    inside = known[end] - known[end - info.sequence_length]  # known target values of the window
    level = persistence[:, 0]
    span = (info.target_high - info.target_low) * _OUT_OF_RANGE_SPANS
    limits = tables.SENSOR.get(info.target_col)
    low = max(info.target_low - span, -np.inf if limits is None or limits.low is None else limits.low)
    high = min(info.target_high + span, np.inf if limits is None or limits.high is None else limits.high)
    reasons = [
        (inside == 0, "unknown_target"),
        (np.isnan(level), "stale_input"),
        (inside < info.min_window_coverage * info.sequence_length, "no_window"),
        ((level < low) | (level > high), "out_of_range_input"),
        (np.isnan(prediction).all(axis=1), "not_forecast"),
    ]
    return np.select([c for c, _ in reasons], [r for _, r in reasons], "ok").astype(object)
