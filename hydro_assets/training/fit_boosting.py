"""Fit LightGBM: a booster per target and horizon, a calibrated classifier per label and horizon, and the refit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np

from hydro_assets.forecasting.actuals import actuals
from hydro_assets.forecasting.boosting import CATEGORICAL, BoosterInputs, LightGBMLearner
from hydro_assets.forecasting.labels import Calibration, label_values
from hydro_assets.forecasting.row_features import input_columns, reads_of
from hydro_assets.forecasting.scaling import TargetScaler
from hydro_assets.setting_groups import LightGBMConfig
from hydro_assets.training.matrix import matrix, value_range
from hydro_assets.training.samples import LearnerFit, Report, Samples

_BINNING = {"max_bin": 63, "verbosity": -1}


def fit_boosting(
    samples: Samples, config: LightGBMConfig, labels: Sequence[str], seed: int, report: Report
) -> LearnerFit:
    """Learn from `samples.train`; validation stops the rounds and calibrates the probabilities."""
    task, grid, train = samples.task, samples.grid, samples.train
    notes: list[str] = []
    labels = () if config.task_type == "regression" else _measured(samples, labels, notes)
    targets = () if config.task_type == "classification" else task.targets
    systems = tuple(sorted(set(map(str, grid.systems[train]))))
    inputs = BoosterInputs(task, tuple(input_columns(grid.frame)), labels, systems)
    reads = _reads(inputs, samples, [*targets, *(["labels"] if labels else [])], notes)
    scale = TargetScaler.fit(samples.change[train], grid.systems[train]) if targets else None
    learner = LightGBMLearner(task, inputs, reads, scale, {}, {}, {})
    made = LearnerFit(learner, notes=notes)
    for part in targets:
        data = _Part.of(learner, samples, part)
        goals = _scaled(samples, learner, part)
        for j, h in enumerate(task.horizons):
            booster, curve = data.boost(config, seed, "regression_l1", goals[:, j])
            learner.regressors[part, h] = booster
            _remember(made, part, h, booster, curve, "loss")
        report(f"lightgbm {part}: {', '.join(str(made.lengths[part, h]) for h in task.horizons)} rounds kept")
    if labels:
        data = _Part.of(learner, samples, "labels")
        for label in labels:
            _fit_label(made, data, samples, config, seed, label)
            kept = ", ".join(str(made.lengths.get((label, h), 0)) for h in task.horizons)
            report(f"lightgbm {label}: {kept} rounds kept")
    made.importance = _importance(learner, inputs.names(grid))
    return made


def refit_boosting(fitted: LearnerFit, samples: Samples, config: LightGBMConfig, seed: int) -> LightGBMLearner:
    """Learn again from `samples.train`, which now holds the newest rows too, as many rounds as validation chose."""
    before, lengths = fitted.learner, fitted.lengths
    assert isinstance(before, LightGBMLearner)
    scale = before.scale
    learner = LightGBMLearner(
        before.task, before.inputs, before.reads, scale, {}, dict(before.classifiers), before.calibrations
    )
    for part in dict.fromkeys(target for target, _ in before.regressors):
        data, goals = _Part.of(learner, samples, part), _scaled(samples, learner, part)
        for j, h in enumerate(before.task.horizons):
            booster, _ = data.boost(config, seed, "regression_l1", goals[:, j], lengths[part, h])
            learner.regressors[part, h] = booster
    learned = [key for key, booster in before.classifiers.items() if booster is not None]
    if learned:
        data = _Part.of(learner, samples, "labels")
        for label, h in learned:
            state = actuals(samples.grid, label_values(samples.grid, label), [h])[:, 0]
            learner.classifiers[label, h], _ = data.boost(config, seed, "binary", state, lengths[label, h])
    return learner


@dataclass(frozen=True)
class _Part:
    """The binned features of one target's boosters (or of the labels'), shared by its horizons."""

    train: lgb.Dataset
    validation: lgb.Dataset | None
    held: np.ndarray
    rows: np.ndarray
    validation_rows: np.ndarray

    @classmethod
    def of(cls, learner: LightGBMLearner, samples: Samples, part: str) -> _Part:
        reads, inputs, grid = learner.reads[part], learner.inputs, samples.grid

        def features(rows: np.ndarray) -> np.ndarray:
            return matrix(
                lambda at: inputs.read(grid, rows[at], samples.base[rows[at]])[:, reads], rows.size, len(reads)
            )

        names = inputs.names(grid)
        categorical = [i for i, j in enumerate(reads) if names[j] in CATEGORICAL]
        held = features(samples.validation)
        data = lgb.Dataset(
            features(samples.train), categorical_feature=categorical, params=_BINNING, free_raw_data=False
        )
        validation = data.create_valid(held, params=_BINNING) if samples.validation.size else None
        return cls(data, validation, held, samples.train, samples.validation)

    def boost(
        self, config: LightGBMConfig, seed: int, objective: str, goal: np.ndarray, rounds: int | None = None
    ) -> tuple[lgb.Booster, dict[str, list[float]]]:
        """The booster, and the loss after every round on train and, where it has known goals, on validation.

        Args:
            goal: [R], NaN where unknown.
            rounds: how many to learn; None stops where validation is best.
        """
        parameters: dict[str, Any] = {
            "objective": objective,
            "num_leaves": config.num_leaves,
            "learning_rate": config.learning_rate,
            "feature_fraction": config.feature_fraction,
            "bagging_fraction": config.bagging_fraction,
            "bagging_freq": 1,
            **_BINNING,
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,
        }
        data = _with_goal(self.train, goal[self.rows])
        curve: dict[str, dict[str, list[float]]] = {}
        watched, callbacks = {}, []
        if rounds is None:
            watched, callbacks = {"train": data}, [lgb.record_evaluation(curve)]
            if self.validation is not None and not np.isnan(goal[self.validation_rows]).all():
                watched["validation"] = _with_goal(self.validation, goal[self.validation_rows])
                callbacks.append(lgb.early_stopping(config.early_stopping_rounds, verbose=False))
        booster = lgb.train(
            parameters,
            data,
            config.num_boost_round if rounds is None else max(rounds, 1),
            list(watched.values()),
            list(watched),
            callbacks=callbacks,
        )
        return booster, {part: next(iter(losses.values())) for part, losses in curve.items()}


def _with_goal(data: lgb.Dataset, goal: np.ndarray) -> lgb.Dataset:
    """`data` with `goal`; rows whose goal is unknown weigh nothing, so that all horizons share the binned features."""
    known = ~np.isnan(goal)
    data.construct().set_label(np.nan_to_num(goal))
    return data.set_weight(None if known.all() or not known.any() else known.astype(np.float32))


def _measured(samples: Samples, labels: Sequence[str], notes: list[str]) -> tuple[str, ...]:
    """The labels that training saw at all."""
    found = []
    for label in labels:
        if np.isnan(label_values(samples.grid, label)[samples.train]).all():
            notes.append(f"{label} is not known in the training rows: no probability of it is forecast")
        else:
            found.append(label)
    return tuple(found)


def _reads(inputs: BoosterInputs, samples: Samples, parts: Sequence[str], notes: list[str]) -> dict[str, list[int]]:
    """Per target (and for the labels) the positions of the features that vary in training and that it reads."""
    names, rows = inputs.names(samples.grid), samples.train
    low, high = value_range(lambda at: inputs.read(samples.grid, rows[at], samples.base[rows[at]]), rows.size)
    varying = [j for j in range(len(names)) if high[j] > low[j]]
    if len(varying) < len(names):
        notes.append(
            f"{len(names) - len(varying)} of {len(names)} features are constant or empty in training and not used"
        )
    first = {"labels": samples.task.targets[0]}
    return {
        part: [j for j in varying if reads_of(first.get(part, part), names[j], samples.task.targets)] or [0]
        for part in parts
    }


def _scaled(samples: Samples, learner: LightGBMLearner, target: str) -> np.ndarray:
    """[R, H] changes of `target` in the unit that is learned."""
    assert learner.scale is not None
    k = samples.task.targets.index(target)
    return samples.change[:, k] / learner.scale.of(samples.grid.systems)[:, k]


def _fit_label(made: LearnerFit, data: _Part, samples: Samples, config: LightGBMConfig, seed: int, label: str) -> None:
    learner, grid = made.learner, samples.grid
    assert isinstance(learner, LightGBMLearner)
    state = actuals(grid, label_values(grid, label), samples.task.horizons)  # [R, H]
    for j, h in enumerate(samples.task.horizons):
        seen = state[samples.train, j]
        seen = seen[~np.isnan(seen)]
        if np.unique(seen).size < 2:
            share = float((seen.sum() + 1) / (seen.size + 2))
            learner.classifiers[label, h], learner.calibrations[label, h] = None, Calibration(share=share)
            made.notes.append(
                f"{label} has one class in training at {h} steps ahead: nothing could be learned, the probability "
                f"{share:.2g} is the smoothed share (positives + 1) / (n + 2), marked one_class"
            )
            continue
        booster, curve = data.boost(config, seed, "binary", state[:, j])
        _remember(made, label, h, booster, curve, "log_loss")
        score = np.asarray(booster.predict(data.held, raw_score=True))
        learner.classifiers[label, h] = booster
        learner.calibrations[label, h] = platt_scaling(score, state[samples.validation, j])


def platt_scaling(score: np.ndarray, state: np.ndarray) -> Calibration:
    """Logistic regression of [n] states on [n] scores; unchanged where one class is seen, which calibrates nothing."""
    from sklearn.linear_model import LogisticRegression

    known = ~np.isnan(state)
    score, state = score[known], state[known]
    if np.unique(state).size < 2:
        return Calibration()
    model = LogisticRegression(C=1e3).fit(score[:, None], state)
    slope = float(model.coef_[0, 0])
    if slope <= 0:  # the order of the scores says nothing: keep the share
        share = float(np.clip(state.mean(), 1 / (state.size + 2), 1 - 1 / (state.size + 2)))
        return Calibration(slope=0.0, offset=float(np.log(share / (1 - share))))
    return Calibration(slope, float(model.intercept_[0]))


def _remember(
    made: LearnerFit, name: str, horizon: int, booster: lgb.Booster, curve: Mapping[str, Sequence[float]], loss: str
) -> None:
    made.lengths[name, horizon] = booster.best_iteration or booster.num_trees()
    made.history += [
        {"name": name, "horizon": horizon, "round": number}
        | {f"{part}_{loss}": value for part, value in zip(curve, values, strict=True)}
        for number, values in enumerate(zip(*curve.values(), strict=True), start=1)
    ]


def _importance(learner: LightGBMLearner, names: Sequence[str]) -> dict[str, float]:
    """Share of the gain per feature, over all boosters."""
    total: dict[int, float] = {}
    boosters = [(key[0], b) for key, b in learner.regressors.items()]
    boosters += [("labels", b) for b in learner.classifiers.values() if b is not None]
    for part, booster in boosters:
        gain = booster.feature_importance("gain")
        for j, share in zip(learner.reads[part], gain / max(gain.sum(), 1e-12), strict=True):
            total[j] = total.get(j, 0.0) + float(share)
    return {names[j]: share / max(sum(total.values()), 1e-12) for j, share in total.items()}
