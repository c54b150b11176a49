"""Fit one kind of model: base forecasts, learner, shrinkage and intervals by validation, then a refit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hydro_assets import tables
from hydro_assets.errors import TrainingError
from hydro_assets.forecasting.actuals import actuals, mean_absolute_error
from hydro_assets.forecasting.base import BASELINES, BaseForecast
from hydro_assets.forecasting.labels import label_values
from hydro_assets.forecasting.learner import Learner
from hydro_assets.forecasting.model import BaseRows, Bases, TargetModel, credibility
from hydro_assets.forecasting.weights import ExponentialWeights, hindcast_rows
from hydro_assets.settings import Settings
from hydro_assets.training import conformal
from hydro_assets.training.fit_boosting import fit_boosting, refit_boosting
from hydro_assets.training.outcomes import Outcomes
from hydro_assets.training.prepare import TrainingData
from hydro_assets.training.samples import LearnerFit, Report, Samples
from hydro_assets.training.shrinkage import fit_shrinkage, independent_stretches


@dataclass(frozen=True)
class FittedBases:
    """The base forecasts of one training data, one per target: what every kind of model starts from.

    Attributes:
        chosen: fitted on train, weighed by validation; served: the same choices, fitted on all before the holdout.
        chosen_rows, served_rows: their forecasts of every row.
    """

    data: TrainingData
    chosen: tuple[BaseForecast, ...]
    served: tuple[BaseForecast, ...]
    chosen_rows: tuple[BaseRows, ...]
    served_rows: tuple[BaseRows, ...]

    @classmethod
    def fit(cls, data: TrainingData) -> FittedBases:
        """Fit the base forecast of every target."""
        task, grid, parts = data.task, data.grid, data.parts
        learn, choose, newest = data.before("train"), data.before("validation"), data.before_holdout
        chosen, served = [], []
        for k, target in enumerate(task.targets):
            actual = choose[:, k].copy()
            actual[parts["train"]] = learn[parts["train"], k]
            base = BaseForecast.fit(grid, task, target, actual, parts["train"], parts["validation"])
            chosen.append(base)
            served.append(base.refit(grid, choose[:, k], newest))
        bases = Bases(grid)
        rows = [tuple(bases.of(base, data.every) for base in of) for of in (chosen, served)]
        return cls(data, tuple(chosen), tuple(served), rows[0], rows[1])


@dataclass(frozen=True)
class Fitted:
    """What makes a package, and how it did.

    Attributes:
        outcomes: validation as the model did that had not seen it; train and holdout as the served model does.
    """

    learner: Learner
    models: tuple[TargetModel, ...]
    trained: LearnerFit
    notes: list[str]
    outcomes: dict[str, Outcomes]


def fit(kind: str, bases: FittedBases, settings: Settings, report: Report) -> Fitted:
    """Learn the change from the base forecasts, find on validation how far to trust it; then learn the newest rows.

    Raises:
        TrainingError: `kind` is not known, or nothing can be learned.
    """
    data, parts = bases.data, bases.data.parts
    learn, hold = data.before("train"), data.before("validation")
    actual = np.where(np.isin(data.every, parts["train"])[:, None, None], learn, hold)
    base = np.stack([rows.base for rows in bases.chosen_rows], axis=1)  # [R, K, H]
    samples = Samples(data.task, data.grid, actual, base, parts["train"], parts["validation"])
    trained = _fit_learner(kind, samples, settings, report)
    near = hindcast_rows(data.grid, parts["validation"], data.task.horizons)
    learned = _everywhere(trained.learner.predict(data.grid, near, base[near]), near, base.shape)
    models = _choose(bases, actual, learned, near)
    outcomes = {"validation": _outcomes(data, trained.learner, models, bases.chosen_rows, learned, "validation")}

    report("learning once more, now with the validation rows")
    newest = data.before_holdout
    base = np.stack([rows.base for rows in bases.served_rows], axis=1)
    samples = Samples(data.task, data.grid, hold, base, newest, newest[:0])
    learner = _refit_learner(kind, trained, samples, settings)
    until = int(data.grid.times[newest].max()) + 1
    models = tuple(
        replace(model, base=served, learned_until=until) for served, model in zip(bases.served, models, strict=True)
    )
    learned = learner.predict(data.grid, data.every, base)
    outcomes |= {
        part: _outcomes(data, learner, models, bases.served_rows, learned, part) for part in ("train", "holdout")
    }
    notes = [*data.notes, *trained.notes, *_notes(kind, bases, models, learned)]
    return Fitted(learner, models, trained, notes, outcomes)


def _choose(bases: FittedBases, actual: np.ndarray, learned: np.ndarray, near: np.ndarray) -> tuple[TargetModel, ...]:
    """Shrinkage and intervals of each target by the validation rows; `learned` is known at the rows `near`."""
    data, models = bases.data, []
    train, validation = data.parts["train"], data.parts["validation"]
    until = int(data.grid.times[train].max()) + 1
    at = np.searchsorted(near, validation)
    known = np.union1d(train, validation)
    for k, (base, rows) in enumerate(zip(bases.chosen, bases.chosen_rows, strict=True)):
        trust = credibility(train.size, data.task.horizons)
        draft = TargetModel(base, ExponentialWeights(np.empty(0)), np.empty(0), trust, until)
        both = [rows.base[validation], draft.learned(rows.base[validation], learned[validation, k])]
        stretches = independent_stretches(data.grid.steps[validation], actual[validation, k], data.task.horizons)
        usual = np.nan_to_num(mean_absolute_error(rows.base[known], actual[known, k]))
        model = replace(draft, shrinkage=fit_shrinkage(np.stack(both), actual[validation, k], stretches, usual))
        forecast, expected = model.forecast(data.grid, near, data.actual[near, k], rows.base[near], learned[near, k])
        # A short validation part holds few independent errors of a long horizon, and may be a quiet time. How far
        # errors exceed the recent ones is a matter of the series more than of the model: the long training part says
        # it too, by the base forecast, which hardly fits it.
        ratio = [
            conformal.ratios(actual[validation, k], forecast[at], expected[at]),
            conformal.ratios(actual[train, k], rows.base[train], rows.expected[train]),
        ]
        quantiles = conformal.quantiles(np.concatenate(ratio))
        models.append(replace(model, quantiles=quantiles))
    return tuple(models)


def _outcomes(
    data: TrainingData,
    learner: Learner,
    models: Sequence[TargetModel],
    bases: Sequence[BaseRows],
    learned: np.ndarray,
    part: str,
) -> Outcomes:
    grid, rows, horizons = data.grid, data.parts[part], data.task.horizons
    near = hindcast_rows(grid, rows, horizons)
    at = np.searchsorted(near, rows)
    forecasts = {name: np.stack([b.simple[i][rows] for b in bases], axis=1) for i, name in enumerate(BASELINES)}
    made = [
        model.forecast(grid, near, data.actual[near, k], b.base[near], learned[near, k])
        for k, (model, b) in enumerate(zip(models, bases, strict=True))
    ]
    if not np.isnan(learned[rows]).all():
        forecasts[learner.kind] = np.stack([forecast[at] for forecast, _ in made], axis=1)
    widths = [model.half_width(expected[at]) for model, (_, expected) in zip(models, made, strict=True)]
    base = np.stack([b.base[rows] for b in bases], axis=1)
    states = [actuals(grid, label_values(grid, label), horizons, rows) for label in learner.labels]
    return Outcomes(
        grid.times[rows],
        grid.systems[rows],
        data.before(part)[rows],
        forecasts,
        np.stack(widths, axis=2),
        np.stack(states, axis=1) if states else np.empty((rows.size, 0, len(horizons))),
        learner.probability(grid, rows, base),
    )


def _everywhere(values: np.ndarray, rows: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """`values` of `rows` among all rows, NaN elsewhere."""
    full = np.full(shape, np.nan)
    full[rows] = values
    return full


def _notes(kind: str, bases: FittedBases, models: Sequence[TargetModel], learned: np.ndarray) -> list[str]:
    task, notes = bases.data.task, []
    if np.isnan(learned).all():
        return [f"{kind} was trained for classification only: it forecasts no {', '.join(task.targets)}"]
    for model in models:
        prior = model.shrinkage.prior
        for j, h in enumerate(task.horizons):
            gain = 100 * (1 - prior[1, j] / max(prior[0, j], 1e-300))
            notes.append(
                f"{model.base.target} {h} steps ahead: baseline {model.base.baseline[j]}; as far as validation is "
                f"evidence, the learned forecast errs {abs(gain):.0f} % {'less' if gain >= 0 else 'more'} than the "
                "base forecast"
            )
    return notes


def _fit_learner(kind: str, samples: Samples, settings: Settings, report: Report) -> LearnerFit:
    if kind in ("lstm", "gru"):
        # A task on Databricks that trains LightGBM has no torch.
        from hydro_assets.training.fit_recurrent import fit_recurrent

        return fit_recurrent(kind, samples, settings.recurrent, settings.seed, report)
    if kind == "lightgbm":
        return fit_boosting(samples, settings.lightgbm, settings.labels, settings.seed, report)
    raise TrainingError(f"'{kind}' is not a kind of model", f"Choose one of {', '.join(tables.MODELS)}")


def _refit_learner(kind: str, trained: LearnerFit, samples: Samples, settings: Settings) -> Learner:
    if kind == "lightgbm":
        return refit_boosting(trained, samples, settings.lightgbm, settings.seed)
    from hydro_assets.training.fit_recurrent import refit_recurrent

    return refit_recurrent(trained, samples, settings.recurrent, settings.seed)
