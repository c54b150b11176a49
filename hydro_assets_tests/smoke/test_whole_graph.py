"""The whole graph on a small simulated farm: Gold to predictions, and again."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, date, datetime

import dagster as dg
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from hydro_assets.defs.attempts import REFRESH_JOB
from hydro_assets.defs.jobs.asset_jobs import SCORE_JOB
from hydro_assets.defs.keys import SENSOR_FEATURES
from hydro_assets.defs.local_run import dagster_instance, run_job
from hydro_assets.defs.wiring import build_definitions
from hydro_assets.errors import ModelUnavailableError
from hydro_assets.pipeline.gold import add_readings
from hydro_assets.pipeline.scoring import batch_inference
from hydro_assets.pipeline.status import next_step
from hydro_assets.registry import registered_model
from hydro_assets.registry.registered_model import RegisteredModel
from hydro_assets.simulator.faults import Faults
from hydro_assets.simulator.greenhouse import simulate
from hydro_assets.tables import MODELS
from hydro_assets_tests.smoke.conftest import Farm

pytestmark = pytest.mark.smoke
DAY = (date(2026, 3, 4), date(2026, 3, 5))
KEYS = ["system_id", "timestamp", "horizon"]


def predictions(farm: Farm) -> pl.DataFrame:
    return farm.lakehouse.read_polars("predictions.batch_predictions").sort(KEYS)


def test_status__knows_that_nothing_is_left_to_do(farm: Farm) -> None:
    assert "everything is up to date" in next_step(farm.lakehouse)


def test_every_feature_row__is_predicted_or_says_why_not(farm: Farm) -> None:
    features = farm.lakehouse.read_polars("feature_store.sensor_features")
    scored = predictions(farm)
    assert scored.height == features.height
    assert scored.select(KEYS).is_unique().all()
    assert scored.filter(pl.col("prediction_quality") == "ok")["ensemble_avg"].null_count() == 0
    assert scored.filter(pl.col("ensemble_avg").is_null())["prediction_quality"].is_in(["ok"]).sum() == 0
    assert (scored["prediction_quality"] == "ok").mean() > 0.5


def test_predictions__are_in_units_of_ph_and_for_the_next_step(farm: Farm) -> None:
    ok = predictions(farm).filter(pl.col("prediction_quality") == "ok")
    assert ok["ensemble_avg"].is_between(4, 9).all()
    assert ((ok["prediction_for"] - ok["timestamp"]).dt.total_seconds() == 60).all()
    mean = ok.select(pl.mean_horizontal(f"{m}_prediction" for m in MODELS)).to_series()
    assert (ok["ensemble_avg"] - mean).abs().max() < 1e-9  # type: ignore[operator]


def test_newest_row_of_each_system__is_predicted_for_a_time_that_has_not_come(farm: Farm) -> None:
    newest = predictions(farm).group_by("system_id").agg(pl.all().sort_by("timestamp").last())
    truth = (
        farm.lakehouse.read_polars("feature_store.sensor_features").group_by("system_id").agg(pl.col("timestamp").max())
    )
    joined = newest.join(truth, on="system_id", suffix="_known")
    assert (joined["prediction_for"] > joined["timestamp_known"]).all()


def test_every_sensor__is_forecast_at_every_lead_time_up_to_six_hours(farm: Farm) -> None:
    rows = farm.lakehouse.read_polars("predictions.forecasts")
    features = farm.lakehouse.read_polars("feature_store.sensor_features")
    cells = rows.group_by("target", "lead_minutes").len()
    targets = {"ph_level", "tds_level", "air_temperature", "air_humidity", "is_env_optimal"}
    assert set(cells.select("target", "lead_minutes").rows()) == {
        (t, m) for t in targets for m in (1.0, 15.0, 60.0, 360.0)
    }
    assert cells["len"].unique().to_list() == [features.height]
    wide = rows.filter(target="ph_level", horizon=1).sort("system_id", "timestamp")["ensemble_avg"]
    assert wide.equals(predictions(farm)["ensemble_avg"])


def test_outlook__has_a_row_per_system_and_target_with_honest_probabilities(farm: Farm) -> None:
    outlook = farm.lakehouse.read_polars("predictions.system_outlook")
    assert outlook.height == 2 * 4
    assert outlook["lead_minutes"].unique().to_list() == [360.0]
    for window in ("1h", "6h"):
        assert outlook[f"leaving_probability_{window}"].is_between(0, 1).all()
    inside = outlook.filter("is_in_band")
    assert (inside["leaving_probability_1h"] <= inside["leaving_probability_6h"]).all()
    assert inside.filter(pl.col("minutes_to_leaving") < 360)["leaving_probability_6h"].ge(0.5).all()


def test_accuracy__tells_rows_that_were_learned_from_apart(farm: Farm) -> None:
    rows = farm.lakehouse.read_polars("predictions.prediction_accuracy").filter(system_id="all", model="ensemble")
    assert set(rows["is_in_training"]) == {True, False}
    assert set(rows.filter(~pl.col("is_in_training"))["target"]) >= {"ph_level", "tds_level"}
    best = rows.select(pl.min_horizontal("persistence_mae", "short_mean_mae", "same_time_yesterday_mae")).to_series()
    assert rows["baseline_mae"].equals(best, check_names=False)


def test_second_import__changes_nothing(farm: Farm) -> None:
    before = farm.lakehouse.version("gold.iot_data")
    start, end = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 5, tzinfo=UTC)
    again = add_readings(farm.lakehouse, simulate(2, start, end, seed=7, faults=Faults()))
    assert (again.added, farm.lakehouse.version("gold.iot_data")) == (0, before)


def test_day_scored_and_built_again__has_the_same_rows(farm: Farm) -> None:
    features, scored = farm.lakehouse.read_polars("feature_store.sensor_features"), predictions(farm)
    defs = build_definitions(farm.settings)
    with dagster_instance(farm.settings) as instance:
        run_job(defs.resolve_job_def(REFRESH_JOB), instance, DAY)
        run_job(defs.resolve_job_def(SCORE_JOB), instance, DAY)
    order = ["system_id", "timestamp"]
    again = farm.lakehouse.read_polars("feature_store.sensor_features").sort(order)
    assert_frame_equal(again, features.sort(order), abs_tol=1e-9, rel_tol=1e-9)
    assert_frame_equal(
        predictions(farm).drop("inference_timestamp"), scored.drop("inference_timestamp"), abs_tol=1e-6, rel_tol=1e-6
    )


@pytest.mark.parametrize("kind", MODELS)
def test_registered_model__predicts_the_same_ph_in_a_fresh_process(farm: Farm, kind: str) -> None:
    version = RegisteredModel(farm.settings, kind).serving_version()
    assert version is not None
    frame = farm.lakehouse.read_polars("feature_store.sensor_features", *DAY).sort("system_id", "timestamp").head(120)
    here = (
        RegisteredModel(farm.settings, kind)
        .load(version)
        .predict(frame)
        .filter(target="ph_level")["prediction"]
        .to_list()
    )
    path = farm.settings.root / f"frame_{kind}.parquet"
    frame.write_parquet(path)
    code = (
        "import json, polars as pl\n"
        "from hydro_assets.settings_sources import load_settings\n"
        "from hydro_assets.registry.registered_model import RegisteredModel\n"
        f"package = RegisteredModel(load_settings(), {kind!r}).load({version!r})\n"
        f"forecasts = package.predict(pl.read_parquet({str(path)!r})).filter(target='ph_level')\n"
        "print(json.dumps(forecasts['prediction'].to_list()))"
    )
    environment = {"HYDRO_HOME": str(farm.settings.root), "PATH": "/usr/bin:/bin", "HOME": str(farm.settings.root)}
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    there = json.loads(out.stdout.splitlines()[-1])
    assert here == pytest.approx(there, abs=1e-6, nan_ok=True)
    assert all(4 < value < 9 for value in there if value is not None)


def test_history__is_there_for_the_ui(farm: Farm) -> None:
    with dagster_instance(farm.settings) as instance:
        event = instance.get_latest_materialization_event(SENSOR_FEATURES)
        assert event is not None
        assert event.asset_materialization is not None
        assert {
            "dagster/row_count",
            "gold_version",
            "dagster/column_lineage",
        } <= event.asset_materialization.metadata.keys()
        days = instance.get_materialized_partitions(dg.AssetKey(["gold", "iot_data"]))
    assert days == {"2026-03-02", "2026-03-03", "2026-03-04"}


def test_damaged_champion__stops_scoring_and_leaves_the_predictions(farm: Farm) -> None:
    version = RegisteredModel(farm.settings, "lightgbm").serving_version()
    assert version is not None
    before = predictions(farm)
    files = list((farm.settings.root / "mlflow" / "artifacts").rglob("*.lgb"))
    whole = {path: path.read_bytes() for path in files}
    try:
        for path in files:
            path.write_bytes(b"damaged")
        registered_model._download.cache_clear()
        with pytest.raises(ModelUnavailableError, match="damaged or incomplete"):
            batch_inference(farm.lakehouse, *DAY, datetime.now(UTC))
    finally:
        for path, content in whole.items():
            path.write_bytes(content)
        registered_model._download.cache_clear()
    assert files
    assert_frame_equal(predictions(farm), before)
