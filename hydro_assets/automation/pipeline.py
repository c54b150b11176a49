"""`hydro run`: features, models, predictions of every Gold day, as three Dagster runs in the order of the data."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from hydro_assets.assets.gold import IOT_DATA
from hydro_assets.assets.partitions import first_day
from hydro_assets.automation.attempts import REFRESH_JOB
from hydro_assets.automation.jobs import SCORE_JOB, TRAIN_JOB
from hydro_assets.automation.local_run import dagster_instance, run_job
from hydro_assets.feature_store.build import feature_span
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.settings import Settings


def run_pipeline(settings: Settings, report: Callable[[str], None]) -> None:
    """Materialise every asset for all days of Gold. Raises RunFailedError when a run ends red."""
    from hydro_assets.definitions import build_definitions

    lakehouse = Lakehouse(settings)
    days = lakehouse.days("gold.iot_data")
    first, end = feature_span(lakehouse)
    # The partitions end today: a wall clock that runs ahead has no day there yet.
    span = (max(first, first_day(settings)), min(end, datetime.now(UTC).date() + timedelta(days=1)))
    defs = build_definitions(settings)
    tags = {"hydro/trigger": "hydro_run"}
    with dagster_instance(settings) as instance:
        report_gold(instance, lakehouse, days)
        report(f"1/3 features of {span[0]} .. {span[1] - timedelta(days=1)}")
        run_job(defs.resolve_job_def(REFRESH_JOB), instance, span, tags)
        report("2/3 models: lstm, gru, lightgbm")
        run_job(defs.resolve_job_def(TRAIN_JOB), instance, None, tags)
        report("3/3 predictions and what follows from them")
        run_job(defs.resolve_job_def(SCORE_JOB), instance, span, tags)


def report_gold(instance: dg.DagsterInstance, lakehouse: Lakehouse, days: list[date]) -> None:
    """Tell Dagster which Gold days are there, in which version: Gold is filled outside of it."""
    version = lakehouse.version("gold.iot_data")
    assert version is not None
    counts = lakehouse.read("gold.iot_data").groupBy("date").count().toArrow().to_pylist()
    rows = {r["date"]: r["count"] for r in counts}
    for day in days:
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                IOT_DATA,
                partition=day.isoformat(),
                metadata={"dagster/partition_row_count": rows[day], "delta_version": version.version},
                tags={
                    "dagster/data_version": f"{version.table_id}-{version.version}",
                    "dagster/data_version_is_user_provided": "true",
                },
            )
        )
