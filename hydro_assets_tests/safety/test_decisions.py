"""The promotion log explains who serves, wherever the process that decided was killed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.competition import decisions, finish_decisions, roll_back
from hydro_assets.pipeline.features import build_sensor_features, feature_span
from hydro_assets.pipeline.training import train_model
from hydro_assets.registry.registered_model import CHAMPION, RegisteredModel
from hydro_assets.settings import Settings
from hydro_assets_tests.safety.farm import Death

NOW = datetime(2026, 4, 1, tzinfo=UTC)
MakeSettings = Callable[..., Settings]


@pytest.fixture
def two_versions(small_farm: MakeSettings) -> Lakehouse:
    """Version 2 of gru serves in place of version 1."""
    lakehouse = Lakehouse(small_farm())
    build_sensor_features(lakehouse, *feature_span(lakehouse))
    for hour in (1, 2):
        train_model(lakehouse, "gru", NOW + timedelta(hours=hour))
    return lakehouse


def told(lakehouse: Lakehouse) -> list[tuple[str, str | None, str | None]]:
    return [*decisions(lakehouse, "gru")["action", "champion_before", "champion_after"].iter_rows()]


BEFORE = [("promoted", None, "1"), ("promoted", "1", "2")]


def test_every_place_of_a_kill__in_a_training_and_its_promotion(
    two_versions: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    death, places, alias = Death(), 0, "2"
    model = RegisteredModel(two_versions.settings, "gru")
    death.watch(monkeypatch)
    while True:
        with death.after(places):
            train_model(two_versions, "gru", NOW + timedelta(hours=10 + places))
            break
        finish_decisions(two_versions, NOW + timedelta(hours=10 + places))
        log, alias = decisions(two_versions, "gru"), model.aliases()[CHAMPION]
        assert log["champion_after"][-1] == alias
        assert log["champion_before"][1:].to_list() == log["champion_after"][:-1].to_list()
        assert model.latest_whole() in {*log["challenger"]}, f"killed after {places} writes"
        assert finish_decisions(two_versions, NOW + timedelta(days=9)) == []
        places += 1
    assert places == 8


def test_rollback_that_was_killed_before_its_row__is_logged_as_what_it_was(
    two_versions: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    death = Death()
    death.watch(monkeypatch)
    with death.after(2):  # the tag, the alias
        roll_back(two_versions, "gru", NOW + timedelta(hours=5))
    assert told(two_versions) == BEFORE
    finish_decisions(two_versions, NOW + timedelta(hours=6))
    assert told(two_versions) == [*BEFORE, ("rolled_back", "2", "1")]
    assert decisions(two_versions, "gru")["decided_at"][-1] == NOW + timedelta(hours=5)


def test_alias_that_was_moved_by_hand__is_logged_and_left(two_versions: Lakehouse) -> None:
    model = RegisteredModel(two_versions.settings, "gru")
    model.client.set_registered_model_alias(model.name, CHAMPION, "1")
    finish_decisions(two_versions, NOW + timedelta(hours=6))
    model.client.set_registered_model_alias(model.name, CHAMPION, "2")
    finish_decisions(two_versions, NOW + timedelta(hours=7))
    assert told(two_versions) == [*BEFORE, ("moved", "2", "1"), ("moved", "1", "2")]
    assert model.aliases()[CHAMPION] == "2"
    assert finish_decisions(two_versions, NOW + timedelta(hours=8)) == []


def test_clock_that_was_set_back__does_not_hide_the_newest_decision(two_versions: Lakehouse) -> None:
    roll_back(two_versions, "gru", NOW - timedelta(days=300))
    assert told(two_versions) == [*BEFORE, ("rolled_back", "2", "1")]
    assert finish_decisions(two_versions, NOW) == []
