from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from hydro_assets.defs.assets.predictions import prediction_assets
from hydro_assets.defs.keys import BATCH_PREDICTIONS, FORECASTS
from hydro_assets.settings import Settings

DAY = "2024-03-01"


class Lakehouse:
    """What the asset asks of a lakehouse after scoring."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def get(self) -> Lakehouse:
        return self

    def exists(self, name: str) -> bool:
        return False

    def read(self, name: str) -> Any:
        return SimpleNamespace(columns=["ph_level"])

    def uri(self, name: str) -> str:
        return f"/lake/{name}"


@pytest.mark.parametrize("selected", [[FORECASTS], [BATCH_PREDICTIONS], [FORECASTS, BATCH_PREDICTIONS]], ids=str)
def test_predictions__either_table_alone_can_be_asked_for_and_both_are_reported(
    make_settings: Any, monkeypatch: pytest.MonkeyPatch, selected: list[dg.AssetKey]
) -> None:
    settings = make_settings(partitions_start=date(2024, 3, 1))
    scored = SimpleNamespace(
        rows=3,
        versions={"lstm": "1"},
        feature_version=7,
        forecasts_by_day={DAY: 12},
        rows_by_day={DAY: 3},
        quality_by_day={DAY: {"ok": 3}},
    )
    monkeypatch.setattr("hydro_assets.pipeline.scoring.batch_inference", lambda *_: scored)
    resources = {
        "lakehouse": dg.ResourceDefinition.hardcoded_resource(Lakehouse(settings)),
        "step_launcher": dg.ResourceDefinition.none_resource(),
    }
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [prediction_assets(settings)],
            selection=selected,
            partition_key=DAY,
            resources=resources,
            instance=instance,
        )
        assert result.success
        for key in (FORECASTS, BATCH_PREDICTIONS):
            assert instance.get_materialized_partitions(key) == {DAY}
