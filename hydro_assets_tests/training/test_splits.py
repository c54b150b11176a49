from datetime import timedelta

import numpy as np
import pytest

from hydro_assets.errors import DataContractError
from hydro_assets.training.splits import rolling_origins, split_by_time
from hydro_assets_tests.builders.synthetic import START, STEP

EMBARGO = timedelta(minutes=30)


def minutes(*ranges: range) -> np.ndarray:
    start = int(START.timestamp()) * 1_000_000
    return np.array([start + 60_000_000 * m for r in ranges for m in r])


def test_split__cuts_by_share_of_rows_and_keeps_the_embargo() -> None:
    times = minutes(range(1000))
    split = split_by_time(times, STEP, EMBARGO, 0.7, 0.1)
    assert split.validation_start == START + 700 * STEP
    assert split.holdout_start == START + 800 * STEP
    assert split.validation_start - split.train_end == EMBARGO
    assert split.holdout_start - split.validation_end == EMBARGO
    assert [split.rows(p, times).size for p in ("train", "validation", "holdout")] == [670, 70, 200]


def test_split__cuts_all_systems_at_the_same_time() -> None:
    times = minutes(range(1000), range(500, 1000))
    split = split_by_time(times, STEP, EMBARGO, 0.7, 0.1)
    for part in ("train", "validation", "holdout"):
        first, second = (times[:1000][split.rows(part, times[:1000])], times[1000:][split.rows(part, times[1000:])])
        assert second.size == 0 or (second.min() >= first.min() and second.max() <= first.max())


def test_split__refuses_a_history_that_the_embargo_eats_up() -> None:
    with pytest.raises(DataContractError, match="too few .* validation would be empty.*longer history"):
        split_by_time(minutes(range(200)), STEP, EMBARGO, 0.7, 0.1)


def test_rolling_origins__cover_the_holdout_once_and_learn_only_from_before() -> None:
    times = minutes(range(2000))
    one = split_by_time(times, STEP, EMBARGO, 0.7, 0.1)
    folds = rolling_origins(times, STEP, EMBARGO, 0.7, 0.1, 3)
    held = np.concatenate([f.rows("holdout", times) for f in folds])
    np.testing.assert_array_equal(held, one.rows("holdout", times))
    assert all(f.train_end < f.validation_start < f.holdout_start for f in folds)


def test_rolling_origins__of_one_fold_is_the_split_of_training() -> None:
    times = minutes(range(1000), range(1500, 2000))
    assert rolling_origins(times, STEP, EMBARGO, 0.7, 0.1, 1) == [split_by_time(times, STEP, EMBARGO, 0.7, 0.1)]


def test_split__of_a_long_history_holds_out_no_more_than_allowed() -> None:
    times = minutes(range(10000))
    split = split_by_time(times, STEP, EMBARGO, 0.7, 0.1, timedelta(minutes=500))
    assert split.holdout_end - split.holdout_start == 500 * STEP
    assert split.holdout_start - split.validation_start == 500 * STEP
