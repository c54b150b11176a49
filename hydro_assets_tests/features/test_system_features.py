from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from hydro_assets.features.spec import FeatureSpec
from hydro_assets.features.system_features import features_of_system
from hydro_assets.settings import Settings
from hydro_assets_tests.builders.gold_rows import gold_rows
from hydro_assets_tests.builders.pandas_reference import reference_features

MONDAY = datetime(2026, 1, 5)
quick = hypothesis_settings(
    max_examples=10, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def spec_of(settings: Settings, gold: pl.DataFrame) -> FeatureSpec:
    return FeatureSpec.for_farm(settings, gold.columns)


def assert_same(made: pl.DataFrame, expected: pl.DataFrame, tolerance: float = 0.0) -> None:
    assert made.columns == expected.columns
    assert made.height == expected.height
    for name in made.columns:
        if made.schema[name] == pl.Float64:
            a, b = made[name].to_numpy(), expected[name].to_numpy()
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True, err_msg=name)
        else:
            assert made[name].equals(expected[name]), name


def to_polars(reference: pd.DataFrame, like: pl.DataFrame) -> pl.DataFrame:
    records = reference.astype(object).where(reference.notna(), None).to_dict("records")
    return pl.DataFrame(
        {n: [r[n] for r in records] for n in like.columns}, schema=dict(like.schema), strict=False
    ).sort("timestamp")


@pytest.mark.parametrize(
    ("step", "cadence", "hours", "gaps", "outages"),
    [
        pytest.param("1min", 20, 5, ((0.5, 0.7), (1.0, 1.2)), (("ph_level", 2.0, 2.5),), id="20 s readings"),
        pytest.param("2min", 150, 15, ((1.0, 1.5),), (), id="slower than the step"),
        pytest.param("5min", 100, 60, ((10.0, 36.5), (40.0, 40.3)), (("tds_level", 41.0, 50.0),), id="day-long gap"),
        pytest.param(
            "1h", 900, 240, ((30.0, 60.0), (200.0, 201.5)), (("ph_level", 100.0, 140.0),), id="hourly, probe out 40 h"
        ),
        pytest.param("6h", 7200, 480, ((100.0, 130.0),), (), id="coarsest grid"),
    ],
)
def test_features_of_system__agree_with_the_pandas_reference(
    make_settings: Callable[..., Settings],
    step: str,
    cadence: int,
    hours: float,
    gaps: tuple[tuple[float, float], ...],
    outages: tuple[tuple[str, float, float], ...],
) -> None:
    gold = gold_rows(7, MONDAY, timedelta(hours=hours), timedelta(seconds=cadence), gaps, outages)
    spec = spec_of(make_settings(feature_step=step), gold)
    made = features_of_system(gold, spec, "a")
    frame = gold.to_pandas().astype(object)
    expected = reference_features(_with_nan(frame, gold), spec, "a")
    assert_same(made, to_polars(expected, made), 1e-9)


def _with_nan(frame: pd.DataFrame, gold: pl.DataFrame) -> pd.DataFrame:
    """Null and NaN are told apart, which pandas' own conversion does not."""
    for name in gold.columns:
        frame[name] = pd.Series(
            [pd.Timestamp(v) if isinstance(v, datetime) else v for v in gold[name].to_list()], dtype=object
        )
    return frame


@given(seed=st.integers(0, 10_000), late=st.integers(0, 60), copies=st.integers(0, 60))
@quick
def test_features_of_system__order_lateness_and_duplicates_of_readings_do_not_matter(
    settings: Settings, seed: int, late: int, copies: int
) -> None:
    gold = gold_rows(seed, MONDAY, timedelta(hours=6), timedelta(seconds=60), gaps=((2.0, 3.0),))
    spec = spec_of(settings, gold)
    rng = np.random.default_rng(seed)
    moved = list(rng.permutation(gold.height)) + list(rng.integers(0, gold.height, copies))
    untidy = gold[moved]
    untidy = pl.concat([untidy[late:], untidy[:late]])
    assert_same(features_of_system(untidy, spec, "a"), features_of_system(gold, spec, "a"))


@given(seed=st.integers(0, 10_000), cut=st.integers(1, 359), remove=st.booleans(), value=st.floats(-1e9, 1e9))
@quick
def test_features_of_system__no_later_reading_moves_an_earlier_row(
    settings: Settings, seed: int, cut: int, remove: bool, value: float
) -> None:
    gold = gold_rows(seed, MONDAY, timedelta(hours=6), timedelta(seconds=60), gaps=((2.0, 2.5),))
    spec = spec_of(settings, gold)
    moment = MONDAY + timedelta(minutes=cut)
    later = pl.col("timestamp_key") >= moment
    if remove:
        changed = gold.filter(~later)
    else:
        sensors = [pl.when(later).then(value).otherwise(pl.col(n)).alias(n) for n in spec.sensors]
        changed = gold.with_columns(
            *sensors, *(pl.when(later).then(True).otherwise(n).alias(n) for n in spec.actuators)
        )
    end = moment.replace(tzinfo=UTC)
    assert_same(
        features_of_system(changed, spec, "a", end=end),
        features_of_system(gold, spec, "a", end=end),
    )


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), 1e12])
def test_features_of_system__one_bad_reading_stays_in_the_windows_that_contain_it(
    settings: Settings, bad: float
) -> None:
    gold = gold_rows(3, MONDAY, timedelta(hours=30), timedelta(seconds=60), bad_share=0)
    spec = spec_of(settings, gold)
    hit = gold.with_row_index().with_columns(
        pl.when(pl.col("index") == 100).then(bad).otherwise("ph_level").alias("ph_level")
    )
    clean = features_of_system(gold, spec, "a")
    dirty = features_of_system(hit.drop("index"), spec, "a")
    moment = gold["timestamp_key"][100].replace(tzinfo=UTC)
    away = (pl.col("timestamp") < moment - timedelta(minutes=1)) | (
        pl.col("timestamp") > moment + timedelta(hours=24, minutes=1)
    )
    assert_same(dirty.filter(away), clean.filter(away), 1e-9)
    floats = dirty.select(pl.col(pl.Float64))
    assert floats.select(pl.all().is_nan().any() | pl.all().is_infinite().any()).row(0) == (False,) * floats.width


def test_features_of_system__a_bad_cell_keeps_its_row_and_is_flagged(settings: Settings) -> None:
    gold = pl.DataFrame(
        {
            "timestamp_key": [MONDAY + timedelta(minutes=i) for i in range(5)],
            "ph_level": [6.0, 0.0, 99.0, None, 6.2],
            "air_temperature": [20.0, 0.0, float("nan"), 21.0, 60.0],
        }
    )
    made = features_of_system(gold, spec_of(settings, gold), "a")
    assert made["ph_level"].to_list() == [6.0, None, None, None, 6.2]
    assert made["is_ph_level_placeholder_zero"].to_list() == [False, True, False, False, False]
    assert made["is_ph_level_out_of_range"].to_list() == [False, False, True, False, False]
    assert made["air_temperature"].to_list() == [20.0, 0.0, None, 21.0, None]
    assert made["is_air_temperature_saturated"].to_list() == [False, False, False, False, True]


def test_features_of_system__cells_of_a_stuck_probe_and_of_mere_noise_are_null_from_when_it_shows(
    settings: Settings,
) -> None:
    n = 500
    rng = np.random.default_rng(1)
    gold = pl.DataFrame(
        {
            "timestamp_key": [MONDAY + timedelta(minutes=i) for i in range(n)],
            "ph_level": [6.03] * n,
            "water_temperature": rng.uniform(18, 25, n),
            "air_temperature": 22 + np.cumsum(rng.normal(0, 0.05, n)),
        }
    )
    made = features_of_system(gold, spec_of(settings, gold), "a")
    last = made.row(-1, named=True)
    flags = {n: v for n, v in last.items() if n.endswith(("_stuck", "_noise_only")) and v}
    assert flags == {"is_ph_level_stuck": True, "is_water_temperature_noise_only": True}
    assert (last["ph_level"], last["ph_level_count"], last["ph_level_mean_1h"]) == (None, 0, None)
    assert (last["water_temperature"], last["water_temperature_max"]) == (None, None)
    assert last["air_temperature"] is not None
    # Nobody could know of it in the first hour and a half: half of three hours of steps.
    assert made["ph_level"].null_count() == n - 89
    assert made["ph_level"][:89].to_list() == [6.03] * 89


@pytest.mark.parametrize(
    ("digits", "hours", "stuck"),
    [
        pytest.param(1, 20, False, id="0.1 pH may rest all night"),
        pytest.param(1, 30, True, id="0.1 pH at rest for more than a day"),
        pytest.param(2, 4, True, id="0.01 pH is stuck after three hours"),
        pytest.param(2, 1, False, id="0.01 pH after an hour"),
    ],
)
def test_features_of_system__stuck_is_judged_by_the_resolution_of_the_probe(
    settings: Settings, digits: int, hours: int, stuck: bool
) -> None:
    moving = [round(6 + 0.3 * math.sin(i / 200), digits) for i in range(24 * 60)]
    resting = [moving[-1]] * (hours * 60)
    gold = pl.DataFrame(
        {
            "timestamp_key": [MONDAY + timedelta(minutes=i) for i in range(len(moving + resting))],
            "ph_level": moving + resting,
        }
    )
    made = features_of_system(gold, spec_of(settings, gold), "a")
    assert made["is_ph_level_stuck"][-1] is stuck
    assert made["is_ph_level_stuck"][: len(moving)].sum() == 0


def test_features_of_system__a_saturated_cell_is_null_and_its_neighbours_are_not(settings: Settings) -> None:
    gold = pl.DataFrame(
        {
            "timestamp_key": [MONDAY + timedelta(seconds=20 * i) for i in range(6)],
            "tds_level": [900.0, 5000.0, 901.0, 5000.0, 5000.0, 5000.0],
        }
    )
    made = features_of_system(gold, spec_of(settings, gold), "a")
    assert made["tds_level"].to_list() == [900.5, None]
    assert made["tds_level_count"].to_list() == [2, 0]
    assert made["is_tds_level_saturated"].to_list() == [True, True]


def test_features_of_system__nothing_crosses_a_gap(settings: Settings) -> None:
    minutes = [0, 1, 2, 3, 9, 10]  # 6 minutes apart with a limit of 5
    gold = pl.DataFrame(
        {
            "timestamp_key": [MONDAY + timedelta(minutes=m) for m in minutes],
            "ph_level": [6.0, 6.1, 6.2, 6.3, 5.0, 5.1],
            "is_ph_reducer_on": [True, False, False, False, False, False],
        }
    )
    made = features_of_system(gold, spec_of(settings, gold), "a")
    assert made["ph_level_lag_1min"].to_list() == [None, 6.0, 6.1, 6.2, None, 5.0]
    assert made["ph_reducer_minutes_since_on"].to_list() == [0, 1, 2, 3, None, None]
    assert made["ph_level_change_per_min"][4] is None
    assert made["minutes_since_previous"].to_list() == [None, 1, 1, 1, 6, 1]


def test_features_of_system__a_distance_of_the_gap_limit_is_no_gap(settings: Settings) -> None:
    gold = pl.DataFrame(
        {"timestamp_key": [MONDAY, MONDAY + timedelta(minutes=5)], "ph_level": [6.0, 6.5]},
    )
    made = features_of_system(gold, spec_of(settings, gold), "a")
    assert made["ph_level_lag_5min"].to_list() == [None, 6.0]


def test_features_of_system__without_readings_has_no_rows_but_all_columns(settings: Settings) -> None:
    gold = gold_rows(1, MONDAY, timedelta(hours=1), timedelta(minutes=1)).clear()
    spec = spec_of(settings, gold)
    made = features_of_system(gold, spec, "a")
    assert (made.height, made.columns) == (0, spec.table.column_names)
