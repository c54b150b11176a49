"""LightGBM: a booster per horizon for the target, and one per horizon for the state of the environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import lightgbm as lgb
import numpy as np

from hydro_assets.errors import ModelUnavailableError, TrainingError
from hydro_assets.forecasting.calibration import PlattScaling
from hydro_assets.forecasting.change_scale import ChangeScale
from hydro_assets.forecasting.contract import FitNotes, Forecaster, Report, Samples, Task
from hydro_assets.forecasting.course import course, course_names
from hydro_assets.forecasting.matrix import Piece, matrix, value_range
from hydro_assets.forecasting.origin import input_columns, row_features
from hydro_assets.forecasting.windows import SegmentGrid, by_chunks
from hydro_assets.settings import LightGBMConfig

LABEL = "is_env_optimal"


class LightGBMForecaster(Forecaster):
    """Boosted trees on the features of the forecast origin."""

    kind = "lightgbm"

    def __init__(self, task: Task, config: LightGBMConfig, seed: int) -> None:
        self.task, self.config, self.seed = task, config, seed
        self.columns: list[str] = []
        self.names: list[str] = []
        self.varying: list[int] | None = None  # positions among all features; None until they are known
        self.output: ChangeScale | None = None
        self.regressors: list[lgb.Booster] = []
        self.classifiers: list[lgb.Booster | None] = []
        self.calibrations: list[PlattScaling] = []

    def fit(self, samples: Samples, report: Report) -> FitNotes:
        grid, fit_notes = samples.grid, FitNotes()
        self.columns = input_columns(grid.frame)
        train, validation = samples.train, samples.validation
        read_train = self._reader(grid, train, samples.anchor[train])
        candidates = [*self.columns, *course_names(grid, self.task)]
        low, high = value_range(read_train, train.size)
        self.varying = [j for j, name in enumerate(candidates) if high[j] > low[j] or name == self.task.target]
        self.names = [candidates[j] for j in self.varying]
        dropped = len(candidates) - len(self.names)
        if dropped:
            fit_notes.notes.append(
                f"{dropped} of {len(candidates)} features are constant or empty in training and are not used"
            )
        read_validation = self._reader(grid, validation, samples.anchor[validation])
        matrices = (
            matrix(read_train, train.size, len(self.names)),
            matrix(read_validation, validation.size, len(self.names)),
        )
        if self.config.task_type != "classification":
            self._fit_regression(samples, *matrices, fit_notes, report)
        if self.config.task_type != "regression":
            self._fit_classification(samples, *matrices, fit_notes, report)
        fit_notes.importance = self._importance()
        return fit_notes

    def _fit_regression(
        self, samples: Samples, train: np.ndarray, validation: np.ndarray, fit_notes: FitNotes, report: Report
    ) -> None:
        goal = samples.truth - samples.anchor if self.config.predict_change else samples.truth
        systems = samples.grid.systems
        self.output = ChangeScale.fit(goal[samples.train], systems[samples.train], not self.config.predict_change)
        scaled = self.output.scaled(goal, systems)
        for j, h in enumerate(self.task.horizons):
            booster, curve = self._boost(
                {"objective": "regression_l1"},
                (train, scaled[samples.train, j]),
                (validation, scaled[samples.validation, j]),
                report,
                f"regression, {h} steps ahead",
            )
            self.regressors.append(booster)
            fit_notes.history += _rounds(h, "loss", curve)

    def _fit_classification(
        self, samples: Samples, train: np.ndarray, validation: np.ndarray, fit_notes: FitNotes, report: Report
    ) -> None:
        if LABEL not in samples.grid.frame.columns:
            raise TrainingError(
                f"the features have no column {LABEL}",
                "Build them with the feature store, or set task_type to regression",
            )
        label = samples.grid.ahead(LABEL, self.task.horizons)  # [R, H]
        for j, h in enumerate(self.task.horizons):
            y, y_validation = label[samples.train, j], label[samples.validation, j]
            classes = np.unique(y[~np.isnan(y)])
            if classes.size < 2:
                share = float(classes[0]) if classes.size else float("nan")
                self.classifiers.append(None)
                self.calibrations.append(PlattScaling.constant(share))
                fit_notes.notes.append(
                    f"{LABEL} has one class in training at {h} steps ahead: the probability is the "
                    f"constant {share:g}, nothing was learned"
                )
                continue
            booster, curve = self._boost(
                {"objective": "binary"},
                (train, y),
                (validation, y_validation),
                report,
                f"classification, {h} steps ahead",
            )
            fit_notes.history += _rounds(h, "log_loss", curve)
            raw = booster.predict(validation, raw_score=True)
            self.classifiers.append(booster)
            self.calibrations.append(PlattScaling.fit(np.asarray(raw), y_validation))

    def _boost(
        self,
        objective: dict[str, Any],
        train: tuple[np.ndarray, np.ndarray],
        validation: tuple[np.ndarray, np.ndarray],
        report: Report,
        what: str,
    ) -> tuple[lgb.Booster, dict[str, list[float]]]:
        """The booster, and the loss after every round on `train` and, where it has known goals, on `validation`."""
        config = self.config
        parameters = {
            **objective,
            "num_leaves": config.num_leaves,
            "learning_rate": config.learning_rate,
            "feature_fraction": config.feature_fraction,
            "bagging_fraction": config.bagging_fraction,
            "bagging_freq": 1,
            "seed": self.seed,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }
        data = lgb.Dataset(*_known(*train))
        held = _known(*validation)
        curve: dict[str, dict[str, list[float]]] = {}
        watched, callbacks = {"train": data}, [lgb.record_evaluation(curve)]
        if held[1].size:
            watched["validation"] = data.create_valid(*held)
            callbacks.append(lgb.early_stopping(config.early_stopping_rounds, verbose=False))
        booster = lgb.train(
            parameters, data, config.num_boost_round, list(watched.values()), list(watched), callbacks=callbacks
        )
        report(f"lightgbm {what}: {booster.best_iteration or booster.num_trees()} rounds kept")
        return booster, {part: next(iter(losses.values())) for part, losses in curve.items()}

    def predict(self, grid: SegmentGrid, rows: np.ndarray, anchor: np.ndarray) -> np.ndarray:
        if not self.regressors or self.output is None or rows.size == 0:
            return np.full((rows.size, len(self.task.horizons)), np.nan)
        boosters, read = self.regressors, self._reader(grid, rows, anchor)

        def scaled_change(at: np.ndarray) -> np.ndarray:
            features = read(at)
            return np.stack([np.asarray(b.predict(features)) for b in boosters], axis=1)

        scaled = by_chunks(scaled_change, np.arange(rows.size), len(boosters))  # [n, H]
        value = self.output.unscaled(scaled, grid.systems[rows])
        return anchor + value if self.config.predict_change else value

    def _reader(self, grid: SegmentGrid, rows: np.ndarray, anchor: np.ndarray) -> Piece:
        """Positions in `rows` -> float32 row features and course of the target; once known, only those that vary."""

        def read(at: np.ndarray) -> np.ndarray:
            own = row_features(grid, self.columns, rows[at])
            features = np.concatenate([own, course(grid, self.task, rows[at], anchor[at]).astype(np.float32)], axis=1)
            return features if self.varying is None else features[:, self.varying]

        return read

    def optimal_probability(self, grid: SegmentGrid, rows: np.ndarray, anchor: np.ndarray) -> np.ndarray:
        """[n, H] calibrated probability that the environment is optimal at t + h; NaN without a classifier."""
        if not self.calibrations or rows.size == 0:
            return np.full((rows.size, len(self.task.horizons)), np.nan)
        read = self._reader(grid, rows, anchor)

        def probability(at: np.ndarray) -> np.ndarray:
            features = read(at)
            raw = [np.zeros(at.size) if b is None else b.predict(features, raw_score=True) for b in self.classifiers]
            return np.stack([c.probability(np.asarray(r)) for c, r in zip(self.calibrations, raw, strict=True)], axis=1)

        return by_chunks(probability, np.arange(rows.size), len(self.calibrations))

    def _importance(self) -> dict[str, float]:
        """Share of the gain per feature, over all boosters."""
        total = np.zeros(len(self.names))
        for booster in [*self.regressors, *self.classifiers]:
            if booster is not None:
                gain = booster.feature_importance("gain")
                total += gain / max(gain.sum(), 1e-12)
        return dict(zip(self.names, (total / max(total.sum(), 1e-12)).tolist(), strict=True))

    def save(self, folder: Path) -> dict[str, Any]:
        files = {f"model_h{h}.lgb": b for h, b in zip(self.task.horizons, self.regressors, strict=False)}
        files |= {f"model_optimal_h{h}.lgb": b for h, b in zip(self.task.horizons, self.classifiers, strict=False)}
        for name, booster in files.items():
            if booster is not None:
                (folder / name).write_text(booster.model_to_string(num_iteration=booster.best_iteration))
        return {
            "config": self.config.model_dump(),
            "seed": self.seed,
            "columns": self.columns,
            "names": self.names,
            "varying": self.varying,
            "output": None if self.output is None else self.output.to_json(),
            "regressors": len(self.regressors),
            "classifiers": [b is not None for b in self.classifiers],
            "calibrations": [c.to_json() for c in self.calibrations],
        }

    @classmethod
    def load(cls, task: Task, folder: Path, state: dict[str, Any]) -> Self:
        self = cls(task, LightGBMConfig(**state["config"]), state["seed"])
        self.columns, self.names, self.varying = state["columns"], state["names"], state["varying"]
        self.output = None if state["output"] is None else ChangeScale.from_json(state["output"])
        self.regressors = [_read(folder / f"model_h{h}.lgb") for h in task.horizons[: state["regressors"]]]
        self.classifiers = [
            _read(folder / f"model_optimal_h{h}.lgb") if learned else None
            for h, learned in zip(task.horizons, state["classifiers"], strict=False)
        ]
        self.calibrations = [PlattScaling(**c) for c in state["calibrations"]]
        return self

    def describe_inputs(self) -> Sequence[str]:
        return [name for name in self.columns if name in self.names]


def _rounds(horizon: int, loss: str, curve: Mapping[str, Sequence[float]]) -> list[dict[str, float]]:
    """`curve` as entries of the history: horizon, round, and `loss` of each part."""
    return [
        {"horizon": horizon, "round": number, **{f"{part}_{loss}": v for part, v in zip(curve, values, strict=True)}}
        for number, values in enumerate(zip(*curve.values(), strict=True), start=1)
    ]


def _known(features: np.ndarray, goal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows whose goal is known; the matrix itself, not a copy, where all are."""
    known = ~np.isnan(goal)
    return (features, goal) if known.all() else (features[known], goal[known])


def _read(path: Path) -> lgb.Booster:
    try:
        return lgb.Booster(model_str=path.read_text())
    except (OSError, UnicodeDecodeError, lgb.basic.LightGBMError) as exc:
        raise ModelUnavailableError(
            f"{path.name} cannot be read as a LightGBM model ({type(exc).__name__})",
            "Register the model again, or serve another version",
        ) from exc
