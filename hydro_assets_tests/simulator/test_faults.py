from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from hydro_assets.simulator.faults import TWIN_ID_OFFSET, Faults, inject, plan_episodes
from hydro_assets.tables import SENSOR

START = datetime(2024, 3, 4, tzinfo=UTC)
END = START + timedelta(days=3)
CENTRES = {
    "ph_level": 6.0, "tds_level": 1000.0, "air_temperature": 24.0, "air_humidity": 60.0, "water_temperature": 21.0
}  # fmt: skip
PROBES = list(CENTRES)


def simulated(faults: Faults) -> pl.DataFrame:
    """Three days of one system, a reading each five minutes, every probe wandering about its centre."""
    taken = pl.datetime_range(START, END, timedelta(minutes=5), closed="left", time_zone="UTC", eager=True)
    noise = np.random.default_rng(3).standard_normal((len(CENTRES), len(taken)))
    readings = pl.DataFrame(
        {"system_id": "system_1", "taken": taken, "reading_id": range(1, len(taken) + 1), "delay_seconds": 2.0}
        | {name: np.round(c * (1.0 + 0.01 * n), 2) for (name, c), n in zip(CENTRES.items(), noise, strict=True)}
    )
    return inject(readings, faults, seed=11).sort("taken", "reading_id", "delay_seconds")


def only(**rates: float) -> Faults:
    return replace(Faults.none(), **rates)


@pytest.fixture(scope="module")
def clean() -> pl.DataFrame:
    return simulated(Faults.none())


def changed(frame: pl.DataFrame, clean: pl.DataFrame) -> list[str]:
    return [name for name in PROBES if not frame[name].equals(clean[name])]


def test_none__changes_nothing(clean: pl.DataFrame) -> None:
    assert len(clean) == 3 * 288
    assert clean["reading_id"].is_sorted()
    assert clean["delay_seconds"].unique().to_list() == [2.0]


def test_gap__takes_readings_away_in_one_stretch(clean: pl.DataFrame) -> None:
    frame = simulated(only(gap=0.7))
    assert len(frame) < len(clean)
    assert frame["taken"].diff().max() > timedelta(minutes=10)  # type: ignore[operator]
    assert frame.join(clean, on=frame.columns, how="anti", nulls_equal=True).is_empty()


def test_stuck__repeats_the_last_value_for_an_hour_or_more(clean: pl.DataFrame) -> None:
    frame = simulated(only(stuck=0.7))
    probe = changed(frame, clean)[0]
    longest = frame.select(pl.col(probe).rle().struct.field("len").max()).item()
    assert longest >= 12
    assert frame["taken"].equals(clean["taken"])


def test_noisy__spreads_a_probe_around_its_signal(clean: pl.DataFrame) -> None:
    frame = simulated(only(noisy=0.7))
    probe = changed(frame, clean)[0]
    error = (frame[probe] - clean[probe]).filter(frame[probe] != clean[probe])
    assert len(error) >= 10
    assert abs(error.mean()) < error.std()  # type: ignore[operator,arg-type]


def test_zeros__stand_in_for_readings_that_cannot_be_zero(clean: pl.DataFrame) -> None:
    frame = simulated(only(zeros=2.0))
    assert set(changed(frame, clean)) <= {"ph_level", "tds_level", "air_humidity"}
    assert any((frame[name] == 0.0).any() for name in changed(frame, clean))


def test_saturated__sits_at_the_end_of_the_range(clean: pl.DataFrame) -> None:
    frame = simulated(only(saturated=1.0))
    probes = changed(frame, clean)
    assert probes
    for probe in probes:
        assert frame[probe].filter(frame[probe] != clean[probe]).unique().to_list() == [SENSOR[probe].high]


def test_spike__is_one_reading_outside_the_physical_range(clean: pl.DataFrame) -> None:
    frame = simulated(only(spike=1.0))
    spikes = {p: frame[p].filter(frame[p] != clean[p]) for p in changed(frame, clean)}
    assert 1 <= sum(len(values) for values in spikes.values()) <= 12
    assert not any(values.is_between(SENSOR[p].low, SENSOR[p].high).any() for p, values in spikes.items())


def test_late__readings_arrive_together_hours_later(clean: pl.DataFrame) -> None:
    frame = simulated(only(late=0.5))
    late = frame.filter(pl.col("delay_seconds") > 1800)
    arrivals = late.select((pl.col("taken").dt.epoch("ms") / 1e3 + pl.col("delay_seconds")).round()).to_series()
    assert len(late) >= 6
    assert arrivals.n_unique() <= 5 < len(late)
    assert frame.drop("delay_seconds").equals(clean.drop("delay_seconds"))


def test_out_of_order__readings_are_overtaken_by_later_ones(clean: pl.DataFrame) -> None:
    frame = simulated(only(out_of_order=0.1))
    arrival = frame["taken"].dt.epoch("s") + frame["delay_seconds"]
    assert not arrival.is_sorted()
    assert frame["delay_seconds"].max() <= 602.0  # type: ignore[operator]
    assert frame.drop("delay_seconds").equals(clean.drop("delay_seconds"))


def test_duplicates__are_the_same_reading_twice(clean: pl.DataFrame) -> None:
    frame = simulated(only(duplicates=0.05))
    assert len(frame) > len(clean)
    assert frame.drop("delay_seconds").unique(maintain_order=True).equals(clean.drop("delay_seconds"))


def test_twins__are_the_same_moment_under_another_reading_id(clean: pl.DataFrame) -> None:
    frame = simulated(only(twins=0.05))
    twins = frame.filter(pl.col("reading_id") > TWIN_ID_OFFSET)
    assert len(twins) == len(frame) - len(clean) > 0
    assert twins["taken"].is_in(clean["taken"].to_list()).all()


def test_plan_episodes__of_a_day_do_not_depend_on_the_other_days() -> None:
    days = [date(2024, 3, 4), date(2024, 3, 5), date(2024, 3, 6)]
    whole = plan_episodes(Faults(gap=1.0, spike=3.0), 1, 0, days)
    one = plan_episodes(Faults(gap=1.0, spike=3.0), 1, 0, days[1:2])
    assert one == [e for e in whole if e.start.date() == days[1]]


def test_plan_episodes__occur_at_their_rate() -> None:
    days = [date(2024, 1, 1) + timedelta(days=i) for i in range(2000)]
    gaps = plan_episodes(only(gap=0.15), 1, 0, days)
    assert 240 < len(gaps) < 360
    assert all(timedelta(minutes=5) <= e.end - e.start <= timedelta(days=1) for e in gaps)


@pytest.mark.parametrize("rates", [{"gap": -0.1}, {"duplicates": 1.5}], ids=str)
def test_faults__refuse_impossible_rates(rates: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(rates))):
        Faults(**rates)
