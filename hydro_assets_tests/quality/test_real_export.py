"""A real export: day-long gaps, a dead water probe, constant actuators, one class of label. It warns; nothing stops."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from hydro_assets.features.spec import FeatureSpec
from hydro_assets.features.system_features import features_of_system
from hydro_assets.ingest.export import read_export
from hydro_assets.quality import feature_findings, gold_findings, probe_findings
from hydro_assets.settings import Settings

EXPORT = next(Path(__file__).parents[3].glob("*/data/*/iot_raw_2023-12-21_26.csv"), None)
pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(EXPORT is None, reason="no real export beside the checkout"),
]


@pytest.fixture
def readings(settings: Settings) -> pl.DataFrame:
    assert EXPORT is not None
    return read_export(EXPORT, None, datetime(2024, 1, 1, tzinfo=UTC), settings).frame


def test_gold__every_day_may_be_built_from(readings: pl.DataFrame) -> None:
    for (day,), rows in readings.group_by("date"):
        assert [f.sentence for f in gold_findings.day_findings(rows, day) if f.stops] == []  # type: ignore[arg-type]


def test_gold__only_the_water_probe_is_dead(readings: pl.DataFrame, settings: Settings) -> None:
    dead = [f.sentence for f in probe_findings.dead_probes(readings, settings.gap_limit) if not f.passed]
    assert len(dead) == 1
    assert "water_temperature" in dead[0]
    assert "white noise" in dead[0]
    assert all(f.passed for f in gold_findings.cadence(readings, settings))


def test_features__may_be_trained_on(readings: pl.DataFrame, settings: Settings) -> None:
    spec = FeatureSpec.for_farm(settings, readings.columns)
    made = features_of_system(readings, spec, settings.default_system)
    assert [f.sentence for f in feature_findings.day_findings(made, spec.table, settings) if f.stops] == []
    assert [f.sentence for f in feature_findings.training_window_findings(made, settings) if f.stops] == []
