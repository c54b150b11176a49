"""When to train again, and why: a pure decision over accuracy, drift and data quality of the last days."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from hydro_assets.monitoring.drift import drifted_shares
from hydro_assets.quality.prediction_findings import cell_ratios
from hydro_assets.settings import Settings

DATA_FAULTS = ("stale_input", "unknown_target")
"""Qualities of rows whose target itself is missing: mended at the probe, not by training."""


@dataclass(frozen=True)
class RetrainDecision:
    """`reasons` for training again, and what forbids it for now; both are sentences with their numbers."""

    day: date
    reasons: tuple[str, ...]
    blocked_by: tuple[str, ...]

    @property
    def should_retrain(self) -> bool:
        return bool(self.reasons) and not self.blocked_by

    @property
    def text(self) -> str:
        if not self.reasons:
            return f"{self.day}: no reason to train again"
        verdict = f"but not now: {'; '.join(self.blocked_by)}" if self.blocked_by else "train again"
        return f"{self.day}: {'; '.join(self.reasons)}: {verdict}"


def decide_retrain(
    accuracy: pl.DataFrame,
    drift: pl.DataFrame,
    quality_by_day: Mapping[str, Mapping[str, int]],
    settings: Settings,
    day: date,
    last_training: date | None,
) -> RetrainDecision:
    """Decide for `day`, the newest complete one, from rows of prediction_accuracy and feature_drift.

    A rule holds when it is broken on N of the last M days (`settings.monitoring`) and on `day`. Days up to
    `last_training`, the day of the last attempt whether or not its model was promoted, do not count: so a training
    that did not help is not repeated before N new days say so again. Days of bad data count for no rule, and training
    is blocked while `day` is one.
    """
    config = settings.monitoring
    first = day - timedelta(days=config.window_days - 1)
    if last_training is not None:
        first = max(first, last_training + timedelta(days=1))
    bad = {d: share for d, share in bad_data_shares(quality_by_day).items() if share > config.bad_data_share}
    days = {first + timedelta(days=i) for i in range((day - first).days + 1)} - bad.keys()
    reasons = [
        *_accuracy_reason(accuracy, settings, days, day),
        *_drift_reasons(drift, settings, days, day),
    ]
    if day not in bad:
        return RetrainDecision(day, tuple(reasons), ())
    fault = f"the target is missing in {bad[day]:.0%} of the rows of {day}; mend the probe first"
    return RetrainDecision(day, tuple(reasons), (fault,))


def bad_data_shares(quality_by_day: Mapping[str, Mapping[str, int]]) -> dict[date, float]:
    """Share of each day's rows whose target is missing."""
    return {
        date.fromisoformat(day): sum(counts.get(q, 0) for q in DATA_FAULTS) / max(sum(counts.values()), 1)
        for day, counts in quality_by_day.items()
    }


def _accuracy_reason(accuracy: pl.DataFrame, settings: Settings, days: Collection[date], day: date) -> list[str]:
    """The ensemble against the best baseline on the same rows: mean of their ratio over targets and lead times."""
    config = settings.monitoring
    cells = cell_ratios(accuracy.filter(pl.col("date").is_in(list(days))), config.min_known)
    errors = cells.group_by("date").agg(pl.col("ratio").mean())
    broken = errors.filter(pl.col("ratio") > 1 + config.worse_than_baseline)
    newest = broken.filter(pl.col("date") == day)
    if newest.is_empty() or broken.height < config.violations:
        return []
    worst = cells.filter(pl.col("date") == day).sort("ratio", descending=True).row(0, named=True)
    return [
        f"accuracy: the ensemble's MAE was over the best baseline's on {broken.height} of the last "
        f"{config.window_days} days, on {day} {newest['ratio'].item():.4g} times it in the mean over targets and lead "
        f"times, most of all {worst['target']} {worst['lead_minutes']:g} min ahead ({worst['ratio']:.4g} times)"
    ]


def _drift_reasons(drift: pl.DataFrame, settings: Settings, days: Collection[date], day: date) -> list[str]:
    """Per model: features that left the training data of the version that serves on `day`."""
    config = settings.monitoring
    shares = drifted_shares(drift.filter(pl.col("date").is_in(list(days))), settings)
    reasons = []
    for row in shares.filter(pl.col("date") == day).iter_rows(named=True):
        same = shares.filter(pl.col("model") == row["model"], pl.col("version").eq_missing(row["version"]))
        broken = same.filter(pl.col("share") >= config.drifted_share)
        if row["share"] < config.drifted_share or broken.height < config.violations:
            continue
        worst = drift.filter(pl.col("date") == day, pl.col("model") == row["model"]).drop_nulls("psi")
        names = worst.sort("psi", descending=True)["feature"].head(3).to_list()
        reasons.append(
            f"drift: {row['share']:.0%} of the features of the {row['model']} model left its training data on "
            f"{broken.height} of the last {config.window_days} days, most of all {', '.join(names)}"
        )
    return reasons
