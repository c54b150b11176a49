"""What was made from what is read back from the notes of commits; nothing else says that a day is up to date."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from hydro_assets.features.spec import made_with
from hydro_assets.lakehouse.delta_log import Commit, LogReading
from hydro_assets.lakehouse.tables import TableVersion
from hydro_assets.pipeline.outdated import _is_current, only_repeated, unsettled_days
from hydro_assets.registry.mlflow_client import mlflow_client
from hydro_assets.settings import Settings

NAME = "hydroponics_gru_forecast"


def test_version_that_cannot_be_read__is_not_current__so_that_a_run_trains_again(settings: Settings) -> None:
    client = mlflow_client(settings)
    client.create_registered_model(NAME)
    learned = {"feature_table_id": "t", "feature_version": "3"}
    client.create_model_version(NAME, (settings.root / "gone").as_uri(), tags=learned)
    assert not _is_current(settings, "gru", TableVersion("t", 3))


FIRST, SECOND, THIRD = (date(2026, 3, day) for day in (1, 2, 3))
ONE, TWO = {"versions": {"gru": "1"}}, {"versions": {"gru": "2"}}


def made(version: int, start: date, end: date, features: int, facts: dict[str, Any] = TWO, table: str = "t") -> Commit:
    source = {"features": {"table_id": table, "version": features}}
    note = {"start_day": str(start), "end_day": str(end), "made_from": source} | facts
    return Commit(version, frozenset({start}), note)


def reading(*commits: Commit, after: int = -1) -> LogReading:
    days = frozenset(day for commit in commits for day in commit.days or ())
    return LogReading(TableVersion("t", commits[-1].version), days, after, commits)


FEATURES = reading(Commit(1, frozenset({FIRST})), Commit(2, frozenset({SECOND})))


def unsettled(table: LogReading | None, features: LogReading = FEATURES, hours: int = 5) -> list[date]:
    return unsettled_days([FIRST, SECOND], table, {"features": features}, TWO, timedelta(hours=hours))


@pytest.mark.parametrize(
    ("table", "left"),
    [
        pytest.param(reading(made(1, FIRST, THIRD, 2)), [], id="all days at once"),
        pytest.param(reading(made(1, FIRST, SECOND, 1), made(2, SECOND, THIRD, 2)), [], id="each"),
        pytest.param(reading(made(1, FIRST, SECOND, 2)), [SECOND], id="killed after the first commit"),
        pytest.param(reading(made(1, FIRST, THIRD, 2, ONE), made(2, SECOND, THIRD, 2)), [FIRST], id="another model"),
        pytest.param(reading(made(1, FIRST, THIRD, 1)), [SECOND], id="a day built again since"),
        pytest.param(reading(made(1, FIRST, THIRD, 2), Commit(2, frozenset({FIRST}))), [FIRST], id="another hand"),
        pytest.param(reading(made(1, FIRST, THIRD, 7, table="before")), [FIRST, SECOND], id="features made anew"),
        pytest.param(None, [FIRST, SECOND], id="killed before the table was made"),
    ],
)
def test_days__are_settled_by_what_they_were_made_from(table: LogReading | None, left: list[date]) -> None:
    assert unsettled(table) == left


def test_days__are_unsettled_when_the_history_that_they_look_back_on_has_changed() -> None:
    built_again = reading(Commit(1, frozenset({FIRST})), Commit(2, frozenset({SECOND})), Commit(3, frozenset({FIRST})))
    table = reading(made(1, FIRST, SECOND, 3), made(2, SECOND, THIRD, 2))
    assert unsettled(table, built_again) == [SECOND]
    assert unsettled(table, built_again, hours=0) == []


def built(version: int, start: date, end: date, gold: int, made: str) -> Commit:
    note = {"start_day": str(start), "end_day": str(end), "gold_version": gold, "gold_table_id": "g", "settings": made}
    return Commit(version, frozenset({start}), note)


GOLD = (Commit(0, frozenset({FIRST})), Commit(1, frozenset({SECOND})))
EMPTY = date(2026, 3, 20)


@pytest.mark.parametrize(
    ("gold", "since", "is_same"),
    [
        pytest.param(GOLD, [], True, id="nothing"),
        pytest.param(GOLD, [(FIRST, THIRD, 1)], True, id="all days again"),
        pytest.param(GOLD, [(EMPTY, EMPTY + timedelta(days=1), 1)], True, id="a day without readings"),
        pytest.param((*GOLD, Commit(2, frozenset({EMPTY}))), [(FIRST, SECOND, 2)], True, id="new Gold elsewhere"),
        pytest.param((*GOLD, Commit(2, frozenset({FIRST}))), [(FIRST, THIRD, 2)], False, id="a corrected day"),
        pytest.param((*GOLD, Commit(2, frozenset({EMPTY}))), [(EMPTY, EMPTY + timedelta(1), 2)], False, id="a new day"),
    ],
)
def test_features__that_were_only_built_again_hold_the_rows_that_models_learned_from(
    settings: Settings, gold: tuple[Commit, ...], since: list[tuple[date, date, int]], is_same: bool
) -> None:
    log = LogReading(TableVersion("g", len(gold) - 1), frozenset().union(*(c.days or () for c in gold)), -1, gold)
    first = built(1, FIRST, THIRD, 1, made_with(settings))
    later = [built(n, start, end, made, made_with(settings)) for n, (start, end, made) in enumerate(since, start=2)]
    assert only_repeated(log, reading(first, *later), 1, settings) == is_same


def test_features__of_other_settings_or_another_hand_or_a_cleaned_log_are_not_the_same(settings: Settings) -> None:
    log, first = LogReading(TableVersion("g", 1), frozenset({FIRST}), -1, GOLD), built(1, FIRST, THIRD, 1, "{}")
    again = built(2, FIRST, THIRD, 1, made_with(settings))
    assert not only_repeated(log, reading(first, again), 1, settings)
    mine = built(1, FIRST, THIRD, 1, made_with(settings))
    assert not only_repeated(log, reading(mine, Commit(2, frozenset({FIRST}))), 1, settings)
    assert not only_repeated(log, reading(again, after=1), 1, settings)
