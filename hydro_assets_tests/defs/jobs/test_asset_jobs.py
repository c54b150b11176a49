from __future__ import annotations

from collections.abc import Callable
from datetime import date

import dagster as dg
import pytest

from hydro_assets.defs.assets import all_assets
from hydro_assets.defs.automation import all_automation
from hydro_assets.defs.checks import all_checks
from hydro_assets.defs.keys import READINGS_FIT, SENSOR_FEATURES, TRAINING_WINDOW_CLEAN
from hydro_assets.defs.resources.by_environment import resources
from hydro_assets.settings import Settings


@pytest.fixture
def defs(make_settings: Callable[..., Settings]) -> dg.Definitions:
    settings = make_settings(partitions_start=date(2026, 1, 1))
    jobs, schedules, sensors = all_automation(settings)
    return dg.Definitions(
        assets=all_assets(settings),
        asset_checks=all_checks(settings),
        jobs=jobs,
        schedules=schedules,
        sensors=sensors,
        resources=resources(settings),
    )


def nodes(defs: dg.Definitions, job: str) -> set[str]:
    layer = defs.resolve_job_def(job).asset_layer
    checks = {f"{k.asset_key.to_user_string()}:{k.name}" for k in layer.asset_graph.asset_check_keys}
    return {k.to_user_string() for k in layer.executable_asset_keys} | checks


def text(key: dg.AssetCheckKey) -> str:
    return f"{key.asset_key.to_user_string()}:{key.name}"


def test_refresh_job__leaves_no_check_of_the_features_older_than_they_are(defs: dg.Definitions) -> None:
    checks = {text(k) for k in defs.resolve_asset_graph().asset_check_keys if k.asset_key == SENSOR_FEATURES}
    assert text(TRAINING_WINDOW_CLEAN) in checks
    assert nodes(defs, "refresh_sensor_features") == {
        SENSOR_FEATURES.to_user_string(),
        text(READINGS_FIT),
        *checks,
    }


def test_train_job__is_gated_by_the_training_window_and_builds_no_features(defs: dg.Definitions) -> None:
    found = nodes(defs, "train_models")
    assert text(TRAINING_WINDOW_CLEAN) in found
    assert SENSOR_FEATURES.to_user_string() not in found
    assert len([n for n in found if n.startswith("models/") and ":" not in n]) == 3


def test_health_job__holds_no_partitioned_check(defs: dg.Definitions) -> None:
    assert defs.resolve_job_def("check_health").partitions_def is None


def test_definitions__offer_promotion_and_rollback_as_jobs(defs: dg.Definitions) -> None:
    assert {"promote_models", "roll_back_models"} <= {job.name for job in defs.get_repository_def().get_all_jobs()}


def test_all_automation__everything_that_should_run_is_running(defs: dg.Definitions) -> None:
    sensors = [s for s in defs.sensors or [] if isinstance(s, dg.SensorDefinition)]
    # The alternative to the watcher: with both, each day would be built twice.
    assert {s.name for s in sensors if s.default_status.value != "RUNNING"} == {"gold_iot_data_reported"}
    assert {s.name for s in sensors} >= {
        "gold_iot_data_watcher",
        "score_when_features_change",
        "alert_run_failure",
        "alert_check_failure",
    }
    schedules = [s for s in defs.schedules or [] if isinstance(s, dg.ScheduleDefinition)]
    assert {s.default_status.value for s in schedules} == {"RUNNING"}
    assert {s.name for s in schedules} >= {"weekly_training", "hourly_health"}


def test_all_automation__no_condition_is_left_to_the_implicit_sensor_that_is_off(defs: dg.Definitions) -> None:
    assert not defs.get_repository_def().has_sensor_def("default_automation_condition_sensor")


def test_all_automation__every_name_says_what_it_does(defs: dg.Definitions) -> None:
    for thing in [*(defs.sensors or []), *(defs.schedules or [])]:
        assert thing.description, thing.name
