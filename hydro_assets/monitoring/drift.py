"""How far features have moved from the training data: population stability index and missing share, per feature."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from hydro_assets.columns import FEATURE_DRIFT, Column, Table
from hydro_assets.inference.members import ServingModels
from hydro_assets.inference.plan import FEATURES
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.lakehouse.arrow import spark_schema, to_spark_arrow
from hydro_assets.lakehouse.lakehouse import POLARS_TYPES
from hydro_assets.models.package import FeatureReference
from hydro_assets.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

References = Mapping[str, Mapping[str, FeatureReference]]
"""By kind of model, then by feature."""
SHARE_FLOOR = 1e-4  # an empty bin would make the index infinite
MISSING = -1
DAYS_AT_ONCE = 31
COUNTS = Table(
    "counts",
    (
        Column("date", "date", "", "day"),
        Column("model", "string", "", "model"),
        Column("feature", "string", "", "feature"),
        Column("bin", "int", "", "number of the bin, -1 for missing values"),
        Column("count", "bigint", "1", "rows"),
    ),
    "Values of one system and day per bin.",
)


@dataclass(frozen=True)
class MeasuredDrift:
    """What was written per day: rows, and the share of features over the limit per model of the newest day."""

    uri: str
    rows_by_day: Mapping[str, int]
    drifted_share: Mapping[str, float]


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
    schema = {c.name: POLARS_TYPES[c.type] for c in FEATURE_DRIFT.columns}
    window = counts.filter(pl.col("date").is_between(day - timedelta(days=days), day, closed="right"))
    if window.filter(pl.col("date") == day).is_empty():
        return pl.DataFrame(schema=schema)
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
    return pl.DataFrame(rows, schema=schema)


def references_of(models: ServingModels, settings: Settings) -> dict[str, dict[str, FeatureReference]]:
    """What each serving model learned from: its inputs and the target."""
    return {
        kind: {
            name: reference
            for name, reference in package.info.reference.items()
            if name in package.info.features or name == settings.target_col
        }
        for kind, package in models.packages.items()
    }


def measure_drift(
    lakehouse: Lakehouse, settings: Settings, models: ServingModels, start_day: date, end_day: date
) -> MeasuredDrift:
    """Replace the days [start_day, end_day) of feature_drift: features of the last `drift_days` against the models'.

    Values are counted where the rows are; only counts per day, feature and bin leave the workers.
    """
    references, config = references_of(models, settings), settings.monitoring
    rows_by_day: dict[str, int] = {}
    newest = pl.DataFrame(schema={c.name: POLARS_TYPES[c.type] for c in FEATURE_DRIFT.columns})
    begin = start_day
    while begin < end_day:
        end = min(begin + timedelta(days=DAYS_AT_ONCE), end_day)
        counts = counted_days(lakehouse, references, begin - timedelta(days=config.drift_days - 1), end)
        days = [begin + timedelta(days=i) for i in range((end - begin).days)]
        rows = pl.concat([drift_of_day(counts, references, models.versions, d, config.drift_days) for d in days])
        rows_by_day.update(lakehouse.replace_days(FEATURE_DRIFT, rows, begin, end).rows_by_day)
        newest = rows.filter(pl.col("date") == pl.col("date").max()) if rows.height else newest
        begin = end
    shares = drifted_shares(newest, settings).select("model", "share").iter_rows()
    return MeasuredDrift(lakehouse.uri(FEATURE_DRIFT.name), rows_by_day, dict(shares))


def drifted_shares(drift: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """[date, model, version, share]: share of the measurable features whose index is over `psi_limit`."""
    return (
        drift.drop_nulls("psi")
        .group_by("date", "model", "version")
        .agg(share=(pl.col("psi") > settings.monitoring.psi_limit).mean())
        .sort("date", "model")
    )


def counted_days(lakehouse: Lakehouse, references: References, start_day: date, end_day: date) -> pl.DataFrame:
    """[date, model, feature, bin, count] of all systems, summed by Spark."""
    from pyspark.sql import functions as F

    features = lakehouse.read(FEATURES, start_day, end_day)
    wanted = {name for by_feature in references.values() for name in by_feature}
    chosen = features.select("system_id", "date", *(name for name in features.columns if name in wanted))
    counted = chosen.groupBy("system_id", "date").applyInArrow(counter(references), spark_schema(COUNTS))
    summed = counted.groupBy("date", "model", "feature", "bin").agg(F.sum("count").alias("count"))
    return pl.DataFrame(pl.from_arrow(summed.toArrow())).sort("date", "model", "feature", "bin")


def counter(references: References) -> Callable[[pa.Table], pa.Table]:
    """The function of one system's rows of one day."""

    def count(rows: pa.Table) -> pa.Table:
        frame = pl.DataFrame(pl.from_arrow(rows))
        counts = bin_counts(frame, references).with_columns(date=pl.lit(frame["date"][0]))
        return to_spark_arrow(counts, COUNTS)

    return count
