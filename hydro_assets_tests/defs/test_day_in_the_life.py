"""Gold changes, the watcher asks, the jobs run on Sail: exactly the right days are rebuilt and the broken one stops."""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta

import dagster as dg
import polars as pl
import pytest

from hydro_assets.defs.attempts import REFRESH_JOB
from hydro_assets.defs.sensors.gold_watcher import gold_watcher
from hydro_assets.lakehouse.delta_log import StorageLog
from hydro_assets.lakehouse.warehouse_log import change_log
from hydro_assets.settings import Settings
from hydro_assets.tables import GOLD_IOT_DATA
from hydro_assets_tests.builders.gold_rows import gold_rows
from hydro_assets_tests.builders.graph_farm import GraphFarm

FIRST = date(2026, 1, 5)
FEATURES = "feature_store.sensor_features"


def day(n: int) -> date:
    return FIRST + timedelta(days=n - 1)


class WatchedGraph(GraphFarm):
    def __init__(self, settings: Settings, instance: dg.DagsterInstance) -> None:
        super().__init__(settings, instance)
        self.sensor = gold_watcher(settings, change_log)
        self.log = StorageLog(str(settings.table_root), settings.table)
        self.cursor: str | None = None
        self.told = ""

    def tick(self) -> dict[str, bool]:
        """One tick and its runs: days asked for, and whether their run succeeded."""
        context = dg.build_sensor_context(
            self.instance, cursor=self.cursor, repository_def=self.defs.get_repository_def()
        )
        evaluated = self.sensor.evaluate_tick(context)
        self.cursor, self.told = evaluated.cursor, str(evaluated.skip_message)
        return {
            request.tags["hydro/days"].replace("2026-01-", ""): self.run(
                REFRESH_JOB, partition_key=request.partition_key, tags=dict(request.tags)
            )
            for request in evaluated.run_requests or []
        }

    def days_written_by(self, versions: range) -> set[int]:
        reading = self.log.read(FEATURES, None)
        assert reading is not None
        return {d.day for c in reading.commits if c.version in versions for d in c.days or ()}

    def replace(self, n: int, rows: pl.DataFrame) -> None:
        self.lakehouse.replace_days(GOLD_IOT_DATA, rows, day(n), day(n + 1))

    def features(self) -> pl.DataFrame:
        return self.lakehouse.read_polars(FEATURES).sort("system_id", "timestamp")


@pytest.fixture
def farm(make_settings: Callable[..., Settings]) -> Iterator[WatchedGraph]:
    settings = make_settings(feature_step="30min", partitions_start=FIRST)
    with dg.DagsterInstance.ephemeral() as instance:
        yield WatchedGraph(settings, instance)


def test_watcher_and_jobs__rebuild_the_right_days_and_stop_the_broken_one(farm: WatchedGraph) -> None:
    rows = gold_rows(1, datetime(2026, 1, 5), timedelta(days=5), timedelta(minutes=20)).with_columns(
        system_id=pl.lit("a")
    )
    late = (pl.col("date") == day(2)) & (pl.col("timestamp_key").dt.hour() >= 20)
    farm.lakehouse.append(GOLD_IOT_DATA, rows.filter(~late))
    assert farm.tick() == {"05..09": True}
    assert farm.tick() == {}
    built = farm.lakehouse.version(FEATURES)
    assert built is not None

    farm.lakehouse.append(GOLD_IOT_DATA, rows.filter(late))
    assert farm.tick() == {"06..08": True}
    assert farm.days_written_by(range(built.version + 1, 99)) == {6, 7, 8}

    good = rows.filter(pl.col("date") == day(4))
    farm.replace(4, good.with_columns(pl.col("ph_level") * 100))
    before = farm.features()
    assert farm.tick() == {"08..09": False}
    assert farm.tick() == {"08": False, "09": True}
    assert farm.tick() == {}
    assert "1 failed alone and wait for new data" in farm.told
    unmoved = pl.col("date") <= day(4)
    assert farm.features().filter(unmoved).equals(before.filter(unmoved))

    farm.replace(4, good)
    assert farm.tick() == {"08..09": True}
    assert farm.tick() == {}
    assert farm.told.endswith("all features are up to date")
