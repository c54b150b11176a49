from __future__ import annotations

from datetime import date, timedelta

import pytest

from hydro_assets.lakehouse.delta_log import Commit, LogReading
from hydro_assets.lakehouse.tables import TableVersion
from hydro_assets.pipeline.outdated import _is_current, is_covered, is_followed, scored_days
from hydro_assets.registry.mlflow_client import mlflow_client
from hydro_assets.settings import Settings

NAME = "hydroponics_gru_forecast"


def test_version_that_cannot_be_read__is_not_current__so_that_a_run_trains_again(settings: Settings) -> None:
    client = mlflow_client(settings)
    client.create_registered_model(NAME)
    client.create_model_version(NAME, (settings.root / "gone").as_uri(), tags={"feature_version": "3"})
    assert not _is_current(settings, "gru", 3)


FIRST, SECOND, THIRD = (date(2026, 3, day) for day in (1, 2, 3))
ONE, TWO = {"gru": "1"}, {"gru": "2"}


def scoring(version: int, start: date, end: date, feature_version: int, versions: dict[str, str]) -> Commit:
    note = {"feature_version": feature_version, "versions": versions, "start_day": str(start), "end_day": str(end)}
    return Commit(version, frozenset({start}), note)


def reading(*commits: Commit, after: int = -1) -> LogReading:
    days = frozenset(day for commit in commits for day in commit.days or ())
    return LogReading(TableVersion("t", commits[-1].version), days, after, commits)


FEATURES = reading(Commit(1, frozenset({FIRST})), Commit(2, frozenset({SECOND})))


@pytest.mark.parametrize(
    ("commits", "covered"),
    [
        pytest.param([scoring(1, FIRST, THIRD, 2, TWO)], True, id="all days at once"),
        pytest.param([scoring(1, FIRST, SECOND, 1, TWO), scoring(2, SECOND, THIRD, 2, TWO)], True, id="each"),
        pytest.param([scoring(1, FIRST, SECOND, 2, TWO)], False, id="killed after the first commit"),
        pytest.param(
            [scoring(1, FIRST, THIRD, 2, ONE), scoring(2, SECOND, THIRD, 2, TWO)],
            False,
            id="one day of another model",
        ),
        pytest.param([scoring(1, FIRST, THIRD, 1, TWO)], False, id="a day built again since"),
        pytest.param([scoring(1, FIRST, THIRD, 2, TWO), Commit(2, frozenset({FIRST}))], False, id="another hand"),
    ],
)
def test_predictions__are_current_when_every_day_is_of_these_models_and_features(
    commits: list[Commit], covered: bool
) -> None:
    assert is_covered(FEATURES, scored_days(reading(*commits), TWO), timedelta(hours=5)) == covered


def test_predictions__are_older_than_the_history_that_their_rows_look_back_on() -> None:
    built_again = reading(Commit(1, frozenset({FIRST})), Commit(2, frozenset({SECOND})), Commit(3, frozenset({FIRST})))
    scored = {FIRST: 3, SECOND: 2}
    assert not is_covered(built_again, scored, timedelta(hours=5))
    assert is_covered(built_again, scored, timedelta(0))


def test_predictions__that_are_not_there_cover_nothing() -> None:
    assert not is_covered(FEATURES, scored_days(None, TWO), timedelta(0))


def following(version: int, start: date, end: date, features: int, versions: dict[str, str] | None = None) -> Commit:
    note = {"start_day": str(start), "end_day": str(end), "made_from": {"features": features}, "versions": versions}
    return Commit(version, frozenset({start}), note)


@pytest.mark.parametrize(
    ("table", "followed"),
    [
        pytest.param(reading(following(1, FIRST, THIRD, 2)), True, id="after the features"),
        pytest.param(reading(following(1, FIRST, THIRD, 1)), False, id="before the second day changed"),
        pytest.param(reading(following(1, FIRST, SECOND, 2)), False, id="killed before the second day"),
        pytest.param(reading(following(1, FIRST, THIRD, 2), Commit(2, frozenset({FIRST}))), False, id="another hand"),
        pytest.param(None, False, id="killed before the table was made"),
    ],
)
def test_what_follows_from_predictions__is_judged_by_what_it_was_made_from(
    table: LogReading | None, followed: bool
) -> None:
    assert is_followed(FEATURES.days, table, [FEATURES], ["features"]) == followed


def test_drift__of_models_that_no_longer_serve_is_measured_again() -> None:
    table = reading(following(1, FIRST, THIRD, 2, ONE))
    assert is_followed(FEATURES.days, table, [FEATURES], ["features"], ONE)
    assert not is_followed(FEATURES.days, table, [FEATURES], ["features"], TWO)
