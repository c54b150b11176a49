"""Pictures of a training as PNG: learning curve, forecast against actual, error by horizon, reliability, importance."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure  # pyplot keeps global state, which trainings in threads would share

_ROWS_SHOWN = 1500
_FEATURES_SHOWN = 20
_HORIZONS_SHOWN = 6


def learning_curve(history: Sequence[Mapping[str, Any]], target: str) -> bytes:
    """Loss per epoch (recurrent), or per round for some horizons of `target` (LightGBM); beside it that of labels."""
    frame = pl.DataFrame(history, infer_schema_length=None)
    if "name" in frame.columns:
        is_label = pl.col("train_log_loss").is_not_null() if "train_log_loss" in frame.columns else pl.lit(False)
        frame = frame.filter((pl.col("name") == target) | is_label)
    x = "epoch" if "epoch" in frame.columns else "round"
    losses = [name for name in ("loss", "log_loss") if f"train_{name}" in frame.columns]
    figure = Figure(figsize=(9, 4), layout="constrained")
    for place, loss in enumerate(losses, start=1):
        label = loss.replace("_", " ")
        axes = figure.add_subplot(1, len(losses), place, title="learning curve", xlabel=x, ylabel=label)
        _draw_losses(axes, frame.drop_nulls(f"train_{loss}"), x, loss)
    return _png(figure)


def _draw_losses(axes: Axes, frame: pl.DataFrame, x: str, loss: str) -> None:
    horizons = np.unique(frame["horizon"].to_numpy()) if "horizon" in frame.columns else [None]
    for horizon in horizons[:: math.ceil(len(horizons) / _HORIZONS_SHOWN)]:
        shown = frame if horizon is None else frame.filter(pl.col("horizon") == horizon)
        for part in (p for p in ("train", "validation") if f"{p}_{loss}" in frame.columns):
            label = part + ("" if horizon is None else f", {horizon} steps ahead")
            axes.plot(shown[x], shown[f"{part}_{loss}"], label=label)
    axes.legend(fontsize="small")


def forecast_against_actual(
    times: np.ndarray, actual: np.ndarray, forecast: np.ndarray, half_width: np.ndarray, title: str, unit: str
) -> bytes:
    """The newest rows of a holdout with the 80 % interval; all arguments are [n], times in datetime64."""
    figure, axes = _figure(title, "time (UTC)", unit)
    newest = slice(max(0, times.size - _ROWS_SHOWN), None)
    axes.fill_between(
        times[newest],
        (forecast - half_width)[newest],
        (forecast + half_width)[newest],
        alpha=0.25,
        label="80 % interval",
    )
    axes.plot(times[newest], actual[newest], lw=0.8, color="black", label="actual")
    axes.plot(times[newest], forecast[newest], lw=0.8, label="forecast")
    axes.legend(fontsize="small")
    figure.autofmt_xdate()
    return _png(figure)


def error_by_horizon(metrics: pl.DataFrame) -> bytes:
    """Holdout MAE of each model over the horizons, with its bootstrap interval; one picture per target."""
    shown = metrics.filter(split="holdout", system_id="all")
    targets = shown["target"].unique(maintain_order=True).to_list()
    figure = Figure(figsize=(9, 3.2 * max(len(targets), 1)), layout="constrained")
    for place, target in enumerate(targets, start=1):
        axes = figure.add_subplot(len(targets), 1, place, title=target, xlabel="steps ahead", ylabel="MAE")
        for (model,), part in shown.filter(target=target).group_by("model", maintain_order=True):
            part = part.sort("horizon")
            spread = [part["mae"] - part["mae_low"], part["mae_high"] - part["mae"]]
            bars = [s.clip(0) for s in spread]
            axes.errorbar(part["horizon"], part["mae"], bars, marker="o", capsize=3, label=str(model))
        axes.legend(fontsize="small")
    return _png(figure)


def reliability(state: np.ndarray, probability: np.ndarray) -> bytes:
    """Share of states that came about against the probability that was forecast, in ten bins; both [n]."""
    from sklearn.calibration import calibration_curve

    figure, axes = _figure("reliability", "forecast probability", "share that came about")
    known = np.isfinite(state + probability)
    observed_share, forecast_mean = calibration_curve(state[known], probability[known], n_bins=10)
    axes.plot([0, 1], [0, 1], color="grey", lw=0.8)
    axes.plot(forecast_mean, observed_share, "o-")
    return _png(figure)


def importance(gain: Mapping[str, float], permutation: Mapping[str, float]) -> bytes:
    """The features with the largest share of the gain, beside what shuffling them costs on the holdout."""
    top = sorted(gain, key=lambda name: -gain[name])[:_FEATURES_SHOWN][::-1]
    figure = Figure(figsize=(11, 6), layout="constrained")
    shown = {"share of gain": gain, "holdout MAE added by shuffling, %": permutation}
    for place, (title, values) in enumerate(shown.items(), start=1):
        axes = figure.add_subplot(1, 2, place, title=title)
        axes.barh(top, [values.get(name, 0.0) for name in top])
        axes.tick_params(axis="y", labelsize="x-small")
    return _png(figure)


def _figure(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(9, 4), layout="constrained")
    return figure, figure.add_subplot(title=title, xlabel=x, ylabel=y)


def _png(figure: Figure) -> bytes:
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100, metadata={"Software": ""})
    return buffer.getvalue()
