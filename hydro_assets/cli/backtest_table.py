"""What `hydro backtest` prints: a table per farm that fits 100 columns, and the summary."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from rich import box
from rich.table import Table

from hydro_assets.cli.app import console
from hydro_assets.durations import duration_text

if TYPE_CHECKING:
    from hydro_assets.training.backtest import Backtest

_SHORT = {
    "persistence": "last value",
    "short_mean": "short mean",
    "same_time_yesterday": "yesterday",
    "lightgbm": "lgbm",
}
_LEGEND = (
    "MAE: of the baseline, in the unit of the target. Then the MAE of each model, of their ensemble and of the peer (a "
    "plain LightGBM) divided by it: below 1 is better. The baseline is the best of persistence, short mean and same "
    "time yesterday on validation. 80 % and 95 %: share of rows inside these intervals. --format json has the rest."
)


def print_backtest(result: Backtest, kinds: Sequence[str]) -> None:
    """Print errors of every cell as shares of its baseline's, the dates of the folds and the summary."""
    out = console()
    for farm, rows in result.cells.partition_by("farm", as_dict=True, maintain_order=True).items():
        out.print(_cells(str(farm[0]), rows, kinds))
    out.print(_LEGEND, highlight=False)
    for farm, splits in result.splits.items():
        for number, split in enumerate(splits, start=1):
            dates = split.describe()
            parts = (f"{p} {dates[f'{p}_start'][:16]} .. {dates[f'{p}_end'][:16]}" for p in ("train", "holdout"))
            out.print(f"{farm}, fold {number}: {', '.join(parts)} (UTC)", highlight=False)
    for failure in result.failures:
        out.print(f"not measured: {failure}", markup=False, highlight=False)
    summary = result.summary()
    if not summary["cells"]:
        out.print("no baseline errs anywhere: there is nothing that a model could do better")
        return
    out.print(_summary(summary))
    if result.leaving.height:
        out.print(_outlook(result))


def _cells(farm: str, rows: pl.DataFrame, kinds: Sequence[str]) -> Table:
    table = Table(title=farm, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    models = [*kinds, "ensemble", "peer"]
    for name in ("target", "system", "ahead"):
        table.add_column(name)
    for name in ("n", "baseline", "MAE", *models, "80 %", "95 %"):
        table.add_column(_SHORT.get(name, name), justify="left" if name == "baseline" else "right", no_wrap=True)
    if rows["system_id"].n_unique() == 2:  # one system, and the same again as `all`
        rows = rows.filter(pl.col("system_id") != "all")
    for row in rows.iter_rows(named=True):
        mae = row["baseline_mae"]
        shares = (f"{row[name] / mae:.3f}" if mae > 0 else "" for name in models)
        inside = (f"{row[name]:.0%}".removesuffix("%") for name in ("coverage_80", "coverage_95"))
        ahead = duration_text(timedelta(minutes=row["lead_minutes"]))
        what = (row["target"], row["system_id"], ahead, f"{row['n']}", _SHORT[row["baseline"]], f"{mae:.4g}")
        table.add_row(*what, *shares, *inside)
    return table


def _summary(summary: dict[str, Any]) -> Table:
    """Geometric means per farm, then of all farms with 95 % intervals over the cells."""
    table = Table(title="Summary", title_justify="left", show_header=False, box=box.SIMPLE_HEAD)
    for farm in summary["by_farm"]:
        ratios = f"ratio {farm['ratio']:.3f}, peer {farm['peer_ratio']:.3f}"
        table.add_row(farm["farm"], f"{ratios}, coverage {farm['coverage_80']:.0%} and {farm['coverage_95']:.0%}")
    for name, value in summary.items():
        if isinstance(value, dict) and "low" in value:
            table.add_row(name, f"{value['value']:.3f} ({value['low']:.3f} to {value['high']:.3f})")
        elif isinstance(value, int | float):
            table.add_row(name, f"{value:.4g}")
    return table


def _outlook(result: Backtest) -> Table:
    """Per farm: the probability of leaving the crop band beside what happened, and how soon."""
    table = Table(
        title="Leaving the crop band, on the holdout: rows inside it at the origin",
        title_justify="left",
        caption="Brier score beside that of the constant mean. Gap: mean probability less the share that left, per "
        "decile with 50 rows or more. Foreseen: rows with a minutes_to_leaving, the share of them that left within the "
        "longest lead time, and the share that left of the others.",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for name in (
        "farm",
        "rows",
        "left",
        "Brier",
        "of mean",
        "mean gap",
        "largest",
        "foreseen",
        "and left",
        "else left",
    ):
        table.add_column(name, justify="left" if name == "farm" else "right")
    for (farm,), cells in result.leaving.group_by(["farm"], maintain_order=True):
        deciles = result.reliability.filter(pl.col("farm") == farm)
        gaps = (deciles["mean_probability"] - deciles["event_share"]).abs()
        minutes = result.minutes.filter(pl.col("farm") == farm)
        table.add_row(
            str(farm),
            f"{cells['n'].sum()}",
            *(_mean(cells[name], cells["n"], ".3f") for name in ("event_share", "brier", "brier_climatology")),
            _mean(gaps, deciles["n"], ".3f"),
            f"{np.max(gaps.to_numpy(), initial=0.0):.3f}",
            f"{minutes['n_foreseen'].sum()}",
            _mean(minutes["hit_rate"], minutes["n_foreseen"], ".0%"),
            _mean(minutes["missed_rate"], minutes["n"] - minutes["n_foreseen"], ".0%"),
        )
    return table


def _mean(values: pl.Series, counts: pl.Series, form: str) -> str:
    """The mean of `values`, null where nothing was counted, weighted by `counts`; empty where nothing was at all."""
    weight = counts.to_numpy().astype(float)
    return format((values.fill_null(0).to_numpy() * weight).sum() / weight.sum(), form) if weight.sum() else ""
