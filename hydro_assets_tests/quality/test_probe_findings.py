from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from hydro_assets.quality.probe_findings import dead_probes

LIMIT = timedelta(minutes=5)
N = 300
rng = np.random.default_rng(5)
NOISE = rng.uniform(18, 25, N)
WALK = 21 + np.cumsum(rng.normal(0, 0.1, N))


def readings(values: np.ndarray, every: timedelta = timedelta(seconds=10)) -> pl.DataFrame:
    start = datetime(2026, 1, 5)
    return pl.DataFrame({"timestamp_key": [start + i * every for i in range(len(values))], "water_temperature": values})


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        pytest.param(NOISE, "is white noise", id="noise"),
        pytest.param(np.full(N, 21.5), "stuck at 21.5", id="stuck"),
        pytest.param(np.zeros(N), "constant zero: a disconnected probe", id="zero"),
    ],
)
def test_dead_probes__name_a_probe_that_measures_nothing(values: np.ndarray, sentence: str) -> None:
    (finding,) = dead_probes(readings(values), LIMIT)
    assert (finding.passed, finding.severity) == (False, "warn")
    assert sentence in finding.sentence


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(readings(WALK), id="a slow walk"),
        pytest.param(readings(21.5 + rng.normal(0, 0.02, N)), id="noise as narrow as a good probe's"),
        pytest.param(readings(NOISE[:50]), id="too few readings to tell"),
        pytest.param(readings(NOISE, timedelta(hours=1)), id="too far apart to be near each other"),
    ],
)
def test_dead_probes__leave_a_working_probe_alone(frame: pl.DataFrame) -> None:
    assert all(f.passed for f in dead_probes(frame, LIMIT))


def test_dead_probes__judge_each_system_by_itself() -> None:
    good, bad = readings(WALK), readings(NOISE)
    both = pl.concat([good.with_columns(system_id=pl.lit("a")), bad.with_columns(system_id=pl.lit("b"))])
    (finding,) = dead_probes(both, LIMIT)
    assert "of b is white noise" in finding.sentence
    assert "of a" not in finding.sentence
