"""The benchmark of forecasts: farms x targets x horizons on rolling origins, against the baseline and a plain peer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from hydro_assets import tables
from hydro_assets.errors import DataContractError, HydroError
from hydro_assets.features.spec import FeatureSpec
from hydro_assets.features.system_features import features_of_system
from hydro_assets.forecasting.base import BASELINES
from hydro_assets.forecasting.model import ensemble
from hydro_assets.ingest.cadence import require_filled, sensor_cadences
from hydro_assets.ingest.export import read_export
from hydro_assets.settings import Settings
from hydro_assets.training.fit import FittedBases, fit
from hydro_assets.training.outlook_backtest import minutes_table, outlook_rows, probability_table, reliability_table
from hydro_assets.training.peer import peer_forecast
from hydro_assets.training.prepare import prepare
from hydro_assets.training.splits import Split, rolling_origins

PEER = "peer"
_RESAMPLES = 2000
_TIE = 0.01  # a ratio up to 1 % over 1 counts as no worse


@dataclass(frozen=True)
class Farm:
    """Feature rows of one farm, and the settings of its grid and targets."""

    name: str
    features: pl.DataFrame
    settings: Settings
    notes: tuple[str, ...] = ()

    @classmethod
    def of_readings(cls, name: str, readings: pl.DataFrame, settings: Settings, notes: Sequence[str] = ()) -> Farm:
        """Features of Gold readings of one or more systems, without any table."""
        spec = FeatureSpec.for_farm(settings, readings.columns)
        systems = readings.partition_by("system_id", as_dict=True, maintain_order=True)
        parts = [features_of_system(rows, spec, str(system)) for (system,), rows in systems.items()]
        return cls(name, pl.concat(parts), settings, tuple(dict.fromkeys([*notes, *spec.notes])))

    @classmethod
    def of_exports(
        cls, name: str, paths: Sequence[Path], system: str | None, settings: Settings, read_at: datetime
    ) -> Farm:
        """A farm of raw sensor exports.

        Raises:
            SourceFileError: a file cannot be read as a sensor export.
            DataContractError: the readings leave most steps of the grid empty.
        """
        exports = [read_export(path, system, read_at, settings) for path in paths]
        readings = pl.concat([e.frame for e in exports], how="diagonal_relaxed")
        grid = require_filled(sensor_cadences(readings, settings.default_system), settings, "hydro backtest")
        notes = [*(n for e in exports for n in e.notes), *([grid.advice] if grid.advice else [])]
        measured = [c for c in readings.columns if readings[c].null_count() < readings.height or c not in tables.SENSOR]
        return cls.of_readings(name, readings.select(measured), settings, notes)


@dataclass(frozen=True)
class Backtest:
    """What the benchmark found.

    Attributes:
        cells: one row per farm, target, horizon and system (and `all`): lead_time, n, `baseline` (the name that
            validation chose most often) and `baseline_mae`, one MAE column per simple baseline, per model, of their
            `ensemble` and of the `peer`, `ratio` and `peer_ratio` (MAE / baseline_mae), `coverage_80`, `coverage_95` of
            the models' intervals.
        failures: farm, target or kind that could not be measured, and why.
        seconds_per_forecast: of one row with all targets and horizons, by kind of model.
        splits: dates of the folds by farm.
        leaving: per farm, target and lead time how good the probability of leaving the crop band was; reliability: per
            farm and decile of it; minutes: per farm and target how good `minutes_to_leaving` was (outlook_backtest.py).
    """

    cells: pl.DataFrame
    failures: list[str]
    seconds_per_forecast: dict[str, float]
    splits: dict[str, tuple[Split, ...]]
    leaving: pl.DataFrame
    reliability: pl.DataFrame
    minutes: pl.DataFrame

    def summary(self, seed: int = 0) -> dict[str, Any]:
        """Geometric means of the ratios, win rates with bootstrap intervals over the cells, and coverage per farm.

        None where no cell has a ratio, because no baseline errs anywhere.
        """
        pooled = self.cells.filter(pl.col("system_id") == "all")
        known = pooled.filter(pl.col("ratio").is_not_null())
        if known.is_empty():
            return {"cells": 0, "failures": self.failures}
        draw = np.random.default_rng(seed).integers(0, known.height, (_RESAMPLES, known.height))
        ratio, peer = (known[name].to_numpy() for name in ("ratio", "peer_ratio"))
        hindsight = known["ensemble"].to_numpy() / known.select(pl.min_horizontal(*BASELINES)).to_series().to_numpy()
        return {
            "cells": known.height,
            "geometric_mean_ratio": _with_interval(np.log(ratio), draw, np.exp),
            "geometric_mean_peer_ratio": _with_interval(np.log(peer), draw, np.exp),
            "geometric_mean_ratio_to_peer": _with_interval(np.log(ratio / peer), draw, np.exp),
            "geometric_mean_ratio_to_best_in_hindsight": float(np.exp(np.log(hindsight).mean())),
            "win_rate": _with_interval((ratio < 1).astype(float), draw),
            "win_rate_against_peer": _with_interval((ratio < peer).astype(float), draw),
            "no_worse_rate": float((ratio <= 1 + _TIE).mean()),
            "worst_ratio": float(ratio.max()),
            "worst_peer_ratio": float(peer.max()),
            "by_farm": pooled.group_by("farm", maintain_order=True)
            .agg(
                pl.col("ratio", "peer_ratio").log().mean().exp(),
                pl.col("coverage_80", "coverage_95").mean(),
            )
            .to_dicts(),
            "seconds_per_forecast": self.seconds_per_forecast,
            "failures": self.failures,
        }

    def to_json(self) -> dict[str, Any]:
        """Plain values for `--format json`."""
        return {
            "cells": self.cells.to_dicts(),
            "summary": self.summary(),
            "splits": {farm: [s.describe() for s in splits] for farm, splits in self.splits.items()},
            "leaving": self.leaving.to_dicts(),
            "leaving_reliability": self.reliability.to_dicts(),
            "minutes_to_leaving": self.minutes.to_dicts(),
        }


def backtest(
    farms: Sequence[Farm],
    kinds: Sequence[str] = tables.MODELS,
    folds: int = 1,
    report: Callable[[str], None] = lambda line: None,
) -> Backtest:
    """Train every kind on every farm and measure all of them on the same holdout rows.

    One fold is the split that training uses, without the limit on the holdout's length. More folds have holdouts one
    behind the other over the same last part of the rows, each learned from everything before it; their errors are
    averaged by the number of rows. A farm that cannot be measured is counted as a failure and the others go on.

    Raises:
        DataContractError: there is one farm only, and it cannot be measured.
    """
    parts: list[tuple[pl.DataFrame, pl.DataFrame]] = []
    failures: list[str] = []
    splits: dict[str, tuple[Split, ...]] = {}
    seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
    for farm in farms:
        try:
            splits[farm.name] = _splits(farm, folds)
            for number, split in enumerate(splits[farm.name], start=1):
                report(f"{farm.name}: fold {number} of {folds}")
                parts.append(_fold(farm, kinds, split, seconds, report))
        except HydroError as error:
            if len(farms) == 1:
                raise
            failures.append(f"{farm.name}: {error}")
    if not parts:
        raise DataContractError.of_all(failures, "Give longer histories")
    means = {kind: float(np.mean(each)) for kind, each in seconds.items() if each}
    errors, outlook = (pl.concat(each) for each in zip(*parts, strict=True))
    tables_of = probability_table(outlook), reliability_table(outlook), minutes_table(outlook)
    return Backtest(_cells(errors, kinds), failures, means, splits, *tables_of)


def _splits(farm: Farm, folds: int) -> tuple[Split, ...]:
    times, settings = farm.features["timestamp"].to_physical().to_numpy(), farm.settings
    embargo = settings.feature_step * settings.sequence_length
    shares = settings.train_share, settings.validation_share
    return tuple(rolling_origins(times, settings.feature_step, embargo, *shares, folds))


def _fold(
    farm: Farm, kinds: Sequence[str], split: Split, seconds: dict[str, list[float]], report: Callable[[str], None]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One row per holdout row, target and horizon that all forecast: absolute errors and whether intervals held.

    And the `outlook_rows` of the same.
    """
    settings = farm.settings.model_copy(
        update={"lightgbm": farm.settings.lightgbm.model_copy(update={"task_type": "regression"})}
    )
    data = prepare(farm.features, settings, split)
    bases = FittedBases.fit(data)
    rows, task = data.parts["holdout"], data.task
    forecasts: dict[str, np.ndarray] = {}
    inside = []
    first, made = None, {}
    for kind in kinds:
        held = fit(kind, bases, settings, report)
        outcomes, made[kind] = held.outcomes["holdout"], held.outcomes
        first = first or outcomes
        forecasts[kind] = outcomes.forecasts[kind]
        inside.append(np.abs(forecasts[kind] - outcomes.actual) <= outcomes.half_width)  # [L, n, K, H]
        base = np.stack([made.base[rows] for made in bases.served_rows], axis=1)
        started = time.perf_counter()
        held.learner.predict(data.grid, rows, base)
        seconds[kind].append((time.perf_counter() - started) / rows.size)
    assert first is not None
    forecasts |= {name: first.forecasts[name] for name in BASELINES}
    forecasts["ensemble"] = ensemble([forecasts[kind] for kind in kinds])
    forecasts[PEER] = peer_forecast(bases, rows, settings.seed)
    chosen = np.array([base.baseline for base in bases.served])  # [K, H]
    errors = {name: np.abs(f - first.actual) for name, f in forecasts.items()}
    errors["baseline_mae"] = np.select([chosen == name for name in BASELINES], [errors[name] for name in BASELINES])
    held_share = np.mean(inside, axis=0)
    shape = first.actual.shape
    step = settings.feature_step / timedelta(minutes=1)
    keys = {
        "farm": np.full(shape, farm.name, object),
        "target": np.broadcast_to(np.array(task.targets, object)[None, :, None], shape),
        "horizon": np.broadcast_to(np.array(task.horizons, np.int32), shape),
        "lead_minutes": np.broadcast_to(np.array(task.horizons) * step, shape),
        "system_id": np.broadcast_to(first.systems.astype(object)[:, None, None], shape),
        "baseline": np.broadcast_to(chosen.astype(object), shape),
    }
    columns = {**keys, **errors, "coverage_80": held_share[0], "coverage_95": held_share[1]}
    frame = pl.DataFrame({name: _flat(values) for name, values in columns.items()})
    known = frame.filter(pl.all_horizontal(pl.col(list(errors)).is_finite()))
    return known, outlook_rows(farm.name, data, made, settings.crop.bands())


def _flat(values: np.ndarray) -> pl.Series:
    return pl.Series(values.ravel().tolist(), dtype=pl.String) if values.dtype == object else pl.Series(values.ravel())


def _cells(errors: pl.DataFrame, kinds: Sequence[str]) -> pl.DataFrame:
    """MAE and coverage per farm, target, horizon and system (and `all`)."""
    names = ["baseline_mae", *BASELINES, *kinds, "ensemble", PEER]
    groups = ["farm", "target", "horizon", "lead_minutes", "system_id"]
    both = pl.concat([errors, errors.with_columns(system_id=pl.lit("all"))])
    table = both.group_by(groups, maintain_order=True).agg(
        pl.len().alias("n"),
        pl.col("baseline").mode().first(),
        pl.col([*names, "coverage_80", "coverage_95"]).mean(),
    )
    # Nothing can be better than an error of zero, and a model that also has none is as good.
    ratios = {
        ratio: pl.when(pl.col("baseline_mae") > 0).then(pl.col(name) / pl.col("baseline_mae"))
        for ratio, name in (("ratio", "ensemble"), ("peer_ratio", PEER))
    }
    units = {c.name: c.unit for c in tables.SENSORS}
    return table.with_columns(unit=pl.col("target").replace_strict(units, default=""), **ratios).select(
        *groups[:2], "unit", *groups[2:], "n", "baseline", *names, *ratios, "coverage_80", "coverage_95"
    )


def _with_interval(
    values: np.ndarray, draw: np.ndarray, of: Callable[[np.ndarray], np.ndarray] = lambda mean: mean
) -> dict[str, float]:
    """The mean of [n] values and its 95 % bootstrap interval over `draw`, [R, n] resamples; `of` is applied last."""
    means = of(values[draw].mean(axis=1))
    low, high = np.quantile(means, [0.025, 0.975])
    return {"value": float(of(values.mean())), "low": float(low), "high": float(high)}
