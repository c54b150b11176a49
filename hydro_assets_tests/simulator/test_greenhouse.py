from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from hydro_assets.simulator.faults import Faults
from hydro_assets.simulator.greenhouse import simulate
from hydro_assets.tables import GOLD_IOT_DATA, SENSOR

START = datetime(2024, 3, 4, tzinfo=UTC)
FIVE_MINUTES = timedelta(minutes=5)


@pytest.fixture(scope="module")
def week() -> pl.DataFrame:
    return simulate(2, START, START + timedelta(days=7), seed=7, cadence=FIVE_MINUTES)


def test_simulate__gives_the_columns_of_gold(week: pl.DataFrame) -> None:
    assert week.columns == GOLD_IOT_DATA.column_names
    assert week["system_id"].unique().sort().to_list() == ["system_1", "system_2"]
    assert len(week) == 2 * 7 * 288


def test_simulate__readings_lie_in_their_period_and_arrive_seconds_later(week: pl.DataFrame) -> None:
    taken, arrived = week["timestamp_key"].dt.replace_time_zone("UTC"), week["ingestion_timestamp"]
    assert taken.min() >= START  # type: ignore[operator]
    assert taken.max() < START + timedelta(days=7)  # type: ignore[operator]
    delay = (arrived - taken).dt.total_milliseconds()
    assert 0 < delay.min() < delay.max() < 60_000  # type: ignore[operator]
    assert arrived.is_sorted()


@pytest.mark.parametrize("name", ["ph_level", "tds_level", "air_temperature", "air_humidity", "water_temperature"])
def test_simulate__every_sensor_moves_inside_its_physical_range(week: pl.DataFrame, name: str) -> None:
    values = week[name]
    assert values.is_between(SENSOR[name].low, SENSOR[name].high).all()
    assert values.n_unique() > 30


def test_simulate__every_actuator_works_now_and_then(week: pl.DataFrame) -> None:
    shares = week.select(pl.col("^is_.*_on$").mean()).row(0, named=True)
    assert all(0.0 < share < 0.5 for share in shares.values()), shares


def test_simulate__dosing_acid_lowers_ph_and_the_plants_raise_it_again(week: pl.DataFrame) -> None:
    one = week.filter(pl.col("system_id") == "system_1").sort("timestamp_key")
    change = one.select((pl.col("ph_level").shift(-6) - pl.col("ph_level")).alias("change"), "is_ph_reducer_on")
    after_dose = change.filter("is_ph_reducer_on")["change"].mean()
    without = change.filter(~pl.col("is_ph_reducer_on"))["change"].mean()
    assert after_dose < -0.05 < 0.0 < without  # type: ignore[operator]


def test_simulate__air_is_warmer_in_the_afternoon_than_before_dawn(week: pl.DataFrame) -> None:
    hour = pl.col("timestamp_key").dt.hour()
    afternoon = week.filter(hour == 14)["air_temperature"].mean()
    dawn = week.filter(hour == 4)["air_temperature"].mean()
    assert afternoon - dawn > 2.0  # type: ignore[operator]


def test_simulate__same_arguments_give_the_same_frame_and_another_seed_another() -> None:
    first, again, other = (
        simulate(2, START, START + timedelta(hours=6), seed, FIVE_MINUTES, Faults(spike=20.0)) for seed in (1, 1, 2)
    )
    assert first.equals(again)
    assert not first.equals(other)


def test_simulate__a_later_end_and_more_systems_only_add_rows() -> None:
    short = simulate(1, START, START + timedelta(days=1), 5, FIVE_MINUTES, Faults())
    long = simulate(3, START, START + timedelta(days=2), 5, FIVE_MINUTES, Faults())
    assert short.join(long, on=short.columns, how="anti", nulls_equal=True).is_empty()


def test_simulate__flags_follow_the_faulty_reading_and_rows_come_in_order_of_arrival() -> None:
    faults = Faults(zeros=20.0, late=4.0)
    frame = simulate(1, START, START + timedelta(days=1), 5, FIVE_MINUTES, faults)
    zeros = frame.filter(pl.col("ph_level") == 0.0)
    assert len(zeros)
    assert not zeros["is_ph_optimal"].any()
    assert frame["ingestion_timestamp"].is_sorted()
    assert not frame["timestamp_key"].is_sorted()


@pytest.mark.parametrize("cadence", [timedelta(seconds=10), timedelta(minutes=1), timedelta(hours=1)], ids=str)
def test_simulate__keeps_the_asked_cadence(cadence: timedelta) -> None:
    frame = simulate(1, START, START + timedelta(hours=3), 3, cadence)
    assert len(frame) == timedelta(hours=3) // cadence
    distance = frame["timestamp_key"].sort().diff().drop_nulls()
    assert (distance.cast(pl.Int64) / 1e6 - cadence.total_seconds()).abs().max() <= 0.25 * cadence.total_seconds()  # type: ignore[operator]


def test_simulate__writes_the_wall_clock_of_the_farm_and_the_instant_of_arrival() -> None:
    utc = simulate(1, START, START + timedelta(hours=2), 3, FIVE_MINUTES)
    farm = simulate(1, START, START + timedelta(hours=2), 3, FIVE_MINUTES, timezone="Europe/Amsterdam")
    assert (farm["timestamp_key"] - utc["timestamp_key"]).unique().to_list() == [timedelta(hours=1)]
    assert farm["ingestion_timestamp"].equals(utc["ingestion_timestamp"])


def test_simulate__one_hour_ahead_inertia_and_day_cycle_beat_persistence_but_not_trivially(week: pl.DataFrame) -> None:
    """A straight line on the last hour and the time of day, fitted on five days, judged on the last two."""
    one = week.filter(pl.col("system_id") == "system_1").sort("timestamp_key")
    air = one["air_temperature"].to_numpy()
    hour = (one["timestamp_key"].dt.hour() + one["timestamp_key"].dt.minute() / 60).to_numpy() * np.pi / 12
    steps = 12
    t = np.arange(steps, len(air) - steps)
    inputs = np.column_stack(
        [np.ones(len(t)), air[t] - air[t - steps], air[t], np.sin(hour[t]), np.cos(hour[t]), np.sin(2 * hour[t])]
    )
    change = air[t + steps] - air[t]
    train = t < 5 * 288
    weights = np.linalg.lstsq(inputs[train], change[train], rcond=None)[0]
    model = np.abs(inputs[~train] @ weights - change[~train]).mean()
    persistence = np.abs(change[~train]).mean()
    assert 0.1 < 1.0 - model / persistence < 0.8


@pytest.mark.parametrize(
    ("systems", "days", "cadence"),
    [(0, 1, 60), (1, 0, 60), (1, -1, 60), (1, 1, 0)],
    ids=["no system", "empty period", "end before start", "no cadence"],
)
def test_simulate__refuses_impossible_arguments(systems: int, days: int, cadence: int) -> None:
    with pytest.raises(ValueError, match="systems >= 1"):
        simulate(systems, START, START + timedelta(days=days), 1, timedelta(seconds=cadence))
