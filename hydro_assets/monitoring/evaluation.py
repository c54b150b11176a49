"""Fill prediction_accuracy where the rows are: forecasts meet the values that were measured, system by system."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import polars as pl

from hydro_assets.lakehouse import Lakehouse
from hydro_assets.lakehouse.arrow import spark_schema, to_spark_arrow
from hydro_assets.lakehouse.commits import span_note
from hydro_assets.monitoring.accuracy import NEEDED, SCHEMA, accuracy_by_system, with_all_systems
from hydro_assets.scoring.scoring_job import FORECASTS_PER_WIDE_ROW, ROWS_PER_COMMIT
from hydro_assets.scoring.task_grid import TaskGrid, commits
from hydro_assets.settings import Settings
from hydro_assets.tables import ALL_SYSTEMS, KEYS, PREDICTION_ACCURACY, SENSOR, names

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class EvaluatedDays:
    """What an evaluation wrote. `known_by_day`: ensemble forecasts of the day with a known actual value."""

    uri: str
    rows_by_day: Mapping[str, int]
    known_by_day: Mapping[str, int]
    feature_version: int
    prediction_version: int


def evaluate_days(
    lakehouse: Lakehouse, settings: Settings, start_day: date, end_day: date, rows_per_commit: int = ROWS_PER_COMMIT
) -> EvaluatedDays:
    """Replace the days [start_day, end_day) of prediction_accuracy: errors of the forecasts *for* these days.

    A day of actual values is one partition, so a late or corrected reading changes the accuracy of its own day only;
    evaluating a day again with the same tables gives the same rows. Forecasts from the days before are read as far
    back as the longest horizon reaches.

    Raises TableError when there are no forecasts or no features yet.
    """
    counts = lakehouse.read(names.FORECASTS, start_day, end_day).groupBy("date").count().toArrow().to_pylist()
    versions = [lakehouse.version(name) for name in (names.SENSOR_FEATURES, names.FORECASTS)]
    rows_by_day: dict[str, int] = {}
    known_by_day: dict[str, int] = {}
    note = lakehouse.made_from(names.SENSOR_FEATURES, names.FORECASTS)
    uri = lakehouse.uri(PREDICTION_ACCURACY.name)
    for begin, end in commits(
        {r["date"]: r["count"] // FORECASTS_PER_WIDE_ROW for r in counts}, start_day, end_day, rows_per_commit
    ):
        rows = with_all_systems(accuracy_of_days(lakehouse, settings, begin, end))
        receipt = lakehouse.replace_days(PREDICTION_ACCURACY, rows, begin, end, note | span_note(begin, end))
        rows_by_day.update(receipt.rows_by_day)
        ensemble = rows.filter(pl.col("system_id") == ALL_SYSTEMS, pl.col("model") == "ensemble")
        known_by_day.update((str(day), n) for day, n in ensemble.group_by("date").agg(pl.col("n").sum()).iter_rows())
    features, predictions = (version.version if version else -1 for version in versions)
    return EvaluatedDays(uri, rows_by_day, known_by_day, features, predictions)


def accuracy_of_days(lakehouse: Lakehouse, settings: Settings, start_day: date, end_day: date) -> pl.DataFrame:
    """Rows per system of [start_day, end_day); only these few numbers per day leave the workers."""
    reach = settings.horizons[-1] * settings.feature_step
    tasks = TaskGrid(start_day, end_day, timedelta(days=1), timedelta(0))
    origins = TaskGrid(start_day, end_day, timedelta(days=1), reach)
    forecasts = lakehouse.read(names.FORECASTS, origins.first_day_read, end_day)
    features = lakehouse.read(names.SENSOR_FEATURES, origins.first_day_read, end_day)
    # Labels that are no column of their own are told by the distance to the band.
    measured = [
        n for n in (*SENSOR, *settings.labels, *(f"{n}_band_distance" for n in SENSOR)) if n in features.columns
    ]
    types = {
        **{field.name: field.dataType.simpleString() for field in forecasts.select(*NEEDED).schema},
        **{field.name: field.dataType.simpleString() for field in features.select(*measured).schema},
    }
    # One frame of both kinds of rows, told apart by `horizon`: in pysail 0.7.2 cogroup().applyInArrow fails on nulls
    # ("Found unmasked nulls for non-nullable StructArray field"), and unionByName leaves absent columns without a type.
    due = typed(tasks.assign(forecasts.select(*NEEDED), "prediction_for"), types)
    both = due.unionByName(typed(origins.assign(features.select(*KEYS, *measured), "timestamp"), types))
    compare = comparison(tasks, measured, settings.without_secrets())
    rows = both.groupBy("system_id", "task").applyInArrow(compare, spark_schema(PREDICTION_ACCURACY)).toArrow()
    return pl.DataFrame(pl.from_arrow(rows)).select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())


def typed(frame: DataFrame, types: Mapping[str, str]) -> DataFrame:
    """The columns of `types` and `task`; null where `frame` lacks one."""
    from pyspark.sql import functions as F

    have = set(frame.columns)
    columns = [(F.col(n) if n in have else F.lit(None)).cast(kind).alias(n) for n, kind in types.items()]
    return frame.select(*columns, "task")


def comparison(tasks: TaskGrid, measured: Sequence[str], settings: Settings) -> Callable[[pa.Table], pa.Table]:
    """The function of one system's forecasts and feature rows of one task, told apart by `horizon`."""

    def compare(both: pa.Table) -> pa.Table:
        rows = pl.DataFrame(pl.from_arrow(both)).with_columns(
            pl.col("timestamp", "prediction_for").dt.convert_time_zone("UTC").dt.cast_time_unit("us")
        )
        is_forecast = pl.col("horizon").is_not_null()
        start, end = tasks.bounds(rows["task"][0])
        features = rows.filter(~is_forecast).select(*KEYS, *measured).sort(KEYS)
        found = accuracy_by_system(rows.filter(is_forecast).select(NEEDED), features, settings, start, end)
        return to_spark_arrow(found, PREDICTION_ACCURACY)

    return compare
