"""One battery for every learner and every base forecast."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hydro_assets.forecasting.actuals import actuals
from hydro_assets.forecasting.base import BaseForecast
from hydro_assets.forecasting.grid import TimeGrid
from hydro_assets.forecasting.learner import Learner, Task
from hydro_assets.forecasting.model import Bases
from hydro_assets.training.fit_boosting import fit_boosting
from hydro_assets.training.fit_recurrent import fit_recurrent
from hydro_assets.training.samples import LearnerFit, Samples
from hydro_assets_tests.builders.synthetic import STEP, quick, synthetic_rows

SETTINGS = quick()
TASK = Task.of(("ph_level", "tds_level"), (1, 5), SETTINGS.sequence_length, STEP, SETTINGS.gap_limit)
LEARNERS: dict[str, Callable[[Samples], LearnerFit]] = {
    "lstm": lambda data: fit_recurrent("lstm", data, SETTINGS.recurrent, 1, print),
    "gru": lambda data: fit_recurrent("gru", data, SETTINGS.recurrent, 1, print),
    "lightgbm": lambda data: fit_boosting(data, SETTINGS.lightgbm, ["is_env_optimal"], 1, print),
}
every_learner = pytest.mark.parametrize("learn", list(LEARNERS.values()), ids=list(LEARNERS))


def samples(frame: pl.DataFrame) -> Samples:
    grid = TimeGrid.of(frame, STEP, SETTINGS.gap_limit, TASK.padding)
    actual = np.stack([actuals(grid, target, TASK.horizons) for target in TASK.targets], axis=1)
    last = np.stack([grid.values(target) for target in TASK.targets], axis=1)
    base = np.repeat(np.nan_to_num(last, nan=6.0)[:, :, None], len(TASK.horizons), axis=2)
    cut = int(len(grid) * 0.7)
    return Samples(TASK, grid, actual, base, np.arange(cut), np.arange(cut + 20, len(grid) - 20))


def rows_of(data: Samples) -> np.ndarray:
    return np.arange(len(data.grid))


def forecast(learner: Learner, data: Samples) -> np.ndarray:
    return learner.predict(data.grid, rows_of(data), data.base)


@every_learner
def test_learner__fitted_twice_gives_equal_forecasts(learn: Callable[[Samples], LearnerFit]) -> None:
    data = samples(synthetic_rows(600))
    np.testing.assert_array_equal(*(forecast(learn(data).learner, data) for _ in range(2)))


@every_learner
def test_learner__saved_and_loaded_forecasts_the_same(learn: Callable[[Samples], LearnerFit], tmp_path: Path) -> None:
    data = samples(synthetic_rows(600))
    learner = learn(data).learner
    again = type(learner).load(TASK, tmp_path, learner.save(tmp_path))
    np.testing.assert_array_equal(forecast(again, data), forecast(learner, data))
    probabilities = [one.probability(data.grid, rows_of(data), data.base) for one in (again, learner)]
    np.testing.assert_array_equal(*probabilities)
    assert again.describe_inputs() == learner.describe_inputs()
    assert again.labels == learner.labels


@every_learner
def test_learner__forecasts_in_the_targets_units(learn: Callable[[Samples], LearnerFit]) -> None:
    data = samples(synthetic_rows(600))
    made = forecast(learn(data).learner, data)[30:]
    assert made.shape[1:] == (2, 2)
    assert ((made[:, 0] > 5) & (made[:, 0] < 7)).all()
    assert ((made[:, 1] > 900) & (made[:, 1] < 1100)).all()


@every_learner
def test_learner__takes_null_rows_and_a_dead_sensor(learn: Callable[[Samples], LearnerFit]) -> None:
    holes = pl.int_range(pl.len()) % 7 == 0
    frame = synthetic_rows(600).with_columns(
        ph_level=pl.when(holes).then(None).otherwise("ph_level"), air_humidity=pl.lit(None, pl.Float64)
    )
    data = samples(frame)
    assert np.isfinite(forecast(learn(data).learner, data)[20:]).all()


@every_learner
def test_learner__takes_a_series_of_one_value(learn: Callable[[Samples], LearnerFit]) -> None:
    data = samples(synthetic_rows(600).with_columns(ph_level=pl.lit(6.0)))
    np.testing.assert_allclose(forecast(learn(data).learner, data)[20:, 0], 6.0, atol=1e-6)


@every_learner
def test_learner__takes_a_series_of_thirty_rows(learn: Callable[[Samples], LearnerFit]) -> None:
    learner, short = learn(samples(synthetic_rows(600))).learner, samples(synthetic_rows(30, seed=5))
    assert np.isfinite(forecast(learner, short)).all()


@every_learner
def test_learner__forecasts_no_rows_as_no_rows(learn: Callable[[Samples], LearnerFit]) -> None:
    data = samples(synthetic_rows(600))
    none = np.empty(0, np.int64)
    assert learn(data).learner.predict(data.grid, none, data.base[none]).shape == (0, 2, 2)


@every_learner
def test_learner__does_not_see_the_future(learn: Callable[[Samples], LearnerFit]) -> None:
    frame = synthetic_rows(600)
    data = samples(frame)
    learner = learn(data).learner
    late = pl.int_range(pl.len()) >= 300
    changed = samples(
        frame.with_columns(
            pl.when(late).then(pl.col(c) * 1.1).otherwise(c).alias(c) for c in ("ph_level", "tds_level", "air_humidity")
        )
    )
    np.testing.assert_array_equal(forecast(learner, changed)[:300], forecast(learner, data)[:300])


def base_of(frame: pl.DataFrame) -> tuple[TimeGrid, BaseForecast]:
    data = samples(frame)
    return data.grid, BaseForecast.fit(data.grid, TASK, "ph_level", data.actual[:, 0], data.train, data.validation)


def test_base__saved_and_loaded_forecasts_the_same() -> None:
    grid, base = base_of(synthetic_rows(600))
    again = BaseForecast.from_json(TASK, base.to_json())
    assert again.digest == base.digest
    rows = np.arange(600)
    np.testing.assert_array_equal(again.simple(grid, rows), base.simple(grid, rows))


@pytest.mark.parametrize("value", ["swing", "constant"])
def test_base__forecasts_null_rows_and_constants_in_the_targets_unit(value: str) -> None:
    level = pl.lit(6.0) if value == "constant" else pl.col("ph_level")
    holes = pl.int_range(pl.len()) % 7 == 0
    grid, base = base_of(synthetic_rows(600).with_columns(ph_level=pl.when(holes).then(None).otherwise(level)))
    made = Bases(grid).of(base, np.arange(600))
    assert ((made.base[20:] > 5.5) & (made.base[20:] < 6.5)).all()
    assert (made.expected[20:] >= 0).all()


def test_base__knows_nothing_where_the_target_is_stale() -> None:
    minute = pl.int_range(pl.len())
    frame = synthetic_rows(600)
    _, base = base_of(frame)
    silent = frame.with_columns(ph_level=pl.when(minute < 400).then("ph_level"))
    made = Bases(TimeGrid.of(silent, STEP, timedelta(minutes=5), TASK.padding)).of(base, np.arange(600))
    assert np.isnan(made.base[410:]).all()
    assert np.isfinite(made.base[20:400]).all()


def test_baseline__is_the_best_of_three_on_validation() -> None:
    steps = np.arange(4 * 1440)
    daily = synthetic_rows(steps.size).with_columns(ph_level=pl.Series(6 + 0.5 * np.sin(steps * 2 * np.pi / 1440) ** 3))
    task = Task.of(("ph_level",), (1, 360), 12, STEP, SETTINGS.gap_limit)
    grid = TimeGrid.of(daily, STEP, SETTINGS.gap_limit, task.padding)
    actual, cut = actuals(grid, "ph_level", task.horizons), 3 * 1440
    base = BaseForecast.fit(grid, task, "ph_level", actual, np.arange(cut), np.arange(cut, steps.size - 360))
    assert base.baseline == ("same_time_yesterday", "same_time_yesterday")
    _, noise = base_of(
        synthetic_rows(600).with_columns(ph_level=pl.Series(6 + np.random.default_rng(0).normal(size=600)))
    )
    assert noise.baseline == ("short_mean", "short_mean")
