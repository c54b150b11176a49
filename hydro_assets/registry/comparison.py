"""The judgement: champion and challenger on the same rows of the same holdout, with the baseline as the floor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import polars as pl

from hydro_assets.registry.mlflow_client import registered_name
from hydro_assets.registry.serving import misfits
from hydro_assets.settings import Settings

if TYPE_CHECKING:
    from hydro_assets.forecasting.package import ForecastPackage

# Fewer compared forecasts than this decide nothing.
MINIMUM_COMPARED = 30

_ROW = ["system_id", "timestamp", "horizon"]


@dataclass(frozen=True)
class PromotionDecision:
    """One row of `predictions.promotion_log`."""

    decided_at: datetime
    kind: str
    model_name: str
    action: Literal["promoted", "kept", "rolled_back"]
    champion_before: str | None
    champion_after: str | None
    reason: str
    challenger: str | None = None
    metric: str | None = None
    unit: str | None = None
    champion_error: float | None = None
    challenger_error: float | None = None
    baseline_error: float | None = None
    compared: int = 0
    holdout_start: datetime | None = None
    holdout_end: datetime | None = None

    @property
    def promoted(self) -> bool:
        return self.action == "promoted"


class Candidate(NamedTuple):
    """A registered version and its package."""

    version: str
    package: ForecastPackage


class Damaged(NamedTuple):
    """A registered version that cannot be loaded, and why."""

    version: str
    problem: str


def decide(
    settings: Settings,
    kind: str,
    challenger: Candidate,
    champion: Candidate | Damaged | None,
    features: pl.DataFrame,
    decided_at: datetime,
    start: datetime | None = None,
    end: datetime | None = None,
) -> PromotionDecision:
    """The decision alone: the challenger wins when its error is below the better baseline's and the champion's.

    The error is the MAE (the Brier score for a model that only classifies), pooled over systems, then the mean over
    the horizons that both forecast. Only rows count that neither model was trained or calibrated on, and that both
    forecast. A champion that is damaged or does not fit the settings (target, grid, horizon) cannot serve and is not
    compared.
    """
    start, end = _holdout([c for c in (challenger, champion) if isinstance(c, Candidate)], features, start, end)
    errors = _errors(challenger.package, features, start, end)
    metric = "brier" if errors.is_empty() else "mae"
    if errors.is_empty():
        errors = _probability_errors(challenger.package, features, start, end)
    unit = challenger.package.info.unit if metric == "mae" else "1"
    problems = misfits(challenger.package, settings)
    rival = None  # why the champion is not compared
    if isinstance(champion, Damaged):
        rival = champion.problem
    elif champion is not None:
        rival = "; ".join(misfits(champion.package, settings))
        measure = _errors if metric == "mae" else _probability_errors
        theirs = measure(champion.package, features, start, end).select(*_ROW, champion_error="error")
        both = errors.join(theirs, on=_ROW)
        target = challenger.package.info.target_col
        if not rival and metric == "brier" and not _errors(champion.package, features, start, end).is_empty():
            problems.append(f"it forecasts no {target}, champion {champion.version} does")
        if not rival and both.is_empty():
            rival = "it forecasts none of the challenger's rows and horizons"
        errors = errors if rival else both
    per_horizon = (
        errors.group_by("horizon")
        .agg(pl.selectors.numeric().mean())
        .with_columns(baseline_error=pl.min_horizontal(pl.selectors.starts_with("baseline_error")))
    )
    found = {c: _mean(per_horizon, c) for c in ("error", "baseline_error", "champion_error")}
    if errors.height < MINIMUM_COMPARED:
        problems.append(f"{errors.height} forecasts could be compared, {MINIMUM_COMPARED} are needed")
    wins, reason = _verdict(challenger, champion, rival, problems, found, f"{metric.upper()} ({unit})")
    before = None if champion is None else champion.version
    return PromotionDecision(
        decided_at,
        kind,
        registered_name(settings, kind),
        "promoted" if wins else "kept",
        before,
        challenger.version if wins else before,
        reason,
        challenger.version,
        metric,
        unit,
        found["champion_error"],
        found["error"],
        found["baseline_error"],
        errors.height,
        start,
        end,
    )


def _verdict(
    challenger: Candidate,
    champion: Candidate | Damaged | None,
    rival: str | None,
    problems: Sequence[str],
    found: dict[str, Any],
    metric: str,
) -> tuple[bool, str]:
    """Whether the challenger wins, and the sentence that says why."""
    who = f"version {challenger.version}"
    if problems:
        return False, f"{who} cannot be judged: {'; '.join(problems)}"
    floor = f"{metric} of {who} is {found['error']:.4g}, of the baseline {found['baseline_error']:.4g}"
    if not found["error"] < found["baseline_error"]:
        return False, f"not better than the baseline: {floor}"
    if champion is None:
        return True, f"better than the baseline, and there was no champion: {floor}"
    if rival:
        return True, f"better than the baseline, and champion {champion.version} cannot serve ({rival}): {floor}"
    beside = f"{floor}, of champion {champion.version} {found['champion_error']:.4g}"
    if found["error"] < found["champion_error"]:
        return True, f"better than champion and baseline: {beside}"
    return False, f"not better than the champion: {beside}"


def _mean(frame: pl.DataFrame, column: str) -> float | None:
    return frame.select(pl.col(column).mean()).item() if column in frame.columns else None


def _holdout(
    candidates: Sequence[Candidate], features: pl.DataFrame, start: datetime | None, end: datetime | None
) -> tuple[datetime, datetime]:
    """The asked rows, without those that a candidate learned from or was calibrated on."""
    seen = [c.package.info.split["holdout_start"] for c in candidates if "holdout_start" in c.package.info.split]
    starts = [datetime.fromisoformat(text) for text in seen] + ([] if start is None else [start])
    info = candidates[0].package.info
    last: datetime = features["timestamp"].max()  # type: ignore[assignment]
    return max(starts, default=features["timestamp"].min()), end or last + info.step  # type: ignore[arg-type, type-var]


def _errors(package: ForecastPackage, features: pl.DataFrame, start: datetime, end: datetime) -> pl.DataFrame:
    """[system_id, timestamp, horizon, error, baseline_error_*], absolute, where all forecasts and truth are known.

    Both baselines are measured: the one that served best in validation need not be the better one here.
    """
    info = package.info
    scored = _scored(package, features, start, end, info.target_col, "prediction")
    baselines = package.baselines(features.filter(pl.col("timestamp") >= start - info.lookback), start, end)
    names = [name for name in baselines.columns if name not in _ROW]
    return (
        scored.join(baselines, on=_ROW)
        .with_columns(
            error=(pl.col("forecast") - pl.col("truth")).abs(),
            **{f"baseline_error_{name}": (pl.col(name) - pl.col("truth")).abs() for name in names},
        )
        .select(*_ROW, "error", pl.selectors.starts_with("baseline_error"))
        .drop_nulls()
    )


def _probability_errors(
    package: ForecastPackage, features: pl.DataFrame, start: datetime, end: datetime
) -> pl.DataFrame:
    """The same with squared errors of the probability; the baseline says that the present state lasts."""
    return (
        _scored(package, features, start, end, "is_env_optimal", "optimal_probability")
        .with_columns(
            error=(pl.col("forecast") - pl.col("truth")) ** 2,
            baseline_error=(pl.col("now") - pl.col("truth")) ** 2,
        )
        .select(*_ROW, "error", "baseline_error")
        .drop_nulls()
    )


def _scored(
    package: ForecastPackage, features: pl.DataFrame, start: datetime, end: datetime, target: str, forecast: str
) -> pl.DataFrame:
    """Forecasts of `[start, end)` beside the truth that came and the state at their origin."""
    from hydro_assets.forecasting.windows import SegmentGrid

    info = package.info
    rows = features.filter(pl.col("timestamp") >= start - info.lookback)
    grid = SegmentGrid.of(rows, info.step, info.gap_limit, 0)
    truth = grid.ahead(target, info.horizons)  # [R, H]
    known = pl.concat(
        [
            grid.frame.select("system_id", "timestamp").with_columns(
                horizon=pl.lit(h, pl.Int32), truth=pl.Series(truth[:, j]), now=pl.Series(grid.values(target))
            )
            for j, h in enumerate(info.horizons)
        ]
    ).with_columns(pl.col("truth", "now").fill_nan(None))
    forecasts = package.predict(rows, start, end).rename({forecast: "forecast"})
    return forecasts.join(known, on=_ROW)
