from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

from hydro_assets.features.lookup import window_lookup

START = datetime(2026, 1, 5, tzinfo=UTC)
STEP = timedelta(minutes=1)


def at(minute: int) -> datetime:
    return START + minute * STEP


def features(minutes: list[int], known_after: dict[int, int] | None = None, system: str = "a") -> pl.DataFrame:
    late = known_after or {}
    return pl.DataFrame(
        {
            "system_id": [system] * len(minutes),
            "timestamp": [at(m) for m in minutes],
            "known_at": [at(m + late.get(m, 1)) for m in minutes],
            "ph_level": [float(m) for m in minutes],
        }
    )


def look(frame: pl.DataFrame, minute: int, as_of: datetime | None = None, system: str = "a") -> pl.DataFrame:
    keys = pl.DataFrame({"system_id": [system], "timestamp": [at(minute)]})
    return window_lookup(frame, keys, as_of, 3, STEP, timedelta(minutes=5), ["ph_level"])


def test_window_lookup__gives_the_steps_up_to_the_key_oldest_first() -> None:
    window = look(features([0, 1, 2, 3, 4]), 3)
    assert window["step_back"].to_list() == [2, 1, 0]
    assert window["ph_level"].to_list() == [1.0, 2.0, 3.0]
    assert window["is_complete"].all()


def test_window_lookup__a_missing_step_is_null_and_still_complete() -> None:
    window = look(features([0, 1, 3]), 3)
    assert window["ph_level"].to_list() == [1.0, None, 3.0]
    assert window["is_complete"].all()


def test_window_lookup__a_window_over_a_gap_is_not_complete() -> None:
    window = look(features([0, 1, 2, 9, 10]), 10)
    assert window["ph_level"].to_list() == [None, 9.0, 10.0]
    assert not window["is_complete"].any()


def test_window_lookup__before_the_first_row_and_without_a_row_it_is_not_complete() -> None:
    frame = features([0, 1, 2, 4])
    assert not look(frame, 1)["is_complete"].any()
    assert not look(frame, 3)["is_complete"].any()


def test_window_lookup__sees_no_other_system() -> None:
    frame = pl.concat([features([0, 1, 2]), features([3, 4], system="b")])
    assert look(frame, 4, system="b")["ph_level"].to_list() == [None, 3.0, 4.0]


def test_window_lookup__by_known_time_a_late_reading_is_not_seen_before_it_arrived() -> None:
    frame = features([0, 1, 2, 3], known_after={2: 60})
    assert look(frame, 3, as_of=at(10))["ph_level"].to_list() == [1.0, None, 3.0]
    assert look(frame, 3, as_of=at(70))["ph_level"].to_list() == [1.0, 2.0, 3.0]


def test_window_lookup__by_known_time_a_key_that_had_not_arrived_has_no_window() -> None:
    window = look(features([0, 1, 2, 3], known_after={3: 60}), 3, as_of=at(10))
    assert window["ph_level"].to_list() == [1.0, 2.0, None]
    assert not window["is_complete"].any()


def test_window_lookup__equal_keys_are_answered_once() -> None:
    keys = pl.DataFrame({"system_id": ["a", "a"], "timestamp": [at(2), at(2)]})
    window = window_lookup(features([0, 1, 2]), keys, None, 3, STEP, timedelta(minutes=5), ["ph_level"])
    assert window.height == 3
