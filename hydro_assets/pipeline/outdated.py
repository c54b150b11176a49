"""What a run would change: each product is judged by what it was made from, as the note of its commit says.

Feature days against Gold and the settings that shape them, models against features and settings, predictions against
features and serving versions, and what follows from predictions against those.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from hydro_assets.errors import DataContractError, ModelUnavailableError
from hydro_assets.features.spec import differing_settings, made_with
from hydro_assets.features.staleness import BuiltDays, ChangedDays, Reach, stale_days
from hydro_assets.forecasting.info import history_steps
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.lakehouse.delta_log import LogReading
from hydro_assets.lakehouse.warehouse_log import change_log
from hydro_assets.registry.coverage import misfits
from hydro_assets.registry.mlflow_client import tracking_errors
from hydro_assets.registry.registered_model import RegisteredModel
from hydro_assets.registry.tracking import trained_with
from hydro_assets.settings import Settings
from hydro_assets.tables import MODELS, names


@dataclass(frozen=True)
class Outdated:
    """Days and models that are not what the tables and settings of now would make them."""

    feature_days: tuple[date, ...]
    models: tuple[str, ...]
    predictions: bool
    changed_settings: tuple[str, ...] = field(default=(), compare=False)

    def __bool__(self) -> bool:
        return bool(self.feature_days or self.models or self.predictions)


def outdated(lakehouse: Lakehouse) -> Outdated:
    """Compare each table with what it was made from, by the notes in its commits."""
    settings = lakehouse.settings
    log = change_log(settings)
    gold, built = log.read(names.IOT_DATA, None), log.read(names.SENSOR_FEATURES, None)
    wanted, made = made_with(settings), BuiltDays().advance(built)
    days = () if gold is None else tuple(stale_days(ChangedDays().advance(gold), made, Reach.of(settings), wanted))
    models = tuple(k for k in MODELS if days or built is None or not _is_current(settings, k, built.table.version))
    serving = {k: v for k in MODELS if (v := RegisteredModel(settings, k).serving_version()) is not None}
    predictions, forecasts = (log.read(name, None) for name in (names.BATCH_PREDICTIONS, names.FORECASTS))
    is_scored = (
        built is not None
        and predictions is not None
        and forecasts is not None
        and _days(predictions) <= _days(built)
        and is_covered(built, scored_days(predictions, serving), look_back_of(settings))
        and lakehouse.exists(names.SYSTEM_OUTLOOK)
        and is_followed(_days(predictions), log.read(names.PREDICTION_ACCURACY, None), [forecasts, built], FOLLOWED)
        and is_followed(_days(built), log.read(names.FEATURE_DRIFT, None), [built], FOLLOWED[1:], serving)
    )
    return Outdated(days, models, bool(days or models) or not is_scored, _changed_settings(made, wanted))


def _changed_settings(made: BuiltDays, wanted: str) -> tuple[str, ...]:
    differing = {d for text in {b.settings for b in made.days.values()} for d in differing_settings(text, wanted)}
    return tuple(sorted(differing))


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


def scored_days(predictions: LogReading | None, versions: Mapping[str, str] | None) -> dict[date, int]:
    """The days whose predictions are of the models `versions` (None: of any), and the version of their features."""
    found: dict[date, int] = {}
    for commit in () if predictions is None else predictions.commits:
        note = commit.note
        if {"start_day", "end_day", "versions", "feature_version"} <= note.keys():
            start, end = (date.fromisoformat(str(note[k])) for k in ("start_day", "end_day"))
            written = [start + timedelta(days=i) for i in range((end - start).days)]
            is_ours = versions is None or note["versions"] == dict(versions)
        else:  # written by another hand: nobody knows from what
            written, is_ours = list(found if commit.days is None else commit.days), False
        for day in written:
            found.pop(day, None)
            if is_ours:
                found[day] = int(note["feature_version"])
    return found


def is_covered(features: LogReading, scored: Mapping[date, int], look_back: timedelta) -> bool:
    """Whether every day with features was scored after it, and all that its rows look back on, was last built."""
    return not uncovered_days(features, scored, look_back)


def uncovered_days(features: LogReading, scored: Mapping[date, int], look_back: timedelta) -> list[date]:
    """The days with features that were not scored since they, or what their rows look back on, were last built."""
    changed = ChangedDays().advance(features).changed
    back = -(-look_back // timedelta(days=1))
    return sorted(
        day
        for day in features.days or ()
        if day not in scored
        or scored[day] < max(changed.get(day - timedelta(days=i), features.after) for i in range(back + 1))
    )


def _days(reading: LogReading) -> frozenset[date]:
    """Days with rows now; a log that is read from its beginning always tells them."""
    assert reading.days is not None
    return reading.days


FOLLOWED = (names.FORECASTS, names.SENSOR_FEATURES)


def is_followed(
    days: Collection[date],
    table: LogReading | None,
    sources: Sequence[LogReading],
    source_names: Sequence[str],
    versions: Mapping[str, str] | None = None,
) -> bool:
    """Whether `table` settled each of `days` after the sources last changed it, and with these model versions."""
    made: dict[date, Mapping[str, int]] = {}
    for commit in () if table is None else table.commits:
        note = commit.note
        if not {"start_day", "end_day", "made_from"} <= note.keys():  # another hand: nobody knows from what
            written, source = list(made if commit.days is None else commit.days), {}
        else:
            start, end = (date.fromisoformat(str(note[k])) for k in ("start_day", "end_day"))
            written = [start + timedelta(days=i) for i in range((end - start).days)]
            source = note["made_from"] if versions is None or note.get("versions") == dict(versions) else {}
        made |= dict.fromkeys(written, source)
    for name, reading in zip(source_names, sources, strict=True):
        changed = ChangedDays().advance(reading).changed
        if any(made.get(day, {}).get(name, -1) < changed.get(day, reading.after) for day in days):
            return False
    return True


def look_back_of(settings: Settings) -> timedelta:
    """History before a row that its forecast reads."""
    step = settings.feature_step
    return history_steps(settings.horizons, settings.sequence_length, step) * step


def _is_current(settings: Settings, kind: str, feature_version: int) -> bool:
    """Whether the newest version can be read, and learned from these features what the settings ask, as configured."""
    model = RegisteredModel(settings, kind)
    with tracking_errors(settings, f"Looking up the newest version of {model.name}"):
        newest = next(iter(model.versions()), None)
        found = None if newest is None else model.find(newest)
    if found is None or found.tags.get("feature_version") != str(feature_version):
        return False
    if found.tags.get("settings") != trained_with(settings, kind):
        return False
    try:
        info = model.fetch(str(found.version)).info
    except ModelUnavailableError:  # a new version is the way out
        return False
    return not misfits(info, settings)
