from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl
import pytest

from hydro_assets.durations import duration_text
from hydro_assets.ingest.cadence import finest_step, grid_fit, sensor_cadences

T0 = datetime(2026, 1, 5)


def readings(seconds: list[float], every: int = 1, system: str = "a") -> pl.DataFrame:
    """pH at each of `seconds`, humidity at every `every`-th."""
    return pl.DataFrame(
        {
            "timestamp_key": [T0 + timedelta(seconds=s) for s in seconds],
            "system_id": system,
            "ph_level": [6.0] * len(seconds),
            "air_humidity": [60.0 if i % every == 0 else None for i in range(len(seconds))],
        },
        schema_overrides={"timestamp_key": pl.Datetime("us")},
    )


def every_of(frame: pl.DataFrame) -> dict[tuple[str, str], float]:
    return {
        (s, n): e.total_seconds()
        for s, n, e in sensor_cadences(frame, "a").select("system_id", "sensor", "every").iter_rows()
    }


def test_sensor_cadences__are_those_of_each_sensor_and_system() -> None:
    both = pl.concat([readings([60.0 * i for i in range(60)], 5), readings([300.0 * i for i in range(20)], system="b")])
    assert every_of(both.sample(fraction=1, shuffle=True, seed=1)) == {
        ("a", "ph_level"): 60, ("a", "air_humidity"): 300, ("b", "ph_level"): 300, ("b", "air_humidity"): 300,
    }  # fmt: skip


def test_sensor_cadences__a_break_is_not_the_cadence_and_rows_of_one_instant_count_once() -> None:
    seconds = [10.0 * i for i in range(100)] + [90_000 + 10.0 * i for i in range(100)] + [0.0, 10.0]
    assert every_of(readings(seconds))["a", "ph_level"] == 10


def test_sensor_cadences__of_changes_only_is_the_usual_silence() -> None:
    bursts = [start + s for start in range(0, 36_000, 1800) for s in (0.0, 30.0, 60.0)]
    assert every_of(readings(bursts))["a", "ph_level"] == 1740


def test_sensor_cadences__judge_the_newest_days() -> None:
    old = [60.0 * i for i in range(20_000)]
    new = [60.0 * 20_000 + 600.0 * i for i in range(1100)]
    assert every_of(readings(old + new))["a", "ph_level"] == 600


def test_sensor_cadences__of_one_reading_is_none() -> None:
    assert sensor_cadences(readings([0.0]), "a").is_empty()
    assert sensor_cadences(pl.DataFrame({"timestamp_key": [T0]}), "a").is_empty()


@pytest.mark.parametrize(
    ("target", "step", "is_empty", "wanted", "words"),
    [
        pytest.param("ph_level", 60, False, 60, ["air_humidity every 5min", "null in the steps between"], id="filled"),
        pytest.param("air_humidity", 60, True, 300, ["air_humidity every 5min", "--step 5min"], id="slow target"),
        pytest.param("ec_level", 60, False, 60, ["null in the steps"], id="no target: what is read most often"),
        pytest.param("ph_level", 20, True, 60, ["ph_level every 1min", "--step 1min", "--hold 15min"], id="all slow"),
        pytest.param("air_humidity", 300, False, 300, [], id="a grid that all fill"),
    ],
)
def test_grid_fit__judges_the_target_and_names_every_slow_sensor(
    target: str, step: int, is_empty: bool, wanted: int, words: list[str]
) -> None:
    cadences = sensor_cadences(readings([60.0 * i for i in range(60)], 5), "a")
    fit = grid_fit(cadences, timedelta(seconds=step), target)
    assert (fit.is_empty, fit.step) == (is_empty, timedelta(seconds=wanted))
    assert (fit.advice is None) == (not words)
    assert all(word in (fit.advice or "") for word in words)
    # What is advised is accepted, and then fits.
    assert not grid_fit(cadences, fit.step, target).is_empty


def test_grid_fit__names_the_step_that_every_system_fills_and_accepts_a_grid_that_one_fills() -> None:
    both = pl.concat([readings([60.0 * i for i in range(60)]), readings([300.0 * i for i in range(20)], system="b")])
    fit = grid_fit(sensor_cadences(both, "a"), timedelta(minutes=1), "ph_level")
    assert (fit.is_empty, fit.step) == (False, timedelta(minutes=5))


@pytest.mark.parametrize(
    ("cadence_s", "step"),
    [(2, "10s"), (12, "10s"), (60, "1min"), (60.6, "1min"), (80, "2min"), (400, "10min"), (3660, "1h"), (90000, "6h")],
)
def test_finest_step__is_filled_though_the_logger_runs_a_little_slow(cadence_s: float, step: str) -> None:
    assert duration_text(finest_step(timedelta(seconds=cadence_s))) == step
