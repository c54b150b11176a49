"""The floor of a learned model: the best baseline per horizon, and how far validation trusts what was learned."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

_WEIGHTS = np.linspace(0, 1, 21)


def choose_baseline(truth: np.ndarray, forecasts: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """[H] names of the baselines with the least MAE on validation rows; truth and forecasts are [n, H]."""
    names = list(forecasts)
    mae = np.stack([np.nanmean(np.abs(f - truth), axis=0) for f in forecasts.values()])  # [M, H]
    return tuple(names[i] for i in mae.argmin(axis=0))


def choose_weight(truth: np.ndarray, baseline: np.ndarray, learned: np.ndarray) -> tuple[float, ...]:
    """[H] share in [0, 1] of the learned difference that gives the least MAE on validation rows."""
    weights = []
    for j in range(truth.shape[1]):
        known = ~np.isnan(truth[:, j] + baseline[:, j] + learned[:, j])
        if not known.any():
            weights.append(0.0)
            continue
        error, change = (truth - baseline)[known, j], (learned - baseline)[known, j]
        mae = np.abs(error[:, None] - change[:, None] * _WEIGHTS).mean(axis=0)
        weights.append(float(_WEIGHTS[mae.argmin()]))
    return tuple(weights)
