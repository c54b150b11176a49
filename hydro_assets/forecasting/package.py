"""One self-contained forecast package: learner, base forecasts, intervals, units; it predicts in the targets' units."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
from pydantic import ValidationError

from hydro_assets.errors import ModelUnavailableError
from hydro_assets.forecasting.actuals import actuals
from hydro_assets.forecasting.base import BASELINES
from hydro_assets.forecasting.grid import TimeGrid
from hydro_assets.forecasting.info import (
    FORMAT_VERSION,
    DataFacts,
    FeatureReference,
    PackageInfo,
    TargetInfo,
    history_steps,
)
from hydro_assets.forecasting.learner import Learner
from hydro_assets.forecasting.memory import RowMemory
from hydro_assets.forecasting.model import LEVELS, Bases, TargetModel
from hydro_assets.forecasting.quality import label_quality, target_quality
from hydro_assets.forecasting.weights import hindcast_rows

__all__ = [
    "FORMAT_VERSION",
    "PREDICTION_SCHEMA",
    "PROBABILITY_SCHEMA",
    "DataFacts",
    "FeatureReference",
    "ForecastPackage",
    "PackageInfo",
    "TargetInfo",
    "history_steps",
    "predict_all",
]

PACKAGE_FILE = "package.json"
_KEYS = {"system_id": pl.String(), "timestamp": pl.Datetime("us", "UTC")}
PREDICTION_SCHEMA = pl.Schema(
    {
        **_KEYS,
        "target": pl.String(),
        "horizon": pl.Int32(),
        "prediction": pl.Float64(),
        "baseline": pl.Float64(),
        "lower_80": pl.Float64(),
        "upper_80": pl.Float64(),
        "lower_95": pl.Float64(),
        "upper_95": pl.Float64(),
        "quality": pl.String(),
    }
)
PROBABILITY_SCHEMA = pl.Schema(
    {**_KEYS, "label": pl.String(), "horizon": pl.Int32(), "probability": pl.Float64(), "quality": pl.String()}
)
# Imported only when a package of the kind is loaded: torch and LightGBM are heavy.
_LEARNERS = {
    "lstm": ("hydro_assets.forecasting.recurrent", "RecurrentLearner"),
    "gru": ("hydro_assets.forecasting.recurrent", "RecurrentLearner"),
    "lightgbm": ("hydro_assets.forecasting.boosting", "LightGBMLearner"),
}


class ForecastPackage:
    """A trained model with all that predicting takes. Loadable without Dagster, Spark and MLflow."""

    def __init__(self, info: PackageInfo, models: Sequence[TargetModel], learner: Learner) -> None:
        self.info, self.models, self.learner = info, tuple(models), learner  # one model per target

    def predict(
        self, frame: pl.DataFrame | SharedRows, start: datetime | None = None, end: datetime | None = None
    ) -> pl.DataFrame:
        """Forecast every row of `frame` with start <= timestamp < end: each target and horizon in its own output row.

        Args:
            frame: feature rows of one or more systems, with `info.lookback` of history before `start`.

        Returns:
            PREDICTION_SCHEMA, sorted by system and timestamp, then in the order of `info.targets` and `info.horizons`.
            `prediction` and its interval are null unless `quality` is ok; `baseline` is given wherever the target is
            known at the origin. Qualities: unknown_target (the target is not measured), stale_input (not measured
            within the gap limit), no_window (under `min_window_coverage` of the context), out_of_range_input (far
            outside what training saw), not_forecast (the model was trained for classification only).

        Raises:
            TableError: rows off the grid of `info.step`, or duplicated.
        """
        return self._predict(_bases(self.info, frame), start, end)

    def probabilities(
        self, frame: pl.DataFrame | SharedRows, start: datetime | None = None, end: datetime | None = None
    ) -> pl.DataFrame:
        """PROBABILITY_SCHEMA of every row, label and horizon; no rows where the package has no classifier.

        `probability` is null unless `quality` is ok or one_class: training saw one class only, and the probability is
        its smoothed share. Other qualities: unknown_label (the state is not measured), stale_input (not measured within
        the gap limit).
        """
        return self._probabilities(_bases(self.info, frame), start, end)

    def baselines(
        self, frame: pl.DataFrame | SharedRows, start: datetime | None = None, end: datetime | None = None
    ) -> pl.DataFrame:
        """What each baseline says for the rows that `predict` answers, beside the actual as far as `frame` has it.

        Columns: keys, target, horizon, BASELINES, actual.
        """
        info, grid = self.info, _bases(self.info, frame).grid
        rows = _asked(grid, start, end)
        made = np.stack([m.base.simple(grid, rows)[: len(BASELINES)] for m in self.models], axis=2)  # [3, n, K, H]
        actual = np.stack([actuals(grid, m.base.target, info.horizons, rows) for m in self.models], axis=1)
        columns: dict[str, np.ndarray] = dict(zip((*BASELINES, "actual"), [*made, actual], strict=True))
        return _narrow(grid, rows, "target", info.target_names, info.horizons, columns)

    def _predict(self, bases: Bases, start: datetime | None, end: datetime | None) -> pl.DataFrame:
        info, grid = self.info, bases.grid
        asked = _asked(grid, start, end)
        near = hindcast_rows(grid, asked, info.horizons)
        at = np.searchsorted(near, asked)
        made = [bases.of(model.base, near) for model in self.models]
        base = np.stack([m.base for m in made], axis=1)  # [n, K, H]
        learned = grid.remembered(
            ("learned", id(self)), near, lambda new: self.learner.predict(grid, new, base[np.searchsorted(near, new)])
        )
        shape = asked.size, len(self.models), len(info.horizons)
        columns = {name: np.empty(shape) for name in PREDICTION_SCHEMA if PREDICTION_SCHEMA[name] == pl.Float64}
        quality = np.empty(shape, object)
        for k, (model, simple) in enumerate(zip(self.models, made, strict=True)):
            actual = actuals(grid, model.base.target, info.horizons, near)
            prediction, expected = model.forecast(grid, near, actual, base[:, k], learned[:, k])
            prediction, half = prediction[at], model.half_width(expected[at])
            quality[:, k] = target_quality(info, grid, asked, info.targets[k], prediction)[:, None]
            prediction[quality[:, k] != "ok"] = np.nan
            columns["prediction"][:, k] = prediction
            columns["baseline"][:, k] = model.base.of_baseline(simple.simple[:, at])
            for i, level in enumerate(LEVELS):
                columns[f"lower_{100 * level:.0f}"][:, k] = prediction - half[i]
                columns[f"upper_{100 * level:.0f}"][:, k] = prediction + half[i]
        return _narrow(grid, asked, "target", info.target_names, info.horizons, {**columns, "quality": quality})

    def _probabilities(self, bases: Bases, start: datetime | None, end: datetime | None) -> pl.DataFrame:
        info, grid = self.info, bases.grid
        if not info.labels:
            return pl.DataFrame(schema=PROBABILITY_SCHEMA)
        rows = _asked(grid, start, end)
        base = np.stack([bases.of(model.base, rows).base for model in self.models], axis=1)
        probability = self.learner.probability(grid, rows, base)  # [n, L, H]
        quality = label_quality(info, grid, rows, self.learner.one_class())
        probability[~np.isin(quality, ("ok", "one_class"))] = np.nan
        columns = {"probability": probability, "quality": quality}
        return _narrow(grid, rows, "label", info.labels, info.horizons, columns)

    def save(self, folder: Path) -> None:
        """Write package.json and the binary parts into `folder`, which is created."""
        folder.mkdir(parents=True, exist_ok=True)
        state = {
            "info": self.info.model_dump(mode="json"),
            "models": [model.to_json() for model in self.models],
            "learner": self.learner.save(folder),
        }
        (folder / PACKAGE_FILE).write_text(json.dumps(state, indent=1))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; nothing is unpickled.

        Raises:
            ModelUnavailableError: a part is missing, damaged, or of another format.
        """
        try:
            state = json.loads((folder / PACKAGE_FILE).read_text())
            _require_format(state["info"]["format_version"], folder)
            info = PackageInfo(**state["info"])
            module, name = _LEARNERS[info.kind]
            learner: type[Learner] = getattr(importlib.import_module(module), name)
            models = [TargetModel.from_json(info.task, model) for model in state["models"]]
            return cls(info, models, learner.load(info.task, folder, state["learner"]))
        except (OSError, KeyError, TypeError, ValueError, ValidationError) as exc:
            raise ModelUnavailableError(
                f"the package in {folder} cannot be read ({type(exc).__name__}: {exc})",
                "Register the model again, or serve another version",
            ) from exc


def predict_all(
    packages: Mapping[str, ForecastPackage],
    rows: pl.DataFrame | SharedRows,
    start: datetime | None,
    end: datetime | None,
) -> dict[str, pl.DataFrame]:
    """`predict` of each package, on shared rows."""
    shared = rows if isinstance(rows, SharedRows) else SharedRows(rows)
    return {name: package.predict(shared, start, end) for name, package in packages.items()}


@dataclass
class SharedRows:
    """Feature rows for several packages: those of one training data share the grid and the base forecasts.

    `memory` keeps what was computed of the rows for the next call with the same rows and newer ones.
    """

    frame: pl.DataFrame
    memory: RowMemory | None = None
    _made: dict[Any, Bases] = field(default_factory=dict)

    def bases(self, info: PackageInfo) -> Bases:
        """Base forecasts, made when asked for, on the grid that a package needs."""
        key = info.step, info.gap_limit, info.task.padding
        if key not in self._made:
            self._made[key] = Bases(TimeGrid.of(self.frame, *key, self.memory))
        return self._made[key]


def _bases(info: PackageInfo, rows: pl.DataFrame | SharedRows) -> Bases:
    return (rows if isinstance(rows, SharedRows) else SharedRows(rows)).bases(info)


def _require_format(version: int, folder: Path) -> None:
    if version > FORMAT_VERSION:
        raise ModelUnavailableError(
            f"the package in {folder} has format {version}, this code reads {FORMAT_VERSION}",
            "Upgrade hydro_assets where the model is served",
        )
    if version < FORMAT_VERSION:
        raise ModelUnavailableError(
            f"the package in {folder} has format {version} of an earlier release, this code reads {FORMAT_VERSION}",
            "Train again",
        )


def _asked(grid: TimeGrid, start: datetime | None, end: datetime | None) -> np.ndarray:
    """Numbers of the rows with start <= timestamp < end."""
    times, asked = grid.frame["timestamp"], np.ones(len(grid), bool)
    if start is not None:
        asked &= (times >= start).to_numpy()
    if end is not None:
        asked &= (times < end).to_numpy()
    return np.flatnonzero(asked)


def _narrow(
    grid: TimeGrid,
    rows: np.ndarray,
    what: str,
    names: Sequence[str],
    horizons: Sequence[int],
    columns: Mapping[str, np.ndarray],
) -> pl.DataFrame:
    """One output row per row, name (of a target or label) and horizon; `columns` are [n, N, H], or [n, H] of one."""
    per_row = len(names) * len(horizons)
    frame = pl.DataFrame(
        {
            "system_id": pl.Series(np.repeat(grid.systems[rows], per_row), dtype=pl.String),
            "timestamp": pl.Series(np.repeat(grid.times[rows], per_row), dtype=pl.Int64).cast(pl.Datetime("us", "UTC")),
            what: pl.Series(np.tile(np.repeat(np.array(names, object), len(horizons)), rows.size), dtype=pl.String),
            "horizon": np.tile(np.array(horizons, np.int32), rows.size * len(names)),
        }
        | {n: pl.Series(v.ravel(), dtype=pl.String if v.dtype == object else pl.Float64) for n, v in columns.items()}
    )
    return frame.with_columns(pl.col(pl.Float64).fill_nan(None))
