"""Scoring where the rows are gives what scoring everything at once gives, and replaces only its days."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from hydro_assets.errors import ModelUnavailableError
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.scoring.members import ServingModels
from hydro_assets.scoring.score_system import score_system
from hydro_assets.scoring.scoring_job import predictions_table, score_days, scorer, task_span
from hydro_assets.scoring.task_grid import TaskGrid
from hydro_assets.settings import Settings
from hydro_assets.tables import FORECASTS, sensor_features_table
from hydro_assets_tests.builders.stand_ins import DAY, WindowMean, feature_rows

TABLE = sensor_features_table(timedelta(minutes=1), ["ph_level", "tds_level"], [])
NOW = datetime(2024, 3, 5, tzinfo=UTC)
MODELS = ServingModels(
    {"lstm": WindowMean(), "gru": WindowMean(0.3), "lightgbm": WindowMean(0.6, labels=("is_env_optimal",))},
    {"lstm": "1", "gru": "1", "lightgbm": "1"},
)
FIRST, LAST = date(2024, 3, 1), date(2024, 3, 4)  # half-open: three days


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(sequence_length=5, forecast_horizon=2, lead_times=(), days_per_task=1)


def three_nights() -> pl.DataFrame:
    """Three nights with small holes: a steady system, one with a gap of a day and more, a new one of ten readings."""
    nights = [m for m in range(3 * 1440) if not 200 <= m % 1440 < 1300]
    return pl.concat(
        [
            feature_rows([m for m in nights if m % 37 > 2], system="steady"),
            feature_rows([m for m in nights if not 150 <= m < 2900], system="gapped"),
            feature_rows(list(range(2880, 2890)), system="new"),
        ]
    )


@pytest.fixture
def filled(lakehouse: Lakehouse) -> Lakehouse:
    lakehouse.replace_days(TABLE, three_nights(), FIRST, LAST)
    return lakehouse


KEYS = ["system_id", "timestamp", "target", "horizon"]


def forecasts(lakehouse: Lakehouse) -> pl.DataFrame:
    return lakehouse.read_polars("predictions.forecasts").sort(KEYS)


def predictions(lakehouse: Lakehouse) -> pl.DataFrame:
    return lakehouse.read_polars("predictions.batch_predictions").sort("system_id", "timestamp", "horizon")


def reference(settings: Settings, models: ServingModels = MODELS) -> pl.DataFrame:
    """Each system's whole history in one call."""
    start, end = DAY, DAY + timedelta(days=3)
    systems = [
        score_system(system, models.packages, models.versions, settings, start, end, NOW)
        for _, system in three_nights().sort("system_id", "timestamp").group_by("system_id", maintain_order=True)
    ]
    return pl.concat(systems).sort(KEYS)


def test_scored_days__equal_the_single_process_reference(filled: Lakehouse, settings: Settings) -> None:
    facts = score_days(filled, settings, MODELS, FIRST, LAST, NOW, rows_per_commit=6000)
    expected = reference(settings)
    assert forecasts(filled).select(expected.columns).equals(expected)
    assert sum(facts.forecasts_by_day.values()) == expected.height
    assert facts.versions == MODELS.versions


def test_batch_predictions__are_the_forecasts_of_the_primary_target_beside_every_feature(
    filled: Lakehouse, settings: Settings
) -> None:
    facts = score_days(filled, settings, MODELS, FIRST, LAST, NOW)
    wide = predictions(filled)
    assert wide.height == facts.rows == 2 * three_nights().height
    assert wide.columns == predictions_table(three_nights().columns, settings).column_names
    shared = [c for c in wide.columns if c in FORECASTS.column_names]
    narrow = forecasts(filled).filter(target="ph_level").sort("system_id", "timestamp", "horizon")
    assert wide.select(shared).equals(narrow.select(shared))
    assert wide["target_col"].unique().to_list() == ["ph_level"]
    given = three_nights().sort("system_id", "timestamp").select("system_id", "timestamp", "tds_level")
    assert wide.filter(horizon=1).select(given.columns).equals(given)
    assert wide["lightgbm_optimal_probability"].unique().to_list() == [0.75]
    last_day = wide.filter(pl.col("date") == date(2024, 3, 3))["prediction_quality"].value_counts()
    assert facts.quality_by_day["2024-03-03"] == dict(last_day.iter_rows())


def test_probability_of_a_label_with_one_class__stays_out_of_batch_predictions(
    filled: Lakehouse, settings: Settings
) -> None:
    unsure = WindowMean(labels=("is_env_optimal",), label_quality="one_class")
    score_days(filled, settings, ServingModels({"lightgbm": unsure}, {"lightgbm": "1"}), FIRST, LAST, NOW)
    assert predictions(filled)["lightgbm_optimal_probability"].unique().to_list() == [None]
    marked = forecasts(filled).filter(target="is_env_optimal")
    assert marked.select("ensemble_avg", "prediction_quality").unique().rows() == [(0.75, "one_class")]


def test_single_days__give_what_the_range_gives(filled: Lakehouse, settings: Settings) -> None:
    for day in (3, 1, 2):
        score_days(filled, settings, MODELS, date(2024, 3, day), date(2024, 3, day + 1), NOW)
    expected = reference(settings)
    assert forecasts(filled).select(expected.columns).equals(expected)


def test_new_version__changes_only_the_days_it_scores(filled: Lakehouse, settings: Settings) -> None:
    score_days(filled, settings, MODELS, FIRST, LAST, NOW)
    before = predictions(filled)
    newer = ServingModels({**MODELS.packages, "lstm": WindowMean(0.1)}, {**MODELS.versions, "lstm": "2"})
    score_days(filled, settings, newer, date(2024, 3, 2), date(2024, 3, 3), NOW)
    after = predictions(filled)
    versions = dict(after.select("date", "lstm_version").unique().iter_rows())
    assert versions == {FIRST: "1", date(2024, 3, 2): "2", date(2024, 3, 3): "1"}
    other_days = pl.col("date") != date(2024, 3, 2)
    assert after.filter(other_days).equals(before.filter(other_days))


def test_misfit__stops_before_anything_is_written(filled: Lakehouse, settings: Settings) -> None:
    score_days(filled, settings, MODELS, FIRST, LAST, NOW)
    version = filled.version("predictions.batch_predictions")
    with pytest.raises(ModelUnavailableError, match="ec_level"):
        score_days(filled, settings, ServingModels({"gru": WindowMean(features=("ec_level",))}, {}), FIRST, LAST, NOW)
    assert filled.version("predictions.batch_predictions") == version


@dataclass(frozen=True)
class Breaking(WindowMean):
    """Fits, and fails where the rows are."""

    def predict(self, frame: pl.DataFrame, start: datetime | None = None, end: datetime | None = None) -> pl.DataFrame:
        raise ModelUnavailableError("weights.pt is damaged", "Serve another version")


def test_model_that_fails_on_a_worker__leaves_the_previous_predictions(filled: Lakehouse, settings: Settings) -> None:
    score_days(filled, settings, MODELS, FIRST, LAST, NOW)
    before = predictions(filled)
    with pytest.raises(Exception, match=r"weights.pt is damaged. Serve another version"):
        score_days(filled, settings, ServingModels({"gru": Breaking()}, {"gru": "2"}), FIRST, LAST, NOW)
    assert predictions(filled).equals(before)


def test_days_without_models__are_served_by_the_baseline(filled: Lakehouse, settings: Settings) -> None:
    facts = score_days(filled, settings, ServingModels({}, {}), FIRST, date(2024, 3, 2), NOW)
    assert set(facts.quality_by_day["2024-03-01"]) == {"fallback"}


def test_days_without_features__are_empty(filled: Lakehouse, settings: Settings) -> None:
    assert score_days(filled, settings, MODELS, date(2024, 5, 1), date(2024, 5, 3), NOW).rows == 0


def test_task_span__shrinks_with_the_number_of_forecasts(make_settings: Callable[..., Settings]) -> None:
    few, many = make_settings(lead_times=()), make_settings(lead_times=(), forecast_horizon=1440)
    assert task_span(few, MODELS) == timedelta(days=7)
    assert task_span(many, MODELS) == timedelta(hours=1)


def test_shipped_function__carries_no_secret(make_settings: Callable[..., Settings]) -> None:
    from pyspark import cloudpickle

    settings = make_settings(
        webhook_url="https://alerts.example/canary-7f3a",
        step_launcher={"token": "canary-7f3a"},
        spark_remote="sc://host;token=canary-7f3a",
        mlflow_tracking_uri="https://u:canary-7f3a@host",
    )
    grid = TaskGrid(FIRST, LAST, timedelta(days=1), timedelta(minutes=9))
    shipped = cloudpickle.dumps(scorer(grid, MODELS, settings, NOW))
    assert b"canary-7f3a" not in shipped
