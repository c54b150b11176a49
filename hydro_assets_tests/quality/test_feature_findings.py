from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import polars as pl
import pytest

from hydro_assets.errors import DataContractError
from hydro_assets.features.spec import FeatureSpec
from hydro_assets.features.system_features import features_of_system
from hydro_assets.quality import Finding, raise_if_bad
from hydro_assets.quality.feature_findings import day_findings, training_window_findings
from hydro_assets.settings import Settings
from hydro_assets.tables import SENSOR
from hydro_assets_tests.builders.gold_rows import gold_rows

START = datetime(2026, 1, 5)


@pytest.fixture
def spec(settings: Settings) -> FeatureSpec:
    return FeatureSpec.for_farm(settings, rows().columns)


@pytest.fixture
def features(spec: FeatureSpec) -> pl.DataFrame:
    return features_of_system(rows(), spec, "a")


def rows() -> pl.DataFrame:
    return gold_rows(1, START, timedelta(hours=30), timedelta(seconds=60), gaps=((2.0, 3.0), (26.0, 26.5)))


def failed(findings: list[Finding]) -> dict[str, str]:
    return {f.name: f.severity for f in findings if not f.passed}


def test_day_findings__pass_what_the_feature_store_makes(
    features: pl.DataFrame, spec: FeatureSpec, settings: Settings
) -> None:
    second_day = features.filter(pl.col("date") > START.date())
    for frame in (features, second_day):
        assert failed(day_findings(frame, spec.table, settings)) == {}


def spoil(name: str, value: object, row: int = 5) -> Callable[[pl.DataFrame], pl.DataFrame]:
    def change(frame: pl.DataFrame) -> pl.DataFrame:
        hit = pl.int_range(pl.len()) == row
        return frame.with_columns(pl.when(hit).then(value).otherwise(name).cast(frame.schema[name]).alias(name))

    return change


@pytest.mark.parametrize(
    ("change", "name", "severity", "sentence"),
    [
        pytest.param(lambda f: f.drop("ph_level_mean_1h"), "schema", "error", "ph_level_mean_1h is missing", id="lost"),
        pytest.param(
            lambda f: f.with_columns(pl.col("ph_level").cast(pl.Float32)), "schema", "error", "Float32", id="type"
        ),
        pytest.param(lambda f: pl.concat([f, f[:3]]), "unique_keys", "error", "3 of", id="repeated keys"),
        pytest.param(spoil("ph_level", 42.0), "ranges", "error", "1 x ph_level (1 .. 13)", id="out of range"),
        pytest.param(spoil("ph_level_std", float("nan")), "ranges", "error", "1 x ph_level_std", id="not a number"),
        pytest.param(
            lambda f: f.with_columns(pl.lit(None, pl.Float64).alias("ph_level")),
            "null_share",
            "warn",
            "ph_level is unknown in 100.0%",
            id="a dead probe warns",
        ),
        pytest.param(
            lambda f: f.with_columns(pl.lit(6.0).alias("ph_level_lag_5min")),
            "crossed_gaps",
            "error",
            "rows hold values from before a gap over 5min",
            id="a lag over a gap",
        ),
        pytest.param(
            lambda f: f.with_columns(pl.lit(0.0).alias("missing_share_1h")), "crossed_gaps", "error", "gap", id="window"
        ),
    ],
)
def test_day_findings__name_the_fault_with_its_numbers(
    features: pl.DataFrame,
    spec: FeatureSpec,
    settings: Settings,
    change: Callable[[pl.DataFrame], pl.DataFrame],
    name: str,
    severity: str,
    sentence: str,
) -> None:
    found = {f.name: f for f in day_findings(change(features), spec.table, settings)}
    assert (found[name].passed, found[name].severity) == (False, severity)
    assert sentence in found[name].sentence


def test_day_findings__a_window_that_row_counts_would_make_is_found(spec: FeatureSpec, settings: Settings) -> None:
    frame = features_of_system(rows(), spec, "a")
    by_rows = frame.with_columns(pl.col("ph_level").shift(5).alias("ph_level_lag_5min"))
    assert failed(day_findings(by_rows, spec.table, settings)) == {"crossed_gaps": "error"}


def test_training_window_findings__pass_a_good_window(features: pl.DataFrame, settings: Settings) -> None:
    assert failed(training_window_findings(features, settings)) == {}


@pytest.mark.parametrize(
    ("change", "name", "severity"),
    [
        pytest.param(lambda f: f.drop("reading_count"), "columns", "error", id="no column of the table"),
        pytest.param(lambda f: f.drop("ph_level"), "target", "warn", id="no target column: another stands for it"),
        pytest.param(lambda f: f.drop([n for n in SENSOR if n in f.columns]), "target", "error", id="no sensor at all"),
        pytest.param(lambda f: f[:100], "minimum_records", "error", id="too few records"),
        pytest.param(lambda f: f.clear(), "minimum_records", "error", id="empty"),
        pytest.param(lambda f: pl.concat([f, f]), "unique_keys", "error", id="twice"),
        pytest.param(
            lambda f: f.with_columns(pl.when(pl.int_range(pl.len()) < 9).then("ph_level")),
            "target_known",
            "error",
            id="nearly unknown",
        ),
        pytest.param(lambda f: f.with_columns(pl.lit(6.0).alias("ph_level")), "target_moves", "warn", id="constant"),
        pytest.param(spoil("ph_level", 42.0), "target_range", "error", id="impossible target"),
        pytest.param(
            lambda f: f.with_columns(pl.lit(True).alias("is_ph_level_noise_only")),
            "target_measured",
            "warn",
            id="noise",
        ),
        pytest.param(lambda f: f.drop("air_humidity"), "sensors_complete", "warn", id="no humidity"),
        pytest.param(lambda f: f.filter(pl.col("date") == START.date()), "span", "warn", id="one day"),
    ],
)
def test_training_window_findings__name_what_is_wrong(
    features: pl.DataFrame,
    settings: Settings,
    change: Callable[[pl.DataFrame], pl.DataFrame],
    name: str,
    severity: str,
) -> None:
    assert failed(training_window_findings(change(features), settings))[name] == severity


def test_raise_if_bad__tells_all_problems_in_one_error(features: pl.DataFrame, settings: Settings) -> None:
    bad = spoil("ph_level", 42.0)(features[:100])
    with pytest.raises(DataContractError) as caught:
        raise_if_bad(training_window_findings(bad, settings), "Mend Gold")
    assert "fewer than 1,000" in str(caught.value)
    assert "lie outside 1 .. 13" in str(caught.value)


def test_raise_if_bad__a_warning_stops_nothing(features: pl.DataFrame, settings: Settings) -> None:
    found = training_window_findings(features.drop("air_humidity"), settings)
    assert any(not f.passed for f in found)
    raise_if_bad(found, "Mend Gold")
