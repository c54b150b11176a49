"""How good the outlook is on rows that nobody learned from: the probability of leaving the crop band, and how soon."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import numpy as np
import polars as pl

from hydro_assets.forecasting.leaving import KEYS, leaving_probability, minutes_to_leaving, path_log_odds
from hydro_assets.setting_groups import Band
from hydro_assets.training.fit_leaving import fit_calibration, leaving_scores, path_left_band, reliability_rows
from hydro_assets.training.outcomes import Outcomes
from hydro_assets.training.prepare import TrainingData

_ROWS = pl.Schema(
    {
        "farm": pl.String(),
        "target": pl.String(),
        "lead_minutes": pl.Float64(),
        "probability": pl.Float64(),
        "left": pl.Float64(),
        "foreseen_minutes": pl.Float64(),
        "actual_minutes": pl.Float64(),
    }
)
_RELIABILITY = pl.Schema(
    {
        "farm": pl.String(),
        "decile": pl.Int32(),
        "n": pl.Int64(),
        "mean_probability": pl.Float64(),
        "event_share": pl.Float64(),
    }
)


def outlook_rows(
    farm: str, data: TrainingData, outcomes: Mapping[str, Mapping[str, Outcomes]], bands: Mapping[str, Band]
) -> pl.DataFrame:
    """One row per target with a band, holdout row inside it, and horizon.

    Args:
        outcomes: by kind of model and part; the probability is the mean over the kinds, each calibrated on train and
            validation, as in `system_outlook`.

    Returns:
        farm, target, lead_minutes, probability; left: 1 where a step of the path up to there lay outside, null where
        that is not known; foreseen_minutes, actual_minutes: until leaving, null where not at all.
    """
    task, grid, rows = data.task, data.grid, data.parts["holdout"]
    frame = grid.frame.select(*KEYS, *task.targets)
    lead = np.array(task.horizons) * (grid.step / timedelta(minutes=1))
    parts = [pl.DataFrame(schema=_ROWS)]
    for k, target in enumerate(task.targets):
        if (band := bands.get(target)) is None:
            continue
        paths = path_left_band(frame, target, band, task.horizons, grid.step)
        left = paths["left"].cast(pl.Float64).fill_null(np.nan).to_numpy().reshape(lead.size, -1).T  # [R, H]
        outside = paths["is_outside"][: len(grid)].fill_null(True).to_numpy()  # [R] unknown: nothing is there to leave
        each = [_probability(kind, of, data, k, band, left, outside) for kind, of in outcomes.items()]
        probability = np.mean(each, axis=0)  # [n, H]
        inside = ~outside[rows]
        values = {
            "lead_minutes": np.broadcast_to(lead, probability.shape),
            "probability": probability,
            "left": left[rows],
            "foreseen_minutes": np.broadcast_to(minutes_to_leaving(lead, probability)[:, None], probability.shape),
            "actual_minutes": np.broadcast_to(
                _minutes_until_outside(frame, target, band)[rows, None], probability.shape
            ),
        }
        flat = pl.DataFrame({name: of[inside].ravel() for name, of in values.items()}).fill_nan(None)
        parts.append(flat.select(pl.lit(farm).alias("farm"), pl.lit(target).alias("target"), *values))
    return pl.concat(parts)


def probability_table(rows: pl.DataFrame) -> pl.DataFrame:
    """Scores of `leaving_scores` per farm, target and lead time, and `worst_gap` of its reliability by decile.

    `worst_gap` is the largest difference between mean probability and the share that left, over deciles with enough
    rows; null where none has.
    """
    made = []
    known = rows.drop_nulls(["probability", "left"])
    for key, mine in known.group_by(["farm", "target", "lead_minutes"], maintain_order=True):
        p, left = mine["probability"].to_numpy(), mine["left"].to_numpy()
        gaps = [abs(r["mean_probability"] - r["event_share"]) for r in reliability_rows(p, left)]
        cell = dict(zip(("farm", "target", "lead_minutes"), key, strict=True))
        made.append(cell | leaving_scores(p, left) | {"worst_gap": max(gaps, default=None)})
    return pl.DataFrame(made, infer_schema_length=None)


def reliability_table(rows: pl.DataFrame) -> pl.DataFrame:
    """Mean probability beside the share that left, per farm and decile of probability, over all targets and leads."""
    made = []
    known = rows.drop_nulls(["probability", "left"])
    for (farm,), mine in known.group_by(["farm"], maintain_order=True):
        p, left = mine["probability"].to_numpy(), mine["left"].to_numpy()
        made += [{"farm": farm, **row} for row in reliability_rows(p, left)]
    return pl.DataFrame(made, schema=_RELIABILITY)


def minutes_table(rows: pl.DataFrame) -> pl.DataFrame:
    """How `minutes_to_leaving` did, per farm and target, over the rows whose longest path is known.

    `hit_rate`: share of rows with a time that left up to the longest lead time, beside `missed_rate`, the share that
    left of those without; `in_time`: share of the former that had left by twice the time; `median_error`: minutes.
    """
    longest = pl.col("lead_minutes").max().over("farm")
    whole = rows.filter(pl.col("lead_minutes") == longest).drop_nulls(["probability", "left"])
    expected, actual = pl.col("foreseen_minutes"), pl.col("actual_minutes")
    foreseen, hit = expected.is_not_null(), expected.is_not_null() & (pl.col("left") == 1)
    return whole.group_by("farm", "target", maintain_order=True).agg(
        n=pl.len(),
        n_foreseen=foreseen.sum(),
        hit_rate=pl.col("left").filter(foreseen).mean(),
        missed_rate=pl.col("left").filter(~foreseen).mean(),
        in_time=(actual <= 2 * expected).fill_null(False).filter(foreseen).mean(),
        median_error=(actual - expected).abs().filter(hit).median(),
    )


def _probability(
    kind: str,
    of: Mapping[str, Outcomes],
    data: TrainingData,
    k: int,
    band: Band,
    left: np.ndarray,
    outside: np.ndarray,
) -> np.ndarray:
    """[n, H] probabilities of the holdout rows, calibrated on the rows before; `left`: [R, H], `outside`: [R]."""
    task, parts = data.task, data.parts
    odds = {
        part: path_log_odds(made.forecasts[kind][:, k], made.half_width[0][:, k], band.low, band.high)
        for part, made in of.items()
    }
    before = np.concatenate([odds["train"], odds["validation"]])
    at = np.concatenate([parts["train"], parts["validation"]])
    learned = []
    for j, h in enumerate(task.horizons):
        until = data.grid.times[at] + h * (data.grid.step // timedelta(microseconds=1))
        known = (until < data.split.limit("validation")) & ~outside[at]
        known &= np.isfinite(left[at, j]) & np.isfinite(before[:, j])
        learned.append(fit_calibration(task.targets[k], h, before[known, j], left[at, j][known]))
    return leaving_probability(odds["holdout"], outside[parts["holdout"]], task.targets[k], task.horizons, learned)


def _minutes_until_outside(frame: pl.DataFrame, target: str, band: Band) -> np.ndarray:
    """[R] minutes from each row of `frame`, sorted, to the next one outside the band; NaN without one."""
    value, time = pl.col(target).fill_nan(None), pl.col("timestamp")
    outside = pl.when((value < band.low) | (value > band.high)).then(time)
    until = outside.shift(-1).backward_fill().over("system_id") - time
    return frame.select(until.dt.total_microseconds() / 60e6).to_series().fill_null(np.nan).to_numpy()
