"""Pictures of the report, and of the asset pages: as SVG inside a page, as PNG where only that is shown."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import timedelta

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure  # pyplot keeps global state

from hydro_assets.tables import SENSOR

WIDTH = 9.0  # inches; 72 points each, so at most 650 points wide
SMALL_WIDTH, SMALL_HEIGHT, SMALL_POINTS = 240, 70, 32
COLOURS = (("green", "#1f6f50"), ("black", "#1b2a34"))
INK, BAND, MODEL, BASELINE = "#1b2a34", "#f4eed3", "#1f6f50", "#b5651d"


def coverage(by_day: pl.DataFrame) -> Figure:
    """Share of grid steps with a known value. `by_day`: day, sensor, share; one row per day and sensor."""
    wide = by_day.pivot("day", index="sensor", values="share", sort_columns=True)
    days = wide.columns[1:]
    figure = Figure(figsize=(WIDTH, 0.9 + 0.35 * wide.height), layout="constrained")
    axes = figure.subplots()
    drawn = axes.imshow(wide.select(days).to_numpy(), vmin=0, vmax=1, aspect="auto", cmap="YlGn")
    axes.set_yticks(range(wide.height), wide["sensor"].to_list())
    shown = np.unique(np.linspace(0, len(days) - 1, min(8, len(days))).astype(int))
    axes.set_xticks(shown, [days[i][5:] for i in shown])
    figure.colorbar(drawn, label="share of steps known")
    return figure


def forecast_against_actuals(rows: pl.DataFrame, target: str, band: tuple[float, float] | None) -> Figure:
    """One panel per system. `rows`: system_id, time, actual, forecast, lower_80, upper_80, lower_95, upper_95."""
    systems = rows["system_id"].unique().sort().to_list()
    figure = Figure(figsize=(WIDTH, 2.1 * len(systems)), layout="constrained")
    panels = figure.subplots(len(systems), 1, sharex=True, squeeze=False)[:, 0]
    for axes, system in zip(panels, systems, strict=True):
        shown = rows.filter(system_id=system).sort("time").upsample("time", every=_step(rows))
        time = shown["time"].to_numpy()
        if band is not None:
            axes.axhspan(*band, color=BAND, label="crop band", zorder=0)
        for share, alpha in ((95, 0.18), (80, 0.3)):
            low, high = (shown[f"{side}_{share}"].to_numpy() for side in ("lower", "upper"))
            axes.fill_between(time, low, high, color=MODEL, alpha=alpha, linewidth=0, label=f"{share} % interval")
        axes.plot(time, shown["forecast"].to_numpy(), color=MODEL, linewidth=1.2, label="forecast")
        axes.plot(time, shown["actual"].to_numpy(), color=INK, linewidth=0.8, label="actual")
        axes.set_title(system, loc="left", fontsize="medium")
        axes.set_ylabel(_label(target))
        _fit(axes, shown)
        axes.xaxis.set_major_locator(AutoDateLocator())
        axes.xaxis.set_major_formatter(ConciseDateFormatter(axes.xaxis.get_major_locator()))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize="small")
    return figure


def _fit(axes: Axes, shown: pl.DataFrame) -> None:
    """Show every value; a far band or one wide interval may not flatten the curves."""
    seen = pl.concat([shown["actual"], shown["forecast"]]).drop_nulls()
    if seen.is_empty():
        return
    low, high = float(seen.min()), float(seen.max())  # type: ignore[arg-type]
    reach = 0.25 * max(high - low, 1e-9)
    axes.set_ylim(low - reach, high + reach)


def errors_by_day(rows: pl.DataFrame, unit: str) -> Figure:
    """MAE of the ensemble and of the baseline. `rows`: date, mae, baseline_mae."""
    rows = rows.sort("date")
    figure = Figure(figsize=(WIDTH, 2.6), layout="constrained")
    axes = figure.subplots()
    axes.plot(rows["date"].to_numpy(), rows["mae"].to_numpy(), "o-", color=MODEL, label="ensemble")
    axes.plot(rows["date"].to_numpy(), rows["baseline_mae"].to_numpy(), "s--", color=BASELINE, label="baseline")
    axes.set_ylim(bottom=0)
    axes.set_ylabel(f"mean absolute error ({unit})")
    axes.xaxis.set_major_formatter(ConciseDateFormatter(axes.xaxis.get_major_locator()))
    axes.legend(fontsize="small")
    return figure


def drift(rows: pl.DataFrame, limit: float) -> Figure:
    """The features that moved most. `rows`: feature, psi, largest first."""
    rows = rows.sort("psi")
    figure = Figure(figsize=(WIDTH, 0.8 + 0.28 * rows.height), layout="constrained")
    axes = figure.subplots()
    colours = [BASELINE if psi > limit else MODEL for psi in rows["psi"]]
    axes.barh(rows["feature"].to_list(), rows["psi"].to_list(), color=colours)
    axes.axvline(limit, color=INK, linewidth=0.8, linestyle=":")
    axes.set_xlabel(f"population stability index (drifted above {limit:g})")
    return figure


def small_svg(lines: Mapping[str, Sequence[float | None]]) -> str:
    """Lines of equal length over a common scale, at most SMALL_POINTS points each, in a few hundred characters."""
    known = [v for values in lines.values() for v in values if v is not None]
    if not known:
        return ""
    low, reach = min(known), max(max(known) - min(known), 1e-9)
    paths = ""
    for (_, values), (_, colour) in zip(lines.items(), COLOURS, strict=False):
        shown = values[:: -(-len(values) // SMALL_POINTS)]
        apart = SMALL_WIDTH // max(len(shown) - 1, 1)
        pen, path = "M", ""
        for i, value in enumerate(shown):
            if value is None:
                pen = "M"
                continue
            path += f"{pen}{i * apart},{round(SMALL_HEIGHT - 2 - (SMALL_HEIGHT - 4) * (value - low) / reach)}"
            pen = " "
        paths += f"<path stroke='{colour}' d='{path}'/>"
    size = f"width='{SMALL_WIDTH}' height='{SMALL_HEIGHT}'"
    return f"<svg xmlns='http://www.w3.org/2000/svg' {size} fill='none' stroke-width='1.5'>{paths}</svg>"


def _step(rows: pl.DataFrame) -> timedelta:
    """The usual distance of two rows of a system; a longer one is drawn as a gap."""
    apart = rows.sort("system_id", "time").select(pl.col("time").diff().over("system_id").drop_nulls().median())
    found = apart.item()
    return max(found or timedelta(minutes=1), timedelta(seconds=1))


def _label(target: str) -> str:
    return f"{target} ({SENSOR[target].unit})" if target in SENSOR else target


def svg(figure: Figure) -> str:
    """The picture as an element of a page."""
    FigureCanvasSVG(figure)
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def png(figure: Figure) -> bytes:
    """The picture with 90 points an inch: at most 810 wide."""
    FigureCanvasAgg(figure)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=90)
    return out.getvalue()
