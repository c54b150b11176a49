"""LightGBM as a learner: a booster per target and horizon, and a classifier per label and horizon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import lightgbm as lgb
import numpy as np

from hydro_assets.errors import ModelUnavailableError
from hydro_assets.forecasting.grid import TimeGrid, by_chunks
from hydro_assets.forecasting.labels import Calibration, label_values
from hydro_assets.forecasting.learner import Learner, Task
from hydro_assets.forecasting.row_features import row_features
from hydro_assets.forecasting.scaling import TargetScaler
from hydro_assets.forecasting.target_features import target_feature_names, target_features

CATEGORICAL = ("system_id", "water_level")


@dataclass(frozen=True)
class BoosterInputs:
    """The feature matrix of all boosters: row features, recent values and base change of each target, labels now.

    Attributes:
        columns: feature columns of the table that are read.
        systems: known systems; their position is the category.
    """

    task: Task
    columns: tuple[str, ...]
    labels: tuple[str, ...]
    systems: tuple[str, ...]

    def names(self, grid: TimeGrid) -> list[str]:
        """[F] names of the columns of `read`."""
        of_targets = [
            name
            for target in self.task.targets
            for name in (
                *target_feature_names(self.task, target, grid.step),
                *(f"{target}_base_change_{h}_steps" for h in self.task.horizons),
            )
        ]
        return ["system_id", *self.columns, *(f"{label}_now" for label in self.labels), *of_targets]

    def read(self, grid: TimeGrid, rows: np.ndarray, base: np.ndarray) -> np.ndarray:
        """[n, F] float32 features of `rows`; `base`: [n, K, H]."""
        return grid.remembered(
            ("booster_inputs", self), rows, lambda new: self._read(grid, new, base[np.searchsorted(rows, new)])
        )

    def _read(self, grid: TimeGrid, rows: np.ndarray, base: np.ndarray) -> np.ndarray:
        number = {s: i for i, s in enumerate(self.systems)}
        system = np.array([number.get(str(s), -1) for s in grid.systems[rows]], np.float32)[:, None]
        parts = [system, row_features(grid, self.columns, rows)]
        parts += [label_values(grid, label)[rows][:, None] for label in self.labels]
        for k, target in enumerate(self.task.targets):
            both = target_features(grid, self.task, target, rows)
            parts += [both[:, 1:], base[:, k] - both[:, :1]]
        return np.concatenate([part.astype(np.float32) for part in parts], axis=1)


class LightGBMLearner(Learner):
    """Boosted trees on the features of the forecast origin.

    Attributes:
        inputs: the feature matrix.
        reads: per target (and under "labels") the positions in it that its boosters read.
        scale: unit of the learned changes, [K, H] per system.
        regressors: by (target, horizon); none for a learner of labels only.
        classifiers: by (label, horizon); None where training saw one class.
    """

    kind = "lightgbm"

    def __init__(
        self,
        task: Task,
        inputs: BoosterInputs,
        reads: dict[str, list[int]],
        scale: TargetScaler | None,
        regressors: dict[tuple[str, int], lgb.Booster],
        classifiers: dict[tuple[str, int], lgb.Booster | None],
        calibrations: dict[tuple[str, int], Calibration],
    ) -> None:
        self.task, self.inputs, self.reads, self.scale, self.labels = task, inputs, reads, scale, inputs.labels
        self.regressors, self.classifiers, self.calibrations = regressors, classifiers, calibrations

    def predict(self, grid: TimeGrid, rows: np.ndarray, base: np.ndarray) -> np.ndarray:
        task = self.task
        shape = rows.size, len(task.targets), len(task.horizons)
        if not self.regressors or self.scale is None or rows.size == 0:
            return np.full(shape, np.nan)

        def change(at: np.ndarray) -> np.ndarray:
            features = self.inputs.read(grid, rows[at], base[at])
            own = {target: features[:, self.reads[target]] for target in task.targets}
            changes = [
                np.asarray(self.regressors[target, h].predict(own[target]))
                for target in task.targets
                for h in task.horizons
            ]
            return np.stack(changes, axis=1)  # [n, K * H]

        scaled = by_chunks(change, np.arange(rows.size), shape[1] * shape[2]).reshape(shape)
        return base + scaled * self.scale.of(grid.systems[rows])

    def probability(self, grid: TimeGrid, rows: np.ndarray, base: np.ndarray) -> np.ndarray:
        shape = rows.size, len(self.inputs.labels), len(self.task.horizons)
        if not self.inputs.labels or rows.size == 0:
            return np.empty(shape)

        def probabilities(at: np.ndarray) -> np.ndarray:
            features = self.inputs.read(grid, rows[at], base[at])[:, self.reads["labels"]]
            parts = []
            for key, calibration in self.calibrations.items():
                booster = self.classifiers[key]
                score = np.zeros(at.size) if booster is None else booster.predict(features, raw_score=True)
                parts.append(calibration.probability(np.asarray(score)))
            return np.stack(parts, axis=1)  # [n, L * H]

        return by_chunks(probabilities, np.arange(rows.size), shape[1] * shape[2]).reshape(shape)

    def one_class(self) -> np.ndarray:
        shape = len(self.inputs.labels), len(self.task.horizons)
        return np.array([b is None for b in self.classifiers.values()], bool).reshape(shape)

    def save(self, folder: Path) -> dict[str, Any]:
        files = {f"{target}_h{h}.lgb": b for (target, h), b in self.regressors.items()}
        files |= {f"{label}_h{h}.lgb": b for (label, h), b in self.classifiers.items() if b is not None}
        for name, booster in files.items():
            (folder / name).write_text(booster.model_to_string(num_iteration=booster.best_iteration))
        return {
            "columns": list(self.inputs.columns),
            "labels": list(self.inputs.labels),
            "systems": list(self.inputs.systems),
            "reads": self.reads,
            "scale": None if self.scale is None else self.scale.to_json(),
            "regressors": bool(self.regressors),
            "classifiers": [[label, h, b is not None] for (label, h), b in self.classifiers.items()],
            "calibrations": [c.to_json() for c in self.calibrations.values()],
        }

    @classmethod
    def load(cls, task: Task, folder: Path, state: dict[str, Any]) -> Self:
        keys = [(label, h) for label, h, _ in state["classifiers"]]
        learned = [is_learned for _, _, is_learned in state["classifiers"]]
        return cls(
            task,
            BoosterInputs(task, tuple(state["columns"]), tuple(state["labels"]), tuple(state["systems"])),
            state["reads"],
            None if state["scale"] is None else TargetScaler.from_json(state["scale"]),
            {(t, h): _read(folder / f"{t}_h{h}.lgb") for t in task.targets for h in task.horizons}
            if state["regressors"]
            else {},
            {
                (n, h): _read(folder / f"{n}_h{h}.lgb") if yes else None
                for (n, h), yes in zip(keys, learned, strict=True)
            },
            {key: Calibration(**c) for key, c in zip(keys, state["calibrations"], strict=True)},
        )

    def describe_inputs(self) -> Sequence[str]:
        return list(self.inputs.columns)


def _read(path: Path) -> lgb.Booster:
    try:
        return lgb.Booster(model_str=path.read_text())
    except (OSError, UnicodeDecodeError, lgb.basic.LightGBMError) as exc:
        raise ModelUnavailableError(
            f"{path.name} cannot be read as a LightGBM model ({type(exc).__name__})",
            "Register the model again, or serve another version",
        ) from exc
