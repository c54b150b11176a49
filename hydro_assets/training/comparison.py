"""Two packages on the same rows that neither has learned from: errors in units of the best baseline, and Brier scores.

Targets have different units, so errors are pooled as ratios: the MAE of each target and lead time over that of the best
of the three baselines on the same rows, then the mean. A difference of two models is judged by its block-bootstrap
interval, paired: both models have the same rows in every resample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

from hydro_assets.forecasting.actuals import actuals
from hydro_assets.forecasting.base import BASELINES
from hydro_assets.forecasting.grid import TimeGrid
from hydro_assets.forecasting.labels import label_values
from hydro_assets.training.bootstrap import LEVEL, BlockBootstrap

if TYPE_CHECKING:
    from hydro_assets.forecasting.package import ForecastPackage

CELL = ["system_id", "timestamp", "target", "horizon"]


class Difference(NamedTuple):
    """Challenger minus champion, and its 95 % interval: under 0 the challenger is better."""

    value: float
    low: float
    high: float

    @property
    def is_better(self) -> bool:
        return self.high < 0

    @property
    def is_worse(self) -> bool:
        return self.low > 0

    def __str__(self) -> str:
        return f"{self.value:+.2g} (95 % interval {self.low:+.2g} to {self.high:+.2g})"


@dataclass(frozen=True)
class Compared:
    """One kind of score of both models on the same rows; None where it cannot be measured.

    Attributes:
        rows: forecasts that were compared.
        baseline: 1 for ratios; the Brier score of the better of "the present state lasts" and "the usual share".
    """

    rows: int
    challenger: float | None = None
    champion: float | None = None
    baseline: float | None = None
    difference: Difference | None = None


@dataclass(frozen=True)
class Comparison:
    """Both models on the rows of [start, end): `errors` of the targets as ratios, `briers` of the labels."""

    start: datetime
    end: datetime
    errors: Compared
    briers: Compared


def compare(
    challenger: ForecastPackage, champion: ForecastPackage | None, features: pl.DataFrame, seed: int
) -> Comparison:
    """Measure on rows that neither was trained or calibrated on, and that both forecast."""
    packages = [challenger, *([] if champion is None else [champion])]
    learned = [p.info.learned_until for p in packages if p.info.learned_until is not None]
    start: datetime = max(learned, default=features["timestamp"].min())  # type: ignore[type-var, arg-type, assignment]
    end: datetime = features["timestamp"].max() + challenger.info.step  # type: ignore[operator, assignment]
    longest = max(p.info.lookback for p in packages)
    rows = features.filter(pl.col("timestamp") >= start - longest)
    errors = [target_errors(p, rows, start, end) for p in packages]
    briers = [label_errors(p, rows, start, end) for p in packages]
    return Comparison(start, end, _ratios(errors, seed), _briers(briers, seed))


def target_errors(package: ForecastPackage, rows: pl.DataFrame, start: datetime, end: datetime) -> pl.DataFrame:
    """[cell, error, one error per baseline], absolute, where forecast and actual value are known."""
    forecasts = package.predict(rows, start, end).select(*CELL, "prediction").drop_nulls()
    known = package.baselines(rows, start, end)
    joined = forecasts.join(known, on=CELL).drop_nulls("actual")
    made = {name: pl.coalesce(name, "persistence") for name in BASELINES}
    return joined.select(
        *CELL,
        error=(pl.col("prediction") - pl.col("actual")).abs(),
        **{name: (forecast - pl.col("actual")).abs() for name, forecast in made.items()},
    )


def label_errors(package: ForecastPackage, rows: pl.DataFrame, start: datetime, end: datetime) -> pl.DataFrame:
    """[cell, error, state_error, event]: squared errors of the probability and of the present state."""
    info = package.info
    made = package.probabilities(rows, start, end).rename({"label": "target"}).select(*CELL, "probability").drop_nulls()
    grid = TimeGrid.of(rows, info.step, info.gap_limit)
    parts = []
    for label in info.labels:
        now = label_values(grid, label)
        event = actuals(grid, now, info.horizons)  # [R, H]
        keys = grid.frame.select("system_id", "timestamp").with_columns(target=pl.lit(label), now=pl.Series(now))
        parts += [
            keys.with_columns(horizon=pl.lit(h, pl.Int32), event=pl.Series(event[:, j]))
            for j, h in enumerate(info.horizons)
        ]
    if not parts:
        return pl.DataFrame(
            schema={**made.select(CELL).schema, **dict.fromkeys(("error", "state_error", "event"), pl.Float64)}
        )
    known = pl.concat(parts).with_columns(pl.col("now", "event").fill_nan(None)).drop_nulls(["now", "event"])
    return made.join(known, on=CELL).select(
        *CELL,
        error=(pl.col("probability") - pl.col("event")) ** 2,
        state_error=(pl.col("now") - pl.col("event")) ** 2,
        event="event",
    )


def _ratios(measured: Sequence[pl.DataFrame], seed: int) -> Compared:
    both = _together(measured)
    cells = both.group_by("target", "horizon").agg(
        n=pl.len(),
        baseline=pl.min_horizontal(pl.col(name).mean() for name in BASELINES),
        own=pl.col("error").mean(),
        **({"other": pl.col("champion").mean()} if len(measured) > 1 else {}),
    )
    cells = cells.filter(pl.col("baseline") > 0)
    if cells.is_empty():
        return Compared(both.height)
    rows = both.join(cells.select("target", "horizon", "n", "baseline"), on=["target", "horizon"])
    # Every cell counts the same, however many of its rows are known.
    weight = rows.height / (cells.height * pl.col("n") * pl.col("baseline"))
    return Compared(
        rows.height,
        float((cells["own"] / cells["baseline"]).to_numpy().mean()),
        float((cells["other"] / cells["baseline"]).to_numpy().mean()) if len(measured) > 1 else None,
        1.0,
        _difference(rows, weight, seed) if len(measured) > 1 else None,
    )


def _briers(measured: Sequence[pl.DataFrame], seed: int) -> Compared:
    both = _together(measured)
    if both.is_empty():
        return Compared(0)
    cells = both.group_by("target", "horizon").agg(
        n=pl.len(),
        own=pl.col("error").mean(),
        baseline=pl.min_horizontal(pl.col("state_error").mean(), pl.col("event").mean() * (1 - pl.col("event").mean())),
        **({"other": pl.col("champion").mean()} if len(measured) > 1 else {}),
    )
    rows = both.join(cells.select("target", "horizon", "n"), on=["target", "horizon"])
    weight = rows.height / (cells.height * pl.col("n"))
    return Compared(
        rows.height,
        float(cells["own"].to_numpy().mean()),
        float(cells["other"].to_numpy().mean()) if len(measured) > 1 else None,
        float(cells["baseline"].to_numpy().mean()),
        _difference(rows, weight, seed) if len(measured) > 1 else None,
    )


def _together(measured: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The challenger's rows, with the champion's error where there is one."""
    if len(measured) == 1:
        return measured[0]
    return measured[0].join(measured[1].select(*CELL, champion="error"), on=CELL)


def _difference(rows: pl.DataFrame, weight: pl.Expr, seed: int) -> Difference:
    """Mean of the weighted differences over all rows, resampled in blocks of time as long as the longest horizon."""
    values = rows.select((pl.col("error") - pl.col("champion")) * weight).to_series().to_numpy()
    times = rows["timestamp"].to_physical().to_numpy()
    blocks = BlockBootstrap.of(times, int(rows["horizon"].max()), seed)  # type: ignore[arg-type]
    means = blocks.means(values)  # [1 + resamples]
    low, high = np.quantile(means[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Difference(float(means[0]), float(low), float(high))
