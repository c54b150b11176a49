"""Score days where the rows are: Spark cuts the feature table by system and time, each task scores its piece."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
from threadpoolctl import threadpool_limits

from hydro_assets.features.point_in_time import feature_frame
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.lakehouse.arrow import spark_schema, to_spark_arrow
from hydro_assets.lakehouse.commits import span_note
from hydro_assets.scoring.members import (
    ServingModels,
    columns_read,
    look_back,
    primary_target,
    require_fitting,
    served_targets,
)
from hydro_assets.scoring.score_system import score_system
from hydro_assets.scoring.shipping import Shipment
from hydro_assets.scoring.task_grid import TaskGrid, commits
from hydro_assets.settings import Settings
from hydro_assets.tables import (
    ACTUATOR_COLUMNS,
    FORECASTS,
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
FORECASTS_PER_WIDE_ROW = 8
"""Rows of `forecasts` that take the memory of one row of `batch_predictions`, which has hundreds of columns."""
OPTIMAL = "is_env_optimal"


@dataclass(frozen=True)
class ScoredDays:
    """What a scoring run wrote, per day of the range: rows of batch_predictions, and of forecasts."""

    uri: str
    rows_by_day: Mapping[str, int]
    forecasts_by_day: Mapping[str, int]
    quality_by_day: Mapping[str, Mapping[str, int]]
    versions: Mapping[str, str]
    feature_version: int

    @property
    def rows(self) -> int:
        return sum(self.rows_by_day.values())


def made_by(models: ServingModels, settings: Settings) -> dict[str, Any]:
    """For the notes of commits: the models and the settings that shape predictions, beside the features."""
    asked = settings.model_dump(mode="json", include={"target_col", "targets", "labels"})
    return models.note() | {"settings": asked | {"horizons": list(settings.horizons)}}


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
    """Replace the days [start_day, end_day) of forecasts, and of batch_predictions from them; the models run once.

    The range is written in commits of whole days with at most `rows_per_commit` wide rows or as much memory of
    forecasts, or one day where a day has more. batch_predictions is committed last: a day that it says is scored has
    its forecasts. A task holds `task_days` days of one system where a row has FORECASTS_PER_WIDE_ROW forecasts, and
    proportionally less where it has more, so a worker's memory depends on neither the table's length nor the horizons.

    Raises ModelUnavailableError, before anything is written, when a model does not fit the feature table, and
    TableError when there is no feature table.
    """
    features = lakehouse.read(names.SENSOR_FEATURES)
    require_fitting(models.packages, features.columns, settings)
    table = predictions_table(features.columns, settings)
    version = lakehouse.version(names.SENSOR_FEATURES)
    assert version is not None  # `read` has found the table
    counts = lakehouse.read(names.SENSOR_FEATURES, start_day, end_day).groupBy("date").count().toArrow().to_pylist()
    weight = max(settings.forecast_horizon, cells_per_row(settings, models) // FORECASTS_PER_WIDE_ROW)
    rows_by_day = {row["date"]: row["count"] * weight for row in counts}
    wide: dict[str, int] = {}
    narrow: dict[str, int] = {}
    facts = lakehouse.made_from(names.SENSOR_FEATURES) | made_by(models, settings)
    for begin, end in commits(rows_by_day, start_day, end_day, rows_per_commit):
        grid = TaskGrid(begin, end, task_span(settings, models), look_back(models.packages, settings))
        history = feature_frame(lakehouse, grid.first_day_read, end)
        noted = facts | span_note(begin, end)
        scored = scoring_plan(history, grid, models, settings, scored_at)
        narrow.update(lakehouse.replace_days(FORECASTS, scored, begin, end, noted).rows_by_day)
        rows = batch_rows(lakehouse, primary_target(models.packages, features.columns, settings), settings, begin, end)
        wide.update(lakehouse.replace_days(table, rows, begin, end, noted).rows_by_day)
    return ScoredDays(
        uri=lakehouse.uri(table.name),
        rows_by_day=wide,
        forecasts_by_day=narrow,
        quality_by_day=quality_by_day(lakehouse, start_day, end_day),
        versions=dict(models.versions),
        feature_version=version.version,
    )


def forecasts_as_of(
    lakehouse: Lakehouse, models: ServingModels, start_day: date, end_day: date, as_of: datetime
) -> pl.DataFrame:
    """The rows of forecasts that scoring [start_day, end_day) at `as_of` would have written. Writes nothing.

    Bit for bit what was forecast then, however many readings came late or were corrected since.
    """
    settings = lakehouse.settings
    grid = TaskGrid(start_day, end_day, task_span(settings, models), look_back(models.packages, settings))
    history = feature_frame(lakehouse, grid.first_day_read, end_day, as_of)
    scored = pl.DataFrame(pl.from_arrow(scoring_plan(history, grid, models, settings, as_of).toArrow()))
    return scored.with_columns(pl.col(pl.Datetime).dt.convert_time_zone("UTC")).sort(*KEYS, "target", "horizon")


def cells_per_row(settings: Settings, models: ServingModels) -> int:
    """Forecasts of one feature row: targets and labels times horizons."""
    targets = len(served_targets(models.packages, [settings.target_col], settings)) + len(settings.labels)
    return targets * len(settings.horizons)


def task_span(settings: Settings, models: ServingModels) -> timedelta:
    """Time of one task, in whole hours: the more forecasts a feature row gives, the fewer days fit.

    Never under the look-back, so that at most half of what a task reads is history.
    """
    hour = timedelta(hours=1)
    share = timedelta(days=settings.task_days) // max(cells_per_row(settings, models) // FORECASTS_PER_WIDE_ROW, 1)
    wanted = max(share, look_back(models.packages, settings), hour)
    return -(-wanted // hour) * hour


def scoring_plan(
    features: DataFrame, grid: TaskGrid, models: ServingModels, settings: Settings, scored_at: datetime
) -> DataFrame:
    """The unevaluated Spark frame of the rows of `forecasts` in the days of `grid`."""
    from pyspark.sql import functions as F

    # PySpark lists all columns of a batch once per column before it calls a grouped function (`worker.py`, 4.2.0): with
    # hundreds of columns that costs more than some models. As one struct, they are one column.
    row = F.struct(*columns_read(models, settings, features.columns)).alias("row")
    tasks = grid.assign(features, "timestamp").select("system_id", "task", row).groupBy("system_id", "task")
    return tasks.applyInArrow(scorer(grid, models, settings, scored_at), spark_schema(FORECASTS))


def scorer(
    grid: TaskGrid, models: ServingModels, settings: Settings, scored_at: datetime
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
        return to_spark_arrow(scored, FORECASTS)

    return score


def batch_rows(lakehouse: Lakehouse, target: str, settings: Settings, start_day: date, end_day: date) -> DataFrame:
    """Rows of batch_predictions of these days: each feature row beside the stored forecasts of the primary target."""
    from pyspark.sql import functions as F

    features = lakehouse.read(names.SENSOR_FEATURES, start_day, end_day)
    forecasts = lakehouse.read(names.FORECASTS, start_day, end_day).where(F.col("horizon") <= settings.forecast_horizon)
    wanted = batch_predictions_table(Table("", (), "")).column_names
    primary = forecasts.where(F.col("target") == target).withColumnRenamed("target", "target_col")
    certain = forecasts.where((F.col("target") == OPTIMAL) & (F.col("prediction_quality") == "ok"))
    keys = [*KEYS, "horizon"]
    optimal = certain.select(*keys, F.col("ensemble_avg").alias("lightgbm_optimal_probability"))
    own = [F.col(name) for name in wanted if name != "lightgbm_optimal_probability"]
    joined = primary.select(*KEYS, *own).join(optimal, keys, "left").join(features, list(KEYS))
    return joined.select(*features.columns, *wanted)


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
