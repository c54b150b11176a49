"""The refresh job on a small farm: the broken day stops, the others are built, and every number is explained."""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta

import dagster as dg
import polars as pl
import pytest

from hydro_assets.defs.keys import FEATURES_CURRENT, FEATURES_FIT, READINGS_FIT, TRAINING_WINDOW_CLEAN
from hydro_assets.settings import Settings
from hydro_assets.tables import GOLD_IOT_DATA
from hydro_assets_tests.builders.gold_rows import gold_rows
from hydro_assets_tests.builders.graph_farm import GraphFarm

FIRST = date(2026, 1, 5)
DAYS = [FIRST + timedelta(days=i) for i in range(3)]


class GatedFarm(GraphFarm):
    def land(self, rows: pl.DataFrame) -> None:
        self.lakehouse.append(GOLD_IOT_DATA, rows)

    def replace(self, day: date, rows: pl.DataFrame) -> None:
        self.lakehouse.replace_days(GOLD_IOT_DATA, rows, day, day + timedelta(days=1))

    def refresh(self, first: date, last: date) -> bool:
        if first == last:
            return self.run("refresh_sensor_features", partition_key=str(first))
        tags = {
            "dagster/asset_partition_range_start": str(first),
            "dagster/asset_partition_range_end": str(last),
        }
        return self.run("refresh_sensor_features", tags=tags)

    def latest(self, key: dg.AssetCheckKey, day: date | None = None) -> dg.AssetCheckEvaluation:
        history = self.instance.event_log_storage.get_asset_check_execution_history(key, limit=50)
        wanted = None if day is None else str(day)
        found = next(r.event.asset_check_evaluation for r in history if r.partition == wanted and r.event)
        assert found is not None
        return found

    def health(self) -> dict[str, dg.AssetCheckEvaluation]:
        self.run("check_health")
        keys = self.defs.resolve_job_def("check_health").asset_layer.asset_graph.asset_check_keys
        return {f"{k.asset_key.path[-1]}:{k.name}": self.latest(k) for k in keys}


@pytest.fixture
def farm(make_settings: Callable[..., Settings]) -> Iterator[GatedFarm]:
    settings = make_settings(feature_step="10min", max_gap="30min", partitions_start=FIRST, minimum_records=100)
    with dg.DagsterInstance.ephemeral() as instance:
        yield GatedFarm(settings, instance)


def readings(bad_share: float = 0.01) -> pl.DataFrame:
    start = datetime.combine(FIRST, datetime.min.time())
    rows = gold_rows(1, start, timedelta(days=3), timedelta(minutes=5), bad_share=bad_share)
    return rows.with_columns(system_id=pl.lit("a"))


def of_day(rows: pl.DataFrame, day: date) -> pl.DataFrame:
    return rows.filter(pl.col("date") == day)


def test_refresh__good_days_are_built_and_their_checks_tell_the_numbers(farm: GatedFarm) -> None:
    farm.land(readings())
    assert farm.refresh(DAYS[0], DAYS[2])
    told = farm.latest(READINGS_FIT, DAYS[1])
    assert "readings on 2026-01-06" in str(told.metadata["findings"])
    fit = farm.latest(FEATURES_FIT, DAYS[1])
    assert fit.passed
    assert "one per system and step" in str(fit.description)
    assert fit.target_materialization_data is not None


def test_refresh__a_day_in_another_unit_stops_and_builds_nothing(farm: GatedFarm) -> None:
    rows = readings()
    farm.land(rows)
    farm.refresh(DAYS[0], DAYS[2])
    before = farm.lakehouse.version("feature_store.sensor_features")
    fahrenheit = pl.col("air_temperature") * 1.8 + 32
    farm.replace(DAYS[1], of_day(rows, DAYS[1]).with_columns(fahrenheit.alias("air_temperature")))
    assert not farm.refresh(DAYS[1], DAYS[1])
    told = farm.latest(READINGS_FIT, DAYS[1])
    assert told.severity == dg.AssetCheckSeverity.ERROR
    assert "air_temperature cells lie outside -20 .. 60 degC" in str(told.description)
    assert farm.lakehouse.version("feature_store.sensor_features") == before
    assert farm.refresh(DAYS[2], DAYS[2])
    assert not farm.latest(READINGS_FIT, DAYS[1]).passed


def test_refresh__bad_cells_warn_and_stop_nothing(farm: GatedFarm) -> None:
    farm.land(readings(bad_share=0.2))
    assert farm.refresh(DAYS[0], DAYS[2])
    told = farm.latest(READINGS_FIT, DAYS[0])
    assert (told.passed, told.severity) == (False, dg.AssetCheckSeverity.WARN)


def test_health__every_check_of_a_small_old_farm_says_what_it_found(farm: GatedFarm) -> None:
    farm.land(readings())
    farm.refresh(DAYS[0], DAYS[2])
    told = farm.health()
    assert told["iot_data:enough_history"].passed
    assert told["iot_data:cadence_fits_grid"].passed
    assert told["iot_data:sensors_complete"].severity == dg.AssetCheckSeverity.WARN
    assert "days behind" in str(told["iot_data:iot_data_arrived"].description)
    assert "predictions.batch_predictions has no rows" in str(
        told["batch_predictions:batch_predictions_arrived"].description
    )
    assert told[f"sensor_features:{FEATURES_CURRENT.name}"].passed


def test_training_gate__too_few_readings_stop_the_training_job(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(feature_step="10min", max_gap="30min", partitions_start=FIRST)
    with dg.DagsterInstance.ephemeral() as instance:
        farm = GatedFarm(settings, instance)
        farm.land(readings())
        assert farm.refresh(DAYS[0], DAYS[2])
        warned = farm.latest(TRAINING_WINDOW_CLEAN)
        assert not farm.run("train_models")
        told = farm.latest(TRAINING_WINDOW_CLEAN)
    assert (warned.passed, warned.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert told.severity == dg.AssetCheckSeverity.ERROR
    assert "the features stand on 864 readings, fewer than 1,000" in str(told.description)
