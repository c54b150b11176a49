"""The watcher, one test per situation. Days are numbered from 2026-01-01; a request is written `1..5` or `3`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from hydro_assets.defs.assets.external_gold import gold_assets
from hydro_assets.defs.attempts import RANGE_END_TAG, RANGE_START_TAG, REFRESH_JOB
from hydro_assets.defs.keys import IOT_DATA, SENSOR_FEATURES
from hydro_assets.defs.partitions import feature_days
from hydro_assets.defs.sensors.gold_watcher import gold_watcher, reported_gold_sensor
from hydro_assets.lakehouse.delta_log import ChangeLog
from hydro_assets.lakehouse.warehouse_log import change_log
from hydro_assets.settings import Settings
from hydro_assets_tests.builders.watched_farm import FIRST, WatchedFarm, day


@dataclass
class Ticks:
    """Ticks of one sensor, with the cursor and the runs they leave behind."""

    sensor: dg.SensorDefinition
    repository: dg.RepositoryDefinition
    instance: dg.DagsterInstance
    cursor: str | None = None
    message: str | None = None
    events: set[str] = field(default_factory=set)
    requests: list[dg.RunRequest] = field(default_factory=list)
    seen_keys: set[str] = field(default_factory=set)

    def tick(self) -> list[str]:
        """Days asked for by this tick; requests with a run key seen before start nothing, as in Dagster."""
        context = dg.build_sensor_context(self.instance, cursor=self.cursor, repository_def=self.repository)
        evaluated = self.sensor.evaluate_tick(context)
        self.cursor = evaluated.cursor
        self.message = evaluated.skip_message
        for event in evaluated.asset_events:
            assert isinstance(event, dg.AssetMaterialization)
            self.instance.report_runless_asset_event(event)
        self.events = {str(e.partition) for e in evaluated.asset_events if isinstance(e, dg.AssetMaterialization)}
        self.requests = [r for r in evaluated.run_requests or [] if r.run_key not in self.seen_keys]
        self.seen_keys |= {str(r.run_key) for r in self.requests}
        return [_days(r) for r in self.requests]

    def start(self, status: dg.DagsterRunStatus) -> None:
        """Runs of the latest requests, in a state."""
        for request in self.requests:
            tags = dict(request.tags) | ({"dagster/partition": request.partition_key} if request.partition_key else {})
            create_run_for_test(self.instance, job_name=REFRESH_JOB, status=status, tags=tags)


def _days(request: dg.RunRequest) -> str:
    def number(text: str) -> int:
        return (date.fromisoformat(text) - FIRST).days + 1

    if request.partition_key:
        return str(number(request.partition_key))
    return f"{number(request.tags[RANGE_START_TAG])}..{number(request.tags[RANGE_END_TAG])}"


@pytest.fixture
def farm(make_settings: Callable[..., Settings]) -> WatchedFarm:
    return WatchedFarm(make_settings(partitions_start=FIRST))


def repository(settings: Settings) -> dg.RepositoryDefinition:
    @dg.asset(
        key=SENSOR_FEATURES,
        deps=[IOT_DATA],
        partitions_def=feature_days(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def features() -> None: ...

    job = dg.define_asset_job(REFRESH_JOB, dg.AssetSelection.assets(SENSOR_FEATURES))
    return dg.Definitions(assets=[*gold_assets(settings), features], jobs=[job]).get_repository_def()


@pytest.fixture
def watch(farm: WatchedFarm) -> Iterator[Ticks]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Ticks(gold_watcher(farm.settings, change_log), repository(farm.settings), instance)


def test_watcher__without_gold_says_so(watch: Ticks) -> None:
    assert watch.tick() == []
    assert "There is no table hydroponics.gold.iot_data yet" in str(watch.message)


def test_watcher__first_look_asks_for_every_day_in_one_run(farm: WatchedFarm, watch: Ticks) -> None:
    farm.land(1, 2, 3, 4)
    assert watch.tick() == ["1..4"]
    assert watch.requests[0].tags["hydro/days"] == "2026-01-01..2026-01-04"


def test_watcher__features_up_to_date_ask_for_nothing_and_say_so(farm: WatchedFarm, watch: Ticks) -> None:
    farm.land(1, 2)
    farm.build((1, 2))
    assert watch.tick() == []
    assert watch.message == "Gold v0: 2 days changed since the last look; all features are up to date"


def test_watcher__the_newest_day_alone_is_a_run_of_its_partition(farm: WatchedFarm, watch: Ticks) -> None:
    farm.land(1, 2)
    farm.build((1, 2))
    watch.tick()
    farm.land(3)
    assert watch.tick() == ["3"]


def test_watcher__late_data_reaches_its_day_and_the_look_back_of_the_next(farm: WatchedFarm, watch: Ticks) -> None:
    farm.land(1, 2, 3, 4, 5)
    farm.build((1, 5))
    watch.tick()
    farm.land(2)
    assert watch.tick() == ["2..4"]


def test_watcher__rewritten_days_far_apart_are_two_runs(farm: WatchedFarm, watch: Ticks) -> None:
    farm.land(*range(1, 11))
    farm.build((1, 10))
    watch.tick()
    farm.rewrite(2, 8)
    assert watch.tick() == ["2..4", "8..10"]


def test_watcher__optimize_asks_for_nothing(farm: WatchedFarm, watch: Ticks) -> None:
    farm.land(1)
    farm.land(1)
    farm.build((1, 1))
    watch.tick()
    farm.gold.optimize.compact()
    assert watch.tick() == []
    assert "0 days changed" in str(watch.message)


def test_watcher__a_recreated_table_is_built_anew(farm: WatchedFarm, watch: Ticks) -> None:
    farm.land(1, 2)
    farm.build((1, 2))
    watch.tick()
    farm.drop_gold()
    farm.land(1, 2)  # version 0 again, another table
    assert watch.tick() == ["1..2"]


def test_watcher__a_lost_cursor_launches_nothing_that_is_built(farm: WatchedFarm, watch: Ticks) -> None:
    farm.land(*range(1, 38))
    farm.build((1, 37))
    watch.tick()
    for lost in (None, "not json", '{"format": 0}'):
        watch.cursor = lost
        assert watch.tick() == []
        assert "37 days changed since the last look; all features are up to date" in str(watch.message)


def test_watcher__a_lost_cursor_still_finds_what_is_stale(farm: WatchedFarm, watch: Ticks) -> None:
    farm.land(1, 2, 3)
    farm.build((1, 3))
    farm.rewrite(3)
    watch.cursor = None
    assert watch.tick() == ["3"]


def test_watcher__a_gap_in_the_log_falls_back_to_all_days(farm: WatchedFarm, watch: Ticks) -> None:
    farm.land(1, 2)
    farm.build((1, 2))
    watch.tick()
    farm.land(3)
    farm.land(4)
    farm.gold.create_checkpoint()
    for version in (0, 1):
        Path(farm.uri("gold.iot_data"), "_delta_log", f"{version:020d}.json").unlink()
    assert watch.tick() == ["1..4"]


def test_watcher__a_cleaned_log_that_was_seen_before_asks_for_the_new_day_only(farm: WatchedFarm, watch: Ticks) -> None:
    farm.land(1, 2)
    farm.build((1, 2))
    watch.tick()
    farm.land(3)
    farm.gold.create_checkpoint()
    Path(farm.uri("gold.iot_data"), "_delta_log", f"{0:020d}.json").unlink()
    assert watch.tick() == ["3"]


def test_watcher__two_farms_imports_between_ticks_are_one_request_per_day(farm: WatchedFarm, watch: Ticks) -> None:
    farm.land(1, 2, 3, system="a")
    farm.land(3, 4, system="b")
    assert watch.tick() == ["1..4"]


def test_watcher__400_days_at_once_are_one_run(
    make_settings: Callable[..., Settings], watch: Ticks, farm: WatchedFarm
) -> None:
    old = WatchedFarm(make_settings(partitions_start=date(2024, 1, 1)))
    early = (date(2024, 1, 1) - FIRST).days + 1
    old.land(*range(early, early + 400))
    ticks = Ticks(gold_watcher(old.settings, change_log), repository(old.settings), watch.instance)
    assert ticks.tick() == [f"{early}..{early + 399}"]
    assert len(ticks.events) == 400


def test_watcher__days_in_progress_are_not_asked_for_again(farm: WatchedFarm, watch: Ticks) -> None:
    farm.land(1, 2)
    watch.tick()
    watch.start(dg.DagsterRunStatus.STARTED)
    farm.land(5)
    assert watch.tick() == ["5"]
    watch.start(dg.DagsterRunStatus.STARTED)
    assert watch.tick() == []
    assert "3 are being built" in str(watch.message)


def test_watcher__newer_data_than_the_run_in_progress_read_is_asked_for(farm: WatchedFarm, watch: Ticks) -> None:
    farm.land(1, 2)
    watch.tick()
    watch.start(dg.DagsterRunStatus.STARTED)
    farm.rewrite(1)
    assert watch.tick() == ["1..2"]


def test_watcher__a_broken_day_ends_up_alone_and_stops_no_other(farm: WatchedFarm, watch: Ticks) -> None:
    farm.land(1, 2, 3, 4)
    assert watch.tick() == ["1..4"]
    watch.start(dg.DagsterRunStatus.FAILURE)
    assert watch.tick() == ["1..2", "3..4"]
    farm.build((1, 2))
    watch.start(dg.DagsterRunStatus.FAILURE)  # of days 3 and 4; days 1 and 2 were built
    assert watch.tick() == ["3", "4"]
    farm.build((4, 4))
    watch.start(dg.DagsterRunStatus.FAILURE)
    assert watch.tick() == []
    assert "1 failed alone and wait for new data or a re-execution of their run: 2026-01-03" in str(watch.message)


def test_watcher__a_failed_day_is_asked_for_again_when_its_gold_is_mended(farm: WatchedFarm, watch: Ticks) -> None:
    farm.land(1)
    watch.tick()
    watch.start(dg.DagsterRunStatus.FAILURE)
    assert watch.tick() == []
    farm.rewrite(1)
    assert watch.tick() == ["1"]


def test_watcher__a_new_day_does_not_drag_a_failed_one_along(farm: WatchedFarm, watch: Ticks) -> None:
    farm.land(1)
    watch.tick()
    watch.start(dg.DagsterRunStatus.FAILURE)
    farm.land(3)
    assert watch.tick() == ["3"]


def test_watcher__features_deleted_after_a_good_run_are_built_again(farm: WatchedFarm, watch: Ticks) -> None:
    import shutil

    farm.land(1, 2)
    watch.tick()
    watch.start(dg.DagsterRunStatus.SUCCESS)
    farm.build((1, 2))
    assert watch.tick() == []
    shutil.rmtree(farm.uri("feature_store.sensor_features"))
    assert watch.tick() == ["1..2"]


def test_watcher__days_outside_the_partitions_are_told_not_asked_for(farm: WatchedFarm, watch: Ticks) -> None:
    farm.land(-3, 1)
    assert watch.tick() == ["1"]
    farm.build((1, 1))
    watch.tick()
    assert "1 lie outside the partitions (2025-12-28 .. 2025-12-28): set HYDRO_PARTITIONS_START" in str(watch.message)


def test_watcher__tells_dagster_of_changed_gold_days_with_their_data_version(farm: WatchedFarm, watch: Ticks) -> None:
    farm.land(1, 2)
    farm.build((1, 2))
    watch.tick()
    assert watch.events == {"2026-01-01", "2026-01-02"}
    farm.land(2)
    watch.tick()
    assert watch.events == {"2026-01-02"}
    newest = watch.instance.fetch_materializations(IOT_DATA, limit=1).records[0].asset_materialization
    assert newest is not None
    assert newest.tags["dagster/data_version"] == f"{farm.gold.metadata().id}-1"


def test_watcher__a_farm_east_of_greenwich_builds_the_utc_days_its_wall_clock_touches(
    make_settings: Callable[..., Settings], watch: Ticks
) -> None:
    farm = WatchedFarm(make_settings(partitions_start=FIRST, timezone="Europe/Amsterdam"))
    farm.land(3)
    ticks = Ticks(gold_watcher(farm.settings, change_log), repository(farm.settings), watch.instance)
    assert ticks.tick() == ["2..3"]


def test_reported_sensor__starts_from_now_and_then_loses_no_day(farm: WatchedFarm, watch: Ticks) -> None:
    def report(*numbers: int) -> None:
        for n in numbers:
            watch.instance.report_runless_asset_event(dg.AssetMaterialization(IOT_DATA, partition=str(day(n))))

    report(1, 2, 3, 7)
    ticks = Ticks(reported_gold_sensor(farm.settings), watch.repository, watch.instance)
    assert ticks.tick() == []
    assert "from now on" in str(ticks.message)
    report(1, 3, 7)
    assert ticks.tick() == ["1..3", "7"]


def test_reported_sensor__leaves_what_the_watcher_reports_to_the_watcher(farm: WatchedFarm, watch: Ticks) -> None:
    watch.instance.report_runless_asset_event(dg.AssetMaterialization(IOT_DATA, partition=str(day(1))))
    ticks = Ticks(reported_gold_sensor(farm.settings), watch.repository, watch.instance)
    ticks.tick()
    farm.land(1, 2)
    assert watch.tick() == ["1..2"]
    assert ticks.tick() == []


def test_watcher__through_a_warehouse_looks_less_often_while_nothing_is_new(
    make_settings: Callable[..., Settings], watch: Ticks
) -> None:
    settings = make_settings(environment="databricks", partitions_start=FIRST)
    farm = WatchedFarm(make_settings(partitions_start=FIRST))
    now, read = [0.0], []

    def log(_: Settings) -> ChangeLog:
        read.append(round(now[0] / 60))
        return change_log(farm.settings)

    ticks = Ticks(gold_watcher(settings, log, lambda: now[0]), watch.repository, watch.instance)
    for minute in range(100):
        now[0] = 60.0 * minute
        ticks.tick()
    assert read == [0, 2, 6, 14, 30, 60, 90]
    farm.land(1)
    now[0] = 60.0 * 120
    assert ticks.tick() == ["1"]
    now[0] += 60
    ticks.tick()
    assert read[-2:] == [120, 121]


def test_first_look__does_not_report_again_what_a_run_reported(watch: Ticks, farm: WatchedFarm) -> None:
    farm.land(1, 2)
    version = f"{farm.gold.metadata().id}-{farm.gold.version()}"
    for n in (1, 2):
        tags = {"dagster/data_version": version, "dagster/data_version_is_user_provided": "true"}
        watch.instance.report_runless_asset_event(
            dg.AssetMaterialization(IOT_DATA, partition=day(n).isoformat(), tags=tags)
        )
    farm.land(3)
    watch.tick()
    assert watch.events == {day(3).isoformat()}
    farm.land(2)
    watch.tick()
    assert watch.events == {day(2).isoformat()}
