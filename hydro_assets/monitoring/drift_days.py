"""Fill feature_drift where the rows are: workers count values per bin, the index is computed from the counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from hydro_assets.forecasting.package import FeatureReference
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.lakehouse.arrow import spark_schema, to_spark_arrow
from hydro_assets.lakehouse.commits import span_note
from hydro_assets.monitoring.drift import SCHEMA, References, bin_counts, drift_of_day, drifted_shares
from hydro_assets.scoring.members import ServingModels
from hydro_assets.settings import Settings
from hydro_assets.tables import FEATURE_DRIFT, Column, Table, names

if TYPE_CHECKING:
    import pyarrow as pa

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


def references_of(models: ServingModels) -> dict[str, dict[str, FeatureReference]]:
    """What each serving model learned from: its inputs and targets."""
    return {
        kind: {
            name: reference
            for name, reference in package.info.reference.items()
            if name in package.info.features or name in package.info.target_names
        }
        for kind, package in models.packages.items()
    }


def made_by(models: ServingModels, settings: Settings) -> dict[str, Any]:
    """For the notes of commits: the models and the settings that shape the drift, beside the features."""
    return models.note() | {"settings": {"drift_days": settings.monitoring.drift_days}}


def measure_drift(
    lakehouse: Lakehouse, settings: Settings, models: ServingModels, start_day: date, end_day: date
) -> MeasuredDrift:
    """Replace the days [start_day, end_day) of feature_drift: features of the last `drift_days` against the models'.

    Values are counted where the rows are; only counts per day, feature and bin leave the workers.
    """
    references, config = references_of(models), settings.monitoring
    rows_by_day: dict[str, int] = {}
    newest = pl.DataFrame(schema=SCHEMA)
    note = lakehouse.made_from(names.SENSOR_FEATURES) | made_by(models, settings)
    begin = start_day
    while begin < end_day:
        end = min(begin + timedelta(days=DAYS_AT_ONCE), end_day)
        counts = counted_days(lakehouse, references, begin - timedelta(days=config.drift_days - 1), end)
        days = [begin + timedelta(days=i) for i in range((end - begin).days)]
        rows = pl.concat([drift_of_day(counts, references, models.versions, d, config.drift_days) for d in days])
        receipt = lakehouse.replace_days(FEATURE_DRIFT, rows, begin, end, note | span_note(begin, end))
        rows_by_day.update(receipt.rows_by_day)
        newest = rows.filter(pl.col("date") == pl.col("date").max()) if rows.height else newest
        begin = end
    shares = drifted_shares(newest, settings).select("model", "share").iter_rows()
    return MeasuredDrift(lakehouse.uri(FEATURE_DRIFT.name), rows_by_day, dict(shares))


def counted_days(lakehouse: Lakehouse, references: References, start_day: date, end_day: date) -> pl.DataFrame:
    """[date, model, feature, bin, count] of all systems, summed by Spark."""
    from pyspark.sql import functions as F

    features = lakehouse.read(names.SENSOR_FEATURES, start_day, end_day)
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
