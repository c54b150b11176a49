"""One battery for every forecaster, baselines included."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hydro_assets.forecasting.baselines import Persistence, ShortMean
from hydro_assets.forecasting.contract import Forecaster, Samples, Task
from hydro_assets.forecasting.gradient_boosting import LightGBMForecaster
from hydro_assets.forecasting.local_linear import LocalLinear
from hydro_assets.forecasting.recurrent import RecurrentForecaster
from hydro_assets.forecasting.windows import SegmentGrid
from hydro_assets_tests.builders.synthetic import STEP, farm, quick

SETTINGS = quick()
TASK = Task.of("ph_level", (1, 5), SETTINGS.sequence_length, STEP, SETTINGS.gap_limit)
MEMBERS: dict[str, Callable[[], Forecaster]] = {
    "persistence": lambda: Persistence(TASK),
    "short_mean": lambda: ShortMean(TASK),
    "trend": lambda: LocalLinear(TASK, robust=False),
    "recent_trend": lambda: LocalLinear(TASK, robust=True, recent_share=0.25),
    "lstm": lambda: RecurrentForecaster("lstm", TASK, SETTINGS.recurrent, SETTINGS.seed),
    "gru": lambda: RecurrentForecaster("gru", TASK, SETTINGS.recurrent, SETTINGS.seed),
    "gru_level": lambda: RecurrentForecaster(
        "gru", TASK, SETTINGS.recurrent.model_copy(update={"predict_change": False}), SETTINGS.seed
    ),
    "lightgbm": lambda: LightGBMForecaster(TASK, SETTINGS.lightgbm, SETTINGS.seed),
    "lightgbm_level": lambda: LightGBMForecaster(
        TASK, SETTINGS.lightgbm.model_copy(update={"predict_change": False}), SETTINGS.seed
    ),
}
every_member = pytest.mark.parametrize("make", list(MEMBERS.values()), ids=list(MEMBERS))


def samples(frame: pl.DataFrame) -> Samples:
    grid = SegmentGrid.of(frame, STEP, SETTINGS.gap_limit, TASK.history_steps - 1)
    truth = grid.ahead("ph_level", TASK.horizons)
    anchor = Persistence(TASK).predict(grid, np.arange(len(grid)), truth)
    cut = int(len(grid) * 0.7)
    return Samples(grid, truth, anchor, np.arange(cut), np.arange(cut + 20, len(grid) - 20))


def fitted(make: Callable[[], Forecaster], data: Samples) -> np.ndarray:
    member = make()
    member.fit(data, lambda line: None)
    return member.predict(data.grid, np.arange(len(data.grid)), data.anchor)


@every_member
def test_member__fitted_twice_gives_equal_forecasts(make: Callable[[], Forecaster]) -> None:
    data = samples(farm(600))
    np.testing.assert_array_equal(fitted(make, data), fitted(make, data))


@every_member
def test_member__saved_and_loaded_forecasts_the_same(make: Callable[[], Forecaster], tmp_path: Path) -> None:
    data, member = samples(farm(600)), make()
    member.fit(data, lambda line: None)
    again = type(member).load(TASK, tmp_path, member.save(tmp_path))
    rows = np.arange(len(data.grid))
    np.testing.assert_array_equal(
        again.predict(data.grid, rows, data.anchor), member.predict(data.grid, rows, data.anchor)
    )
    assert again.describe_inputs() == member.describe_inputs()


@every_member
def test_member__forecasts_in_the_targets_unit(make: Callable[[], Forecaster]) -> None:
    forecast = fitted(make, samples(farm(600)))[30:]
    assert forecast.shape[1] == 2
    assert ((forecast > 5) & (forecast < 7)).all()


@every_member
def test_member__takes_null_rows_and_a_dead_sensor(make: Callable[[], Forecaster]) -> None:
    holes = pl.int_range(pl.len()) % 7 == 0
    frame = farm(600).with_columns(
        ph_level=pl.when(holes).then(None).otherwise("ph_level"), air_humidity=pl.lit(None, pl.Float64)
    )
    assert np.isfinite(fitted(make, samples(frame))[20:]).all()


@every_member
def test_member__takes_a_series_of_one_value(make: Callable[[], Forecaster]) -> None:
    data = samples(farm(600).with_columns(ph_level=pl.lit(6.0)))
    np.testing.assert_allclose(fitted(make, data)[20:], 6.0, atol=1e-6)


@every_member
def test_member__takes_a_series_of_thirty_rows(make: Callable[[], Forecaster]) -> None:
    data = samples(farm(600))
    member = make()
    member.fit(data, lambda line: None)
    short = samples(farm(30, seed=5))
    assert np.isfinite(member.predict(short.grid, np.arange(30), short.anchor)).all()


@every_member
def test_member__forecasts_no_rows_as_no_rows(make: Callable[[], Forecaster]) -> None:
    data, member = samples(farm(600)), make()
    member.fit(data, lambda line: None)
    none = np.empty(0, np.int64)
    assert member.predict(data.grid, none, data.anchor[none]).shape == (0, 2)


@every_member
def test_member__forecasts_do_not_see_the_future(make: Callable[[], Forecaster]) -> None:
    frame, member = farm(600), make()
    data = samples(frame)
    member.fit(data, lambda line: None)
    before = member.predict(data.grid, np.arange(300), data.anchor[:300])
    late = pl.int_range(pl.len()) >= 300
    changed = samples(
        frame.with_columns(
            pl.when(late).then(pl.col(c) * 1.1).otherwise(c).alias(c) for c in ("ph_level", "tds_level", "air_humidity")
        )
    )
    np.testing.assert_array_equal(member.predict(changed.grid, np.arange(300), data.anchor[:300]), before)
