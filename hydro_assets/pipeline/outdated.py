"""What a run would change: each product is judged by what it was made from, as the note of its commit says.

Feature days against Gold and the settings that shape them, models against features and settings, predictions against
features and serving versions, and what follows from predictions against those.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, NamedTuple

from hydro_assets.errors import DataContractError, ModelUnavailableError
from hydro_assets.features.spec import differing_settings, made_with
from hydro_assets.features.staleness import BuiltDays, ChangedDays, Reach, stale_days
from hydro_assets.forecasting.info import history_steps
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.lakehouse.delta_log import LogReading
from hydro_assets.lakehouse.tables import TableVersion
from hydro_assets.lakehouse.warehouse_log import change_log
from hydro_assets.monitoring import drift_days
from hydro_assets.registry.coverage import misfits
from hydro_assets.registry.mlflow_client import tracking_errors
from hydro_assets.registry.registered_model import RegisteredModel
from hydro_assets.registry.tracking import trained_with
from hydro_assets.scoring import scoring_job
from hydro_assets.scoring.members import ServingModels
from hydro_assets.settings import Settings
from hydro_assets.tables import MODELS, names

FOLLOWING = (
    names.FORECASTS,
    names.BATCH_PREDICTIONS,
    names.PREDICTION_ACCURACY,
    names.FEATURE_DRIFT,
    names.SYSTEM_OUTLOOK,
)
"""Tables that scoring days brings up to date, in the order in which they are written."""


class OutdatedDays(NamedTuple):
    """Feature days that are not what Gold and the settings of now would make them.

    `changed_settings`: what made some of them otherwise, as `timezone UTC, now Europe/Rome`.
    """

    days: Sequence[date] = ()
    changed_settings: Sequence[str] = ()


def outdated_days(lakehouse: Lakehouse) -> OutdatedDays:
    """Compare feature days with the Gold and the settings that the notes of their commits name."""
    log, wanted = change_log(lakehouse.settings), made_with(lakehouse.settings)
    gold, made = log.read(names.IOT_DATA, None), BuiltDays().advance(log.read(names.SENSOR_FEATURES, None))
    if gold is None:
        return OutdatedDays()
    stale = stale_days(ChangedDays().advance(gold), made, Reach.of(lakehouse.settings), wanted)
    return OutdatedDays(list(stale), _changed_settings(made, wanted))


def outdated_models(lakehouse: Lakehouse) -> list[str]:
    """Kinds whose newest version did not learn from the features of now what the settings ask."""
    features = lakehouse.version(names.SENSOR_FEATURES)
    return [k for k in MODELS if features is None or not _is_current(lakehouse.settings, k, features)]


def predictions_are_current(lakehouse: Lakehouse) -> bool:
    """Whether predictions, and all that follows from them, are of the features, serving models and settings of now."""
    settings = lakehouse.settings
    log = change_log(settings)
    built, tables = log.read(names.SENSOR_FEATURES, None), {name: log.read(name, None) for name in FOLLOWING}
    forecasts, outlook = tables[names.FORECASTS], tables[names.SYSTEM_OUTLOOK]
    if built is None or forecasts is None or outlook is None:
        return False
    serving = serving_versions(settings)
    days, scored = days_of(built), scoring_job.made_by(serving, settings)
    features = {names.SENSOR_FEATURES: built}
    sources = features | {names.FORECASTS: forecasts}
    history, reach = look_back_of(settings), settings.horizons[-1] * settings.feature_step
    window = timedelta(days=settings.monitoring.drift_days - 1)
    drifted = drift_days.made_by(serving, settings)
    return (
        all(days_of(tables[name]) <= days for name in FOLLOWING if name != names.SYSTEM_OUTLOOK)
        and not unsettled_days(days, forecasts, features, scored, history)
        and not unsettled_days(days, tables[names.BATCH_PREDICTIONS], features, scored, history)
        and not unsettled_days(days, tables[names.PREDICTION_ACCURACY], sources, {}, reach)
        and not unsettled_days(days, tables[names.FEATURE_DRIFT], features, drifted, window)
        and _made_from(outlook) == {name: source.table for name, source in sources.items()}
    )


def serving_versions(settings: Settings) -> ServingModels:
    """What serves, without the packages."""
    models = {kind: RegisteredModel(settings, kind) for kind in MODELS}
    versions = {kind: version for kind, model in models.items() if (version := model.serving_version()) is not None}
    return ServingModels({}, versions, {kind: models[kind].digest(version) for kind, version in versions.items()})


def days_to_score(lakehouse: Lakehouse) -> list[date]:
    """Days with features, and days that had some when they were scored: what is left of those is removed."""
    tables = [name for name in (names.SENSOR_FEATURES, *FOLLOWING) if name != names.SYSTEM_OUTLOOK]
    return sorted({day for name in tables if lakehouse.exists(name) for day in lakehouse.days(name)})


def _changed_settings(made: BuiltDays, wanted: str) -> list[str]:
    return sorted({d for text in {b.settings for b in made.days.values()} for d in differing_settings(text, wanted)})


def require_one_making(lakehouse: Lakehouse) -> None:
    """Raise DataContractError when feature days were made with settings that are not those of now.

    A table of two time zones, or of two crops, is neither trained on nor scored. Where only a SQL warehouse could tell
    (Unity Catalog) and none is named, the watcher alone keeps the days equal.
    """
    settings = lakehouse.settings
    if settings.table_root is None and settings.sql_warehouse_id is None:
        return
    wanted = made_with(settings)
    made = BuiltDays().advance(change_log(settings).read(names.SENSOR_FEATURES, None))
    others = sorted(day for day, built in made.days.items() if differing_settings(built.settings, wanted))
    if others:
        raise DataContractError(
            f"{len(others)} of {len(made.days)} feature days ({others[0]} .. {others[-1]}) were made with other "
            f"settings: {'; '.join(_changed_settings(made, wanted))}",
            "Build them again with `hydro run` (or `hydro feature-store`), or set what they were made with",
        )


def unsettled_days(
    days: Collection[date],
    table: LogReading | None,
    sources: Mapping[str, LogReading],
    wanted: Mapping[str, Any] | None = None,
    look_back: timedelta = timedelta(0),
) -> list[date]:
    """Those of `days` that `table` has not settled since the sources last changed them, or what they look back on.

    Settled is a day, with or without rows, by the note of the commit that wrote it last, which says the same as
    `wanted` and names the versions of the sources. A commit of another hand settles nothing.
    """
    made: dict[date, Mapping[str, TableVersion]] = {}
    for commit in () if table is None else table.commits:
        note = commit.note
        if {"start_day", "end_day", "made_from"} <= note.keys():
            written = _written(note)
            is_wanted = all(note.get(name) == value for name, value in (wanted or {}).items())
            made |= {day: _versions(note) if is_wanted else {} for day in written}
        else:
            made |= {day: {} for day in (made if commit.days is None else commit.days)}
    unsettled: set[date] = set()
    back = -(-look_back // timedelta(days=1))
    for name, source in sources.items():
        changed = ChangedDays().advance(source).changed
        for day in days:
            need = max(changed.get(day - timedelta(days=i), source.after) for i in range(back + 1))
            have = made.get(day, {}).get(name)
            if have is None or have.table_id != source.table.table_id or have.version < need:
                unsettled.add(day)
    return sorted(unsettled)


def _written(note: Mapping[str, Any]) -> list[date]:
    """The days that a commit says it wrote, with or without rows."""
    start, end = (date.fromisoformat(str(note[k])) for k in ("start_day", "end_day"))
    return [start + timedelta(days=i) for i in range((end - start).days)]


def _versions(note: Mapping[str, Any]) -> dict[str, TableVersion]:
    return {name: TableVersion(**found) for name, found in note["made_from"].items() if isinstance(found, dict)}


def _made_from(table: LogReading) -> dict[str, TableVersion]:
    """Sources of a table that is written whole, by its newest commit."""
    note = table.commits[-1].note if table.commits else {}
    return _versions(note) if "made_from" in note else {}


def days_of(reading: LogReading | None) -> frozenset[date]:
    """Days with rows now; a log that is read from its beginning always tells them."""
    if reading is None:
        return frozenset()
    assert reading.days is not None
    return reading.days


def look_back_of(settings: Settings) -> timedelta:
    """History before a row that its forecast reads."""
    step = settings.feature_step
    return history_steps(settings.horizons, settings.sequence_length, step) * step


def _is_current(settings: Settings, kind: str, features: TableVersion) -> bool:
    """Whether the newest version can be read, and learned from these features what the settings ask, as configured."""
    model = RegisteredModel(settings, kind)
    with tracking_errors(settings, f"Looking up the newest version of {model.name}"):
        newest = next(iter(model.versions()), None)
        found = None if newest is None else model.find(newest)
    if found is None or not model.is_whole(found):
        return False
    table_id, version = (found.tags.get(name) for name in ("feature_table_id", "feature_version"))
    if table_id != features.table_id or version is None:
        return False
    if found.tags.get("settings") != trained_with(settings, kind):
        return False
    try:
        info = model.fetch(str(found.version)).info
    except ModelUnavailableError:  # a new version is the way out
        return False
    return not misfits(info, settings) and (int(version) == features.version or _has_same_rows(settings, int(version)))


def _has_same_rows(settings: Settings, version: int) -> bool:
    log = change_log(settings)
    gold, features = log.read(names.IOT_DATA, None), log.read(names.SENSOR_FEATURES, None)
    return gold is not None and features is not None and only_repeated(gold, features, version, settings)


def only_repeated(gold: LogReading, now: LogReading, learned: int, settings: Settings) -> bool:
    """Whether since version `learned` of the features days were only built again from the same Gold and settings.

    Then the rows are those of that version. False where the log no longer tells, or where another hand wrote.
    """
    if now.after >= learned:
        return False
    before = BuiltDays().advance(replace(now, commits=tuple(c for c in now.commits if c.version <= learned)))
    since = [commit for commit in now.commits if commit.version > learned]
    if not all({"start_day", "end_day", "gold_version"} <= commit.note.keys() for commit in since):
        return False
    changed = stale_days(ChangedDays().advance(gold), before, Reach.of(settings), made_with(settings))
    written = {day for commit in since for day in _written(commit.note)}
    return written.isdisjoint(changed)
