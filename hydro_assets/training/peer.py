"""A plain direct forecast that the benchmark holds the models against: LightGBM on the change from the baseline.

What an engineer would write in an afternoon: one booster per target and horizon on lags, rolling features, calendar and
yesterday's change at this time of day, learned from all rows before the holdout. It knows no recent errors.
"""

from __future__ import annotations

import lightgbm as lgb
import numpy as np

from hydro_assets.forecasting.row_features import input_columns, row_features
from hydro_assets.forecasting.target_features import day_change
from hydro_assets.training.fit import FittedBases


def peer_forecast(bases: FittedBases, rows: np.ndarray, seed: int) -> np.ndarray:
    """[n, K, H] forecasts of `rows`."""
    data = bases.data
    grid, horizons, learn = data.grid, data.task.horizons, data.before_holdout
    goals, columns = data.before("validation"), input_columns(grid.frame)
    table = row_features(grid, columns, data.every)  # [R, F]
    parameters = {"objective": "regression_l1", "verbosity": -1, "seed": seed, "deterministic": True, "num_threads": 1}
    forecast = np.full((rows.size, len(data.task.targets), len(horizons)), np.nan)
    for k, (base, made) in enumerate(zip(bases.served, bases.served_rows, strict=True)):
        baseline = base.of_baseline(made.simple)  # [R, H]
        for j, h in enumerate(horizons):
            yesterday = day_change(grid, grid.values(base.target), data.every, h, days=1)
            features = np.concatenate([table, yesterday[:, None]], axis=1)
            change = goals[:, k, j] - baseline[:, j]
            known = learn[np.isfinite(change[learn])]
            if known.size:
                booster = lgb.train(parameters, lgb.Dataset(features[known], change[known]), num_boost_round=100)
                forecast[:, k, j] = baseline[rows, j] + np.asarray(booster.predict(features[rows]))
    return forecast
