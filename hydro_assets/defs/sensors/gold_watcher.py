"""Gold is filled outside Dagster: these sensors notice, tell Dagster, and ask for exactly the feature days affected."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime

import dagster as dg

from hydro_assets.defs.assets.external_gold import DATA_VERSION
from hydro_assets.defs.attempts import REFRESH_JOB, TRIGGER_TAG, attempts, latest_for_need
from hydro_assets.defs.keys import IOT_DATA
from hydro_assets.defs.partitions import feature_days
from hydro_assets.defs.sensors.run_requests import Plan, plan, run_request
from hydro_assets.defs.sensors.watcher_cursor import WatcherCursor
from hydro_assets.features.spec import made_with
from hydro_assets.features.staleness import ChangedDays, Reach, stale_days
from hydro_assets.lakehouse.delta_log import ChangeLog
from hydro_assets.lakehouse.tables import TableVersion
from hydro_assets.settings import Settings
from hydro_assets.tables import names

WATCHER = "gold_iot_data_watcher"
REPORTED = "gold_iot_data_reported"


def gold_watcher(
    settings: Settings, open_log: Callable[[Settings], ChangeLog], clock: Callable[[], float] = time.time
) -> dg.SensorDefinition:
    """Level-triggered: the Gold version and settings that a feature day needs against those it was built from.

    The note in the commit of `sensor_features` is the evidence, as it is written with the rows or not at all; Dagster's
    own materialization events can be lost, and know nothing of days built by `hydro feature-store` or on a cluster.
    """
    reach = Reach.of(settings)
    partitions = feature_days(settings)

    @dg.sensor(
        name=WATCHER,
        job_name=REFRESH_JOB,
        minimum_interval_seconds=20,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Reads Gold's Delta log and rebuilds exactly the feature days that are older than their readings.",
    )
    def watch(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        before, at = WatcherCursor.from_json(context.cursor), clock()
        if settings.table_root is None and at < before.next_look:
            again = datetime.fromtimestamp(before.next_look, UTC)
            return dg.SkipReason(f"Nothing was new lately: the SQL warehouse is asked again at {again:%H:%M} UTC")
        # Runs first: a run seen as ended has its commit in the log that is read after.
        history = attempts(context.instance)
        log = open_log(settings)
        reading = log.read(names.IOT_DATA, before.gold.table)
        if reading is None:
            message = f"There is no table {settings.table(names.IOT_DATA)} yet: import readings, or run Gold's pipeline"
            return dg.SensorResult(skip_reason=message, cursor=before.looked(at, in_vain=True).to_json())
        now = WatcherCursor(
            before.gold.advance(reading),
            before.built.advance(log.read(names.SENSOR_FEATURES, before.built.table)),
            before.quiet,
        )
        stale = stale_days(now.gold, now.built, reach, made_with(settings))
        tried = latest_for_need(history, stale, now.gold.table)
        keys = set(partitions.get_partition_keys())
        todo = plan(list(stale), tried, keys)
        news = changed_days(before.gold, now.gold)
        known = reported_days(context.instance, now.gold, news)
        message = sentence(now.gold, news, todo)
        in_vain = not (news or todo.blocks or todo.in_progress)
        context.log.info(message)
        return dg.SensorResult(
            run_requests=[run_request(block, stale, tried, now.gold.table, WATCHER) for block in todo.blocks],
            skip_reason=None if todo.blocks else message,
            asset_events=[gold_event(now.gold, day) for day in news if day.isoformat() in keys and day not in known],
            cursor=now.looked(at, in_vain).to_json(),
        )

    return watch


def changed_days(before: ChangedDays, now: ChangedDays) -> list[date]:
    """Days with rows that changed between two looks."""
    same = before.table.table_id == now.table.table_id
    return sorted(
        d for d in now.with_rows if d in now.changed and not (same and before.changed.get(d) == now.changed[d])
    )


def reported_days(instance: dg.DagsterInstance, gold: ChangedDays, days: Sequence[date]) -> set[date]:
    """Days whose newest event names this Gold or a later one, as `hydro run` reports them.

    Another event would be newer than the results of the day's checks, and the UI would show these as not evaluated.
    """
    newest: dict[date, str] = {}
    page = None
    while days and (page is None or (page.has_more and len(newest) < len(days))):
        records = dg.AssetRecordsFilter(IOT_DATA, asset_partitions=[day.isoformat() for day in days])
        page = instance.fetch_materializations(records, limit=1000, cursor=page.cursor if page else None)
        for record in page.records:
            event = record.asset_materialization
            if record.partition_key is not None and event is not None and event.tags:
                newest.setdefault(date.fromisoformat(record.partition_key), event.tags.get(DATA_VERSION, ""))
    found = set()
    for day, version in newest.items():
        table_id, _, number = version.rpartition("-")
        if table_id == gold.table.table_id and number.isdigit() and int(number) >= gold.changed[day]:
            found.add(day)
    return found


def gold_event(gold: ChangedDays, day: date) -> dg.AssetMaterialization:
    """What Dagster is told of a Gold day: freshness, data version and the partition bar live on it."""
    version = gold.changed[day]
    return dg.AssetMaterialization(
        IOT_DATA,
        partition=day.isoformat(),
        metadata={"delta_version": version, "delta_table_id": gold.table.table_id, TRIGGER_TAG: WATCHER},
        tags={
            DATA_VERSION: f"{gold.table.table_id}-{version}",
            "dagster/data_version_is_user_provided": "true",
        },
    )


def sentence(gold: ChangedDays, news: list[date], todo: Plan) -> str:
    """The tick in words: the skip reason is what a user sees of a sensor that does nothing."""
    parts = [f"Gold v{gold.table.version}: {len(news)} days changed since the last look"]
    asked = [day for block in todo.blocks for day in block]
    if asked:
        parts.append(f"asking for {len(asked)} feature days in {len(todo.blocks)} runs: {spans(todo.blocks)}")
    if todo.in_progress:
        parts.append(f"{len(todo.in_progress)} are being built")
    if todo.failed:
        days = ", ".join(map(str, todo.failed))
        parts.append(f"{len(todo.failed)} failed alone and wait for new data or a re-execution of their run: {days}")
    if todo.not_partitions:
        parts.append(
            f"{len(todo.not_partitions)} lie outside the partitions ({todo.not_partitions[0]} .. "
            f"{todo.not_partitions[-1]}): set HYDRO_PARTITIONS_START or reload the code location"
        )
    if len(parts) == 1:
        parts.append("all features are up to date")
    return "; ".join(parts)


def spans(blocks: Iterable[tuple[date, ...]]) -> str:
    return ", ".join(str(b[0]) if len(b) == 1 else f"{b[0]}..{b[-1]}" for b in blocks)


def reported_gold_sensor(settings: Settings) -> dg.SensorDefinition:
    """For farms whose Gold job reports materialisations (REST, or a Dagster of its own): an alternative to the watcher.

    Dagster hands an asset sensor only the newest event of a tick, so the events since the cursor are fetched here.
    """
    reach = Reach.of(settings)
    partitions = feature_days(settings)

    @dg.asset_sensor(
        asset_key=IOT_DATA,
        name=REPORTED,
        job_name=REFRESH_JOB,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Off by default: rebuilds the feature days of Gold days that the Gold job itself reports.",
    )
    def reported(context: dg.SensorEvaluationContext, _newest: dg.EventLogEntry) -> dg.SensorResult | dg.SkipReason:
        if not context.cursor:
            return dg.SkipReason("Switched on: it answers what is reported from now on; earlier days can be backfilled")
        versions = _reported_days(context.instance, int(context.cursor))
        with_rows = set(context.instance.get_materialized_partitions(IOT_DATA))
        wanted = {
            day: max(versions.get(g.isoformat(), 0) for g in reach.needed_days(date.fromisoformat(day)))
            for day in partitions.get_partition_keys()
            if any(g.isoformat() in versions for g in reach.needed_days(date.fromisoformat(day)))
            and any(g.isoformat() in with_rows for g in reach.own_days(date.fromisoformat(day)))
        }
        if not wanted:
            return dg.SkipReason("The reported Gold days touch no feature day")
        days = [date.fromisoformat(day) for day in sorted(wanted)]
        needs = {day: wanted[day.isoformat()] for day in days}
        return dg.SensorResult(run_requests=list(_reported_requests(needs, set(wanted))))

    return reported


def _reported_days(instance: dg.DagsterInstance, since: int) -> dict[str, int]:
    """Partition -> storage id of its newest materialization after `since`, over all pages.

    The watcher's own events are left out: it has asked for their days itself.
    """
    found: dict[str, int] = {}
    page = None
    while page is None or page.has_more:
        records = dg.AssetRecordsFilter(IOT_DATA, after_storage_id=since)
        page = instance.fetch_materializations(
            records, limit=1000, cursor=page.cursor if page else None, ascending=True
        )
        for record in page.records:
            event = record.asset_materialization
            is_own = event is not None and TRIGGER_TAG in event.metadata
            if record.partition_key is not None and not is_own:
                found[record.partition_key] = record.storage_id
    return found


def _reported_requests(needs: Mapping[date, int], keys: set[str]) -> Iterable[dg.RunRequest]:
    gold = TableVersion("reported", max(needs.values()))
    for block in plan(list(needs), {}, keys).blocks:
        yield run_request(block, needs, {}, gold, REPORTED)
