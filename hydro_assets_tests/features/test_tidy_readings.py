from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from hydro_assets.features.spec import FeatureSpec
from hydro_assets.features.system_features import features_of_system
from hydro_assets.features.tidy_readings import tidy_readings
from hydro_assets.settings import Settings

AMSTERDAM = "Europe/Amsterdam"
FORWARD = datetime(2026, 3, 28, 23, tzinfo=UTC)  # 02:00 becomes 03:00 at 01:00 UTC
BACKWARD = datetime(2026, 10, 24, 22, tzinfo=UTC)  # 03:00 becomes 02:00 at 01:00 UTC


def wall_clock(start: datetime, cadence: timedelta, n: int) -> pl.DataFrame:
    """Readings every `cadence` as a farm in Amsterdam writes them, and the true instant beside."""
    instants = pl.Series([start + i * cadence for i in range(n)]).cast(pl.Datetime("us", "UTC"))
    return pl.DataFrame(
        {
            "reading_id": range(n),
            "timestamp_key": instants.dt.convert_time_zone(AMSTERDAM).dt.replace_time_zone(None),
            "ph_level": [6.0 + i / 10_000 for i in range(n)],
            "instant": instants,
        }
    )


def spec_for(settings: Settings, gold: pl.DataFrame) -> FeatureSpec:
    return FeatureSpec.for_farm(settings, gold.columns)


@pytest.mark.parametrize("start", [FORWARD, BACKWARD], ids=["forward", "backward"])
@pytest.mark.parametrize("cadence", ["10s", "5min", "30min", "1h"])
def test_tidy_readings__a_clock_change_loses_and_repeats_no_step(
    make_settings: Callable[..., Settings], start: datetime, cadence: str
) -> None:
    settings = make_settings(timezone=AMSTERDAM, feature_step=cadence)
    gold = wall_clock(start, settings.feature_step, int(timedelta(hours=6) / settings.feature_step))
    shuffled = gold.sample(fraction=1, shuffle=True, seed=1)
    tidy = tidy_readings(shuffled, spec_for(settings, gold))
    assert tidy["timestamp"].to_list() == gold["instant"].to_list()
    features = features_of_system(shuffled, spec_for(settings, gold), "a")
    assert features["timestamp"].to_list() == gold["instant"].to_list()
    assert features["ph_level"].to_list() == gold["ph_level"].to_list()


def test_tidy_readings__a_repeated_hour_is_told_apart_by_arrival_where_gold_has_no_id(
    make_settings: Callable[..., Settings],
) -> None:
    gold = wall_clock(BACKWARD, timedelta(minutes=1), 360).with_columns(
        (pl.col("instant") + timedelta(seconds=30)).alias("ingestion_timestamp")
    )
    without_id = gold.drop("reading_id").sample(fraction=1, shuffle=True, seed=1)
    tidy = tidy_readings(without_id, spec_for(make_settings(timezone=AMSTERDAM), gold))
    assert tidy["timestamp"].to_list() == gold["instant"].to_list()


def test_tidy_readings__a_wall_time_that_the_clock_skipped_is_read_with_the_offset_before(
    make_settings: Callable[..., Settings],
) -> None:
    gold = pl.DataFrame({"timestamp_key": [datetime(2026, 3, 29, 2, 30)], "ph_level": [6.0]})
    tidy = tidy_readings(gold, spec_for(make_settings(timezone=AMSTERDAM), gold))
    assert tidy["timestamp"].to_list() == [datetime(2026, 3, 29, 1, 30, tzinfo=UTC)]


def test_tidy_readings__the_row_that_arrived_last_corrects_an_earlier_one(settings: Settings) -> None:
    moment = datetime(2026, 1, 5, 12)
    gold = pl.DataFrame(
        {
            "reading_id": [2, 1],
            "timestamp_key": [moment, moment],
            "ph_level": [5.0, 6.0],
            "ingestion_timestamp": [moment + timedelta(minutes=1), moment + timedelta(hours=5)],
        }
    )
    for rows in (gold, gold.reverse()):
        assert tidy_readings(rows, spec_for(settings, gold))["ph_level"].to_list() == [6.0]


def test_tidy_readings__a_label_of_utc_on_the_wall_clock_changes_nothing(
    make_settings: Callable[..., Settings],
) -> None:
    gold = wall_clock(FORWARD, timedelta(minutes=5), 20)
    labelled = gold.with_columns(pl.col("timestamp_key").dt.replace_time_zone("UTC"))
    spec = spec_for(make_settings(timezone=AMSTERDAM), gold)
    assert tidy_readings(labelled, spec)["timestamp"].to_list() == gold["instant"].to_list()


def test_tidy_readings__rows_of_one_instant_are_merged_column_by_column(settings: Settings) -> None:
    moment = datetime(2026, 1, 5, 12)
    gold = pl.DataFrame(
        {
            "reading_id": [1, 2, 3, 4],
            "timestamp_key": [moment, moment, moment, moment + timedelta(minutes=1)],
            "ph_level": [6.0, None, None, 6.1],
            "air_humidity": [None, 55.0, 56.0, None],
        }
    )
    for rows in (gold, gold.reverse()):
        tidy = tidy_readings(rows, spec_for(settings, gold))
        assert tidy.select("ph_level", "air_humidity").rows() == [(6.0, 56.0), (6.1, None)]
