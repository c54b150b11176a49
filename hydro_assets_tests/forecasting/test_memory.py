"""What is remembered of rows is what would be computed again."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl
from polars.testing import assert_frame_equal

from hydro_assets.forecasting.memory import RowMemory
from hydro_assets.scoring.members import look_back
from hydro_assets.scoring.score_system import score_system
from hydro_assets.settings import Settings
from hydro_assets_tests.builders.served_farm import NOW, QUICK, STEP, feature_rows, served


def test_forecasts_with_a_memory__equal_those_without_row_after_row() -> None:
    models, settings = served(), Settings(**QUICK)
    rows = feature_rows().filter(system_id="system_1")
    back, memory = look_back(models.packages, settings), RowMemory()

    def score(newest: datetime, memory: RowMemory | None) -> pl.DataFrame:
        history = rows.filter(pl.col("timestamp").is_between(newest - back, newest))
        return score_system(history, models.packages, models.versions, settings, newest, newest + STEP, NOW, memory)

    for newest in rows["timestamp"][-12:]:
        assert_frame_equal(score(newest, memory), score(newest, None), check_exact=False, rel_tol=0.0, abs_tol=1e-9)


def test_memory__computes_each_row_once_and_forgets_old_ones() -> None:
    memory, asked = RowMemory(), []

    def compute(at: np.ndarray, times: np.ndarray) -> np.ndarray:
        asked.append(times[at].tolist())
        return times[at, None] * 2.0

    for times in ([1, 2], [2, 3], [1, 2, 3]):
        at = np.array(times)
        assert memory.of("doubled", at, lambda new, at=at: compute(new, at)).tolist() == [[2.0 * t] for t in times]
    assert asked == [[1, 2], [3]]
    memory.keep(2, 9)
    memory.of("doubled", np.array([1, 2]), lambda new: compute(new, np.array([1, 2])))
    assert asked == [[1, 2], [3], [1]]
