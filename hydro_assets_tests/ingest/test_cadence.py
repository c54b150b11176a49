from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl
import pytest

from hydro_assets.durations import duration_text
from hydro_assets.ingest.cadence import cadence_text, finest_step, sensor_cadences, slow_sensors

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


def test_slow_sensors__are_named_with_their_cadence() -> None:
    found = sensor_cadences(readings([60.0 * i for i in range(60)], 5), "a")
    slow = slow_sensors(found, timedelta(minutes=1))
    assert cadence_text(slow) == "readings come every 5min"
    assert cadence_text(found) == "ph_level every 1min, air_humidity every 5min"


@pytest.mark.parametrize(
    ("cadence_s", "step"),
    [(2, "10s"), (12, "10s"), (60, "1min"), (60.6, "1min"), (80, "2min"), (400, "10min"), (3660, "1h"), (90000, "6h")],
)
def test_finest_step__is_filled_though_the_logger_runs_a_little_slow(cadence_s: float, step: str) -> None:
    assert duration_text(finest_step(timedelta(seconds=cadence_s))) == step
