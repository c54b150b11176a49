"""Score days where the rows are: Spark cuts the feature table by system and time, each task scores its piece."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl
from threadpoolctl import threadpool_limits

from hydro_assets.features.feature_job import farm_spec
from hydro_assets.features.point_in_time import feature_frame
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.lakehouse.arrow import spark_schema, to_spark_arrow
from hydro_assets.scoring.members import PREDICTION_COLUMNS, ServingModels, look_back, require_fitting
from hydro_assets.scoring.score_system import score_system
from hydro_assets.scoring.shipping import Shipment
from hydro_assets.scoring.task_grid import TaskGrid, commits
from hydro_assets.settings import Settings
from hydro_assets.tables import (
    ACTUATOR_COLUMNS,
    KEYS,
    SENSOR,
    Table,
    batch_predictions_table,
    names,
    sensor_features_table,
)

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

ROWS_PER_COMMIT = 500_000


@dataclass(frozen=True)
class ScoredDays:
    """What a scoring run wrote, per day of the range."""

    uri: str
    rows_by_day: Mapping[str, int]
    quality_by_day: Mapping[str, Mapping[str, int]]
    versions: Mapping[str, str]
    feature_version: int

    @property
    def rows(self) -> int:
        return sum(self.rows_by_day.values())


def predictions_table(feature_columns: list[str], settings: Settings) -> Table:
    """The predictions table of a farm whose feature table has these columns."""
    sensors = [name for name in SENSOR if name in feature_columns]
    actuators = [name for name in ACTUATOR_COLUMNS if name in feature_columns]
    return batch_predictions_table(sensor_features_table(settings.feature_step, sensors, actuators))


def score_days(
    lakehouse: Lakehouse,
    settings: Settings,
    models: ServingModels,
    start_day: date,
    end_day: date,
    scored_at: datetime,
    rows_per_commit: int = ROWS_PER_COMMIT,
) -> ScoredDays:
    """Replace the days [start_day, end_day) of batch_predictions with the forecasts of `models`.

    The range is written in commits of whole days with at most `rows_per_commit` rows, or one day where a day has more.
    A task holds `task_days` days of one system at horizon 1, and proportionally less at longer horizons, so a
    worker's memory depends neither on the table's length nor on the horizon. The embedded engine also holds the rows of
    one commit: a million rows of 259 columns with three models peaked at 3.7 GB for the whole process
    (`bench/score_speed.py`).

    Raises ModelUnavailableError, before anything is written, when a model does not fit the feature table, and
    TableError when there is no feature table.
    """
    features = lakehouse.read(names.SENSOR_FEATURES)
    require_fitting(models.packages, features.columns, settings)
    table = predictions_table(features.columns, settings)
    version = lakehouse.version(names.SENSOR_FEATURES)
    assert version is not None  # `read` has found the table
    counts = lakehouse.read(names.SENSOR_FEATURES, start_day, end_day).groupBy("date").count().toArrow().to_pylist()
    rows_by_day = {row["date"]: row["count"] * settings.forecast_horizon for row in counts}
    written: dict[str, int] = {}
    facts = {"feature_version": version.version, "versions": dict(models.versions)}
    for begin, end in commits(rows_by_day, start_day, end_day, rows_per_commit):
        grid = TaskGrid(begin, end, task_span(settings, models), look_back(models.packages, settings))
        history = feature_frame(lakehouse, grid.first_day_read, end)
        scored = scoring_plan(history, table, grid, models, settings, scored_at)
        span = {"start_day": begin, "end_day": end}
        written.update(lakehouse.replace_days(table, scored, begin, end, facts | span).rows_by_day)
    return ScoredDays(
        uri=lakehouse.uri(table.name),
        rows_by_day=written,
        quality_by_day=quality_by_day(lakehouse, start_day, end_day),
        versions=dict(models.versions),
        feature_version=version.version,
    )


def predictions_as_of(
    lakehouse: Lakehouse, models: ServingModels, start_day: date, end_day: date, as_of: datetime
) -> pl.DataFrame:
    """The rows of batch_predictions that scoring [start_day, end_day) at `as_of` would have written. Writes nothing.

    Bit for bit what was predicted then, however many readings came late or were corrected since.
    """
    settings = lakehouse.settings
    table = predictions_table(farm_spec(lakehouse).table.column_names, settings)
    grid = TaskGrid(start_day, end_day, task_span(settings, models), look_back(models.packages, settings))
    history = feature_frame(lakehouse, grid.first_day_read, end_day, as_of)
    scored = pl.DataFrame(pl.from_arrow(scoring_plan(history, table, grid, models, settings, as_of).toArrow()))
    return scored.with_columns(pl.col(pl.Datetime).dt.convert_time_zone("UTC")).sort(*KEYS, "horizon")


def task_span(settings: Settings, models: ServingModels) -> timedelta:
    """Time of one task, in whole hours: a feature row gives `forecast_horizon` wide rows, so fewer days fit.

    Never under the look-back, so that at most half of what a task reads is history.
    """
    hour = timedelta(hours=1)
    share = timedelta(days=settings.task_days) // settings.forecast_horizon
    wanted = max(share, look_back(models.packages, settings), hour)
    return -(-wanted // hour) * hour


def scoring_plan(
    features: DataFrame, table: Table, grid: TaskGrid, models: ServingModels, settings: Settings, scored_at: datetime
) -> DataFrame:
    """The unevaluated Spark frame of `table`'s rows in the days of `grid`."""
    from pyspark.sql import functions as F

    own = {c.name for c in PREDICTION_COLUMNS}
    feature_columns = [name for name in table.column_names if name not in own]
    # PySpark lists all columns of a batch once per column before it calls a grouped function (`worker.py`, 4.2.0): with
    # hundreds of columns that costs more than some models. As one struct, they are one column.
    row = F.struct(*feature_columns).alias("row")
    tasks = grid.assign(features, "timestamp").select("system_id", "task", row).groupBy("system_id", "task")
    return tasks.applyInArrow(scorer(table, grid, models, settings, scored_at), spark_schema(table))


def scorer(
    table: Table, grid: TaskGrid, models: ServingModels, settings: Settings, scored_at: datetime
) -> Callable[[pa.Table], pa.Table]:
    """The function of one system's rows of one task. It carries the models as bytes and no secret."""
    shipments = {kind: Shipment.of(package) for kind, package in models.packages.items()}
    versions = dict(models.versions)
    public = settings.without_secrets()

    def score(rows: pa.Table) -> pa.Table:
        frame = pl.DataFrame(pl.from_arrow(rows)).select("task", "row").unnest("row")
        frame = frame.with_columns(pl.col("timestamp").dt.convert_time_zone("UTC"))
        packages = {kind: shipment.unpack() for kind, shipment in shipments.items()}
        start, end = grid.bounds(frame["task"][0])
        history = frame.drop("task").sort("timestamp")
        with _on_one_core():
            scored = score_system(history, packages, versions, public, start, end, scored_at)
        return to_spark_arrow(scored, table)

    return score


def _on_one_core() -> threadpool_limits:
    """Spark runs a task per core: were each to use all of them, their threads would wait for each other."""
    if "torch" in sys.modules:
        sys.modules["torch"].get_num_threads()  # a first call sets the number of the thread, so it must not come last
    return threadpool_limits(1, user_api="openmp")


def quality_by_day(lakehouse: Lakehouse, start_day: date, end_day: date) -> dict[str, dict[str, int]]:
    """Rows per day and prediction_quality of the stored predictions."""
    stored = lakehouse.read(names.BATCH_PREDICTIONS, start_day, end_day)
    counted = stored.groupBy("date", "prediction_quality").count().toArrow().to_pylist()
    result: dict[str, dict[str, int]] = {}
    for row in sorted(counted, key=lambda r: (r["date"], r["prediction_quality"])):
        result.setdefault(str(row["date"]), {})[row["prediction_quality"]] = row["count"]
    return result
