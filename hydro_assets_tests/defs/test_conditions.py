"""Predictions follow features. Days are numbered from 2026-01-01."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from hydro_assets.defs.checks.results import check_days
from hydro_assets.defs.conditions import follow_any_day, follow_features
from hydro_assets.defs.keys import FEATURES_FIT, SENSOR_FEATURES
from hydro_assets.quality import Finding
from hydro_assets_tests.builders.watched_farm import day

MODEL, PREDICTIONS, OUTLOOK = dg.AssetKey("model"), dg.AssetKey("predictions"), dg.AssetKey("outlook")
DAYS = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-01-11")


@dataclass
class Graph:
    instance: dg.DagsterInstance
    bad_days: set[str] = field(default_factory=set)
    cursor: Any = None

    def __post_init__(self) -> None:
        graph = self

        @dg.asset(key=SENSOR_FEATURES, partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
        def features() -> dg.MaterializeResult:
            return dg.MaterializeResult()

        @dg.asset_check(asset=features, name=FEATURES_FIT.name, blocking=True, partitions_def=DAYS)
        def fit(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
            return check_days(
                context,
                FEATURES_FIT,
                lambda d: [Finding("fit", d.isoformat() not in graph.bad_days, "error", f"day {d.day}")],
            )

        @dg.asset_check(asset=features, name="training_window_clean", blocking=True)
        def training() -> dg.AssetCheckResult:
            return dg.AssetCheckResult(passed=False)

        @dg.asset(key=MODEL)
        def model() -> None: ...

        @dg.asset(
            key=PREDICTIONS,
            deps=[features, model],
            partitions_def=DAYS,
            backfill_policy=dg.BackfillPolicy.single_run(),
            automation_condition=follow_features(),
        )
        def predictions() -> dg.MaterializeResult:
            return dg.MaterializeResult()

        @dg.asset(key=OUTLOOK, deps=[predictions], automation_condition=follow_any_day(PREDICTIONS))
        def outlook() -> None: ...

        features_job = dg.define_asset_job(
            "refresh",
            dg.AssetSelection.assets(features).without_checks() | dg.AssetSelection.checks(FEATURES_FIT),
        )
        gate_job = dg.define_asset_job("gate", dg.AssetSelection.checks(training))
        self.defs = dg.Definitions(
            assets=[features, model, predictions, outlook], asset_checks=[fit, training], jobs=[features_job, gate_job]
        )

    def build(self, first: int, last: int) -> None:
        job = self.defs.resolve_job_def("refresh")
        if first == last:
            job.execute_in_process(instance=self.instance, partition_key=str(day(first)), raise_on_error=False)
            return
        tags = {
            "dagster/asset_partition_range_start": str(day(first)),
            "dagster/asset_partition_range_end": str(day(last)),
        }
        job.execute_in_process(instance=self.instance, tags=tags, raise_on_error=False)

    def materialize(self, key: dg.AssetKey, *days: int) -> None:
        for partition in [str(day(n)) for n in days] or [None]:
            self.instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=partition))

    def tick(self, key: dg.AssetKey = PREDICTIONS) -> list[int]:
        """Days of `key` that are asked for; 0 for an unpartitioned asset."""
        result = dg.evaluate_automation_conditions(
            self.defs, self.instance, cursor=self.cursor, evaluation_time=datetime(2026, 1, 10, tzinfo=UTC)
        )
        self.cursor = result.cursor
        asked = result.get_requested_partitions(key)
        return sorted(int(p[-2:]) if p else 0 for p in asked)


@pytest.fixture
def graph() -> Iterator[Graph]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Graph(instance)


def test_follow_features__days_that_were_built_before_the_first_look_are_scored(graph: Graph) -> None:
    graph.build(2, 4)
    assert graph.tick() == [2, 3, 4]
    assert graph.tick() == []


def test_follow_features__a_rebuilt_old_day_is_scored_again(graph: Graph) -> None:
    graph.build(1, 5)
    graph.tick()
    graph.materialize(PREDICTIONS, 1, 2, 3, 4, 5)
    graph.tick()
    graph.build(2, 2)
    assert graph.tick() == [2]


def test_follow_features__a_broken_day_in_a_range_is_not_scored_and_the_others_are(graph: Graph) -> None:
    graph.bad_days = {str(day(3))}
    graph.build(2, 5)
    assert graph.tick() == [2, 4, 5]
    graph.bad_days = set()
    graph.build(3, 3)
    assert graph.tick() == [3]


def test_follow_features__a_retrained_model_rescores_nothing(graph: Graph) -> None:
    graph.build(1, 3)
    graph.tick()
    graph.materialize(PREDICTIONS, 1, 2, 3)
    graph.tick()
    graph.materialize(MODEL)
    assert graph.tick() == []


def test_follow_features__a_red_training_gate_does_not_hold_predictions_back(graph: Graph) -> None:
    graph.build(1, 1)
    gate = graph.defs.resolve_job_def("gate")
    assert not gate.execute_in_process(instance=graph.instance, raise_on_error=False).success
    assert graph.tick() == [1]


def test_follow_features__without_features_nothing_is_asked_for(graph: Graph) -> None:
    assert graph.tick() == []


def test_follow_any_day__an_outlook_follows_each_new_prediction(graph: Graph) -> None:
    assert graph.tick(OUTLOOK) == []
    graph.materialize(PREDICTIONS, 4)
    assert graph.tick(OUTLOOK) == [0]
    assert graph.tick(OUTLOOK) == []
