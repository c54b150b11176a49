"""Fit an LSTM or GRU: scalers on training rows, the network by the loop, and a refit on the newest rows."""

from __future__ import annotations

import copy

import numpy as np
import torch

from hydro_assets.errors import TrainingError
from hydro_assets.forecasting.recurrent import RecurrentLearner, context_features, context_names
from hydro_assets.forecasting.scaling import POOLED, InputScaler, TargetScaler
from hydro_assets.forecasting.sequences import Sequences, sequence_inputs
from hydro_assets.setting_groups import RecurrentConfig
from hydro_assets.training import loop
from hydro_assets.training.samples import LearnerFit, Report, Samples

_REFIT_SHARE = 0.25  # of the epochs that validation chose


def fit_recurrent(cell: str, samples: Samples, config: RecurrentConfig, seed: int, report: Report) -> LearnerFit:
    """Learn from `samples.train`; validation chooses the epoch.

    Raises:
        TrainingError: no target was measured in the training rows.
    """
    grid, train, task = samples.grid, samples.train, samples.task
    if all(np.isnan(grid.values(target)[train]).all() for target in task.targets):
        raise TrainingError(
            f"{', '.join(task.targets)} was never measured in the training rows",
            "Train on a longer period, or choose targets that are measured",
        )
    names, notes = sequence_inputs(grid, train, task.targets)
    systems = grid.systems[train]
    scaler = InputScaler.fit(names, np.stack([grid.values(n)[train] for n in names], axis=1), systems)
    context = context_features(grid, task, train, samples.base[train])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        learner = RecurrentLearner(
            cell,
            task,
            config.model_dump(include={"hidden_size", "num_layers", "dropout"}),
            [s for s in scaler.centre if s != POOLED],
            scaler,
            Sequences.change_gain(grid, scaler, train, task.sequence_length),
            InputScaler.fit(context_names(grid, task), context, systems),
            TargetScaler.fit(samples.change[train], systems),
        )
        history, best = loop.fit(learner.network, _batches(learner, samples), config, seed, report)
    learner.network.cpu()
    return LearnerFit(learner, history, notes, lengths={(cell, 0): best})


def refit_recurrent(fitted: LearnerFit, samples: Samples, config: RecurrentConfig, seed: int) -> RecurrentLearner:
    """The fitted network after some more epochs on `samples.train`, which now holds the newest rows too."""
    before = fitted.learner
    assert isinstance(before, RecurrentLearner)
    learner = copy.copy(before)
    learner.network = copy.deepcopy(before.network)
    epochs = round(_REFIT_SHARE * max(fitted.lengths.values()))
    if epochs:
        with torch.random.fork_rng():
            torch.manual_seed(seed + 1)
            loop.go_on(learner.network, _batches(learner, samples), config, seed + 1, epochs)
    learner.network.cpu().eval()
    return learner


def _batches(learner: RecurrentLearner, samples: Samples) -> loop.Batches:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    learner.network.to(device)
    grid, every = samples.grid, np.arange(len(samples.grid))
    goal = (samples.change / learner.scale.of(grid.systems)).reshape(every.size, -1)
    inputs = learner.inputs(grid, every, samples.base, device)
    return loop.Batches(inputs, torch.from_numpy(goal.astype(np.float32)).to(device), samples.train, samples.validation)
