"""How far features have moved from the training data: population stability index and missing share, per feature."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np
import polars as pl

from hydro_assets.forecasting.package import FeatureReference
from hydro_assets.lakehouse.tables import POLARS_TYPES
from hydro_assets.settings import Settings
from hydro_assets.tables import FEATURE_DRIFT

References = Mapping[str, Mapping[str, FeatureReference]]
"""By kind of model, then by feature."""
SHARE_FLOOR = 1e-4  # an empty bin would make the index infinite
MISSING = -1
SCHEMA = {c.name: POLARS_TYPES[c.type] for c in FEATURE_DRIFT.columns}


def edges(reference: FeatureReference) -> np.ndarray:
    """Inner edges of the bins: the distinct training deciles 10 .. 90 %; a constant stands in a bin of its own."""
    inner = np.unique(reference.deciles[1:-1])
    return np.array([np.nextafter(inner[0], -np.inf), inner[0]]) if inner.size == 1 else inner


def psi(reference: FeatureReference, counts: np.ndarray) -> float | None:
    """Population stability index of `counts` [bins] against the training deciles; None where either has no value.

    sum over bins of (p - q) ln(p / q), p the present and q the reference share, each at least SHARE_FLOOR (Siddiqi,
    Credit Risk Scorecards, 2006: under 0.1 stable, over 0.25 shifted). Where training values tie at an edge, deciles
    tell the share up to it only to a tenth; it is then taken as near to the present one as they allow, so that ties
    alone are no drift.
    """
    if not reference.deciles or counts.sum() == 0:
        return None
    deciles, present = np.array(reference.deciles), np.cumsum(counts / counts.sum())[:-1]
    at = edges(reference)
    below = np.searchsorted(deciles, at, side="right")  # deciles up to and with the edge
    low = np.maximum(below - 1, 0) / 10
    tied = np.searchsorted(deciles, at, side="left") < below - 1
    high = np.where(tied, np.minimum(below, 10) / 10, low)
    expected = np.clip(present, low, high)
    p = np.maximum(np.diff(present, prepend=0, append=1), SHARE_FLOOR)
    q = np.maximum(np.diff(expected, prepend=0, append=1), SHARE_FLOOR)
    return float(((p - q) * np.log(p / q)).sum())


def bin_counts(frame: pl.DataFrame, references: References) -> pl.DataFrame:
    """[model, feature, bin, count] of the rows of `frame`; a feature that `frame` lacks is missing in every row."""
    rows: list[tuple[str, str, int, int]] = []
    for model, features in references.items():
        for name, reference in features.items():
            values = np.full(frame.height, np.nan)
            if name in frame.columns and reference.deciles:
                values = frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
            elif name in frame.columns:
                values = np.where(frame[name].is_null(), np.nan, 0.0)  # without a reference only missing is counted
            known = values[np.isfinite(values)]
            inner = edges(reference) if reference.deciles else np.empty(0)
            counts = np.bincount(np.searchsorted(inner, known, side="left"), minlength=inner.size + 1)
            rows.append((model, name, MISSING, frame.height - known.size))
            rows += [(model, name, b, int(count)) for b, count in enumerate(counts)]
    schema = {"model": pl.String, "feature": pl.String, "bin": pl.Int32, "count": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def drift_of_day(
    counts: pl.DataFrame, references: References, versions: Mapping[str, str], day: date, days: int
) -> pl.DataFrame:
    """Rows of `columns.FEATURE_DRIFT` for `day`: the last `days` days of `counts` [date, model, feature, bin, count].

    No rows where the day itself has none.
    """
    window = counts.filter(pl.col("date").is_between(day - timedelta(days=days), day, closed="right"))
    if window.filter(pl.col("date") == day).is_empty():
        return pl.DataFrame(schema=SCHEMA)
    rows = []
    for (model, feature), group in window.group_by(["model", "feature"], maintain_order=True):
        reference = references[str(model)][str(feature)]
        by_bin = dict(group.group_by("bin").agg(pl.col("count").sum()).iter_rows())
        missing = by_bin.pop(MISSING, 0)
        present = np.array([by_bin[b] for b in sorted(by_bin)])
        n = missing + int(present.sum())
        rows.append({
            "date": day, "model": model, "version": versions.get(str(model)), "feature": feature,
            "days": group["date"].n_unique(), "n": n, "psi": psi(reference, present),
            "missing_share": missing / n if n else None, "reference_missing_share": reference.missing_share,
        })  # fmt: skip
    return pl.DataFrame(rows, schema=SCHEMA)


def drifted_shares(drift: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """[date, model, version, share]: share of the measurable features whose index is over `psi_limit`."""
    return (
        drift.drop_nulls("psi")
        .group_by("date", "model", "version")
        .agg(share=(pl.col("psi") > settings.monitoring.psi_limit).mean())
        .sort("date", "model")
    )
