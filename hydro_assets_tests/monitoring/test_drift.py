from __future__ import annotations

from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from hydro_assets.forecasting.package import FeatureReference
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.monitoring.drift import bin_counts, drift_of_day, psi
from hydro_assets.monitoring.drift_days import measure_drift
from hydro_assets.scoring.members import ServingModels
from hydro_assets.settings import Settings
from hydro_assets.tables import sensor_features_table
from hydro_assets_tests.builders.stand_ins import MINUTE, feature_rows

DAY = date(2024, 3, 1)


def reference_of(values: np.ndarray) -> FeatureReference:
    known = values[~np.isnan(values)]
    deciles = tuple(np.quantile(known, np.linspace(0, 1, 11))) if known.size else ()
    return FeatureReference(deciles=deciles, missing_share=1 - known.size / values.size)


def index(train: np.ndarray, live: np.ndarray) -> float | None:
    references = {"lstm": {"x": reference_of(train)}}
    counts = bin_counts(pl.DataFrame({"x": live}), references).filter(pl.col("bin") >= 0).sort("bin")
    return psi(references["lstm"]["x"], counts["count"].to_numpy())


NORMAL = np.random.default_rng(1).normal(size=5000)


def test_same_distribution__has_an_index_near_zero() -> None:
    assert index(NORMAL, np.random.default_rng(2).normal(size=5000)) == pytest.approx(0, abs=0.01)


def test_shift_of_one_deviation__is_over_the_limit() -> None:
    found = index(NORMAL, NORMAL + 1)
    assert found is not None
    assert found > 0.25


def test_index__equals_the_formula() -> None:
    train = np.arange(1000.0)
    live = np.concatenate([np.arange(0, 500.0), np.arange(0, 500.0)])  # the lower five deciles only
    shares = np.array([0.2] * 5 + [1e-4] * 5)
    assert index(train, live) == pytest.approx(((shares - 0.1) * np.log(shares / 0.1)).sum(), rel=0.01)


@pytest.mark.parametrize("share", [0.0, 0.03, 0.08])
def test_rare_switch__is_no_drift_while_it_stays_rare(share: float) -> None:
    train = (np.random.default_rng(3).random(4000) < 0.04).astype(float)
    live = (np.random.default_rng(4).random(4000) < share).astype(float)
    assert index(train, live) == pytest.approx(0, abs=1e-9)


def test_switch_that_is_on_half_the_time_now__is_drift() -> None:
    train = (np.random.default_rng(3).random(4000) < 0.04).astype(float)
    found = index(train, 1.0 * (np.arange(4000) % 2))
    assert found is not None
    assert found > 0.25


@pytest.mark.parametrize("value", [4.9, 5.1])
def test_constant__that_moves_either_way_is_drift(value: float) -> None:
    assert index(np.full(100, 5.0), np.full(100, 5.0)) == pytest.approx(0)
    found = index(np.full(100, 5.0), np.full(100, value))
    assert found is not None
    assert found > 1


@pytest.mark.parametrize(
    ("train", "live"),
    [
        pytest.param(np.full(9, np.nan), NORMAL, id="never measured in training"),
        pytest.param(NORMAL, np.full(9, np.nan), id="not measured now"),
    ],
)
def test_feature_without_values__has_no_index(train: np.ndarray, live: np.ndarray) -> None:
    assert index(train, live) is None


def test_missing_share__is_beside_that_of_training() -> None:
    references = {"lstm": {"x": reference_of(np.array([1.0, 2.0, np.nan, 4.0])), "gone": reference_of(NORMAL)}}
    frame = pl.DataFrame({"x": [1.0, None, None, float("nan")]})
    counts = bin_counts(frame, references).with_columns(date=pl.lit(DAY))
    rows = drift_of_day(counts, references, {"lstm": "3"}, DAY, 7)
    shares = dict(rows.select("feature", "missing_share").iter_rows())
    assert shares == {"x": 0.75, "gone": 1.0}
    assert rows["reference_missing_share"].to_list() == [0.25, 0.0]
    assert rows["version"].unique().to_list() == ["3"]


def test_day__is_compared_with_the_days_before_it() -> None:
    references = {"lstm": {"x": reference_of(NORMAL)}}
    days = [
        bin_counts(pl.DataFrame({"x": NORMAL + shift}), references).with_columns(date=pl.lit(DAY + timedelta(days=i)))
        for i, shift in enumerate([0.0, 0.0, 5.0])
    ]
    counts = pl.concat(days)
    alone = drift_of_day(counts, references, {}, DAY + timedelta(days=2), 1).row(0, named=True)
    three = drift_of_day(counts, references, {}, DAY + timedelta(days=2), 3).row(0, named=True)
    assert (alone["days"], three["days"]) == (1, 3)
    assert alone["psi"] > three["psi"] > 0.25
    assert drift_of_day(counts, references, {}, DAY + timedelta(days=3), 3).is_empty()


def test_drift_table__counts_all_systems_and_replaces_its_days(lakehouse: Lakehouse, settings: Settings) -> None:
    frame = pl.concat([feature_rows(list(range(-1440, 1440, 10)), system=name) for name in "ab"])
    table = sensor_features_table(MINUTE, ["ph_level", "tds_level"], [])
    lakehouse.replace_days(table, frame, DAY - timedelta(days=1), DAY + timedelta(days=1))
    reference = {name: reference_of(frame[name].to_numpy()) for name in ("ph_level", "tds_level")}
    info: Any = SimpleNamespace(reference=reference, features=("tds_level",), target_names=("ph_level",))
    models = ServingModels({"gru": SimpleNamespace(info=info)}, {"gru": "2"})  # type: ignore[dict-item]
    for _ in range(2):
        facts = measure_drift(lakehouse, settings, models, DAY, DAY + timedelta(days=1))
    stored = lakehouse.read_polars("predictions.feature_drift").sort("feature")
    assert stored["feature"].to_list() == ["ph_level", "tds_level"]
    assert stored["n"].to_list() == [2 * 288] * 2
    assert stored["psi"][0] == pytest.approx(0, abs=0.02)
    assert facts.rows_by_day == {"2024-03-01": 2}
    assert facts.drifted_share == {"gru": 0.0}
