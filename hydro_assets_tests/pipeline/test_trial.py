from __future__ import annotations

from datetime import UTC, datetime

from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.trial import TRIAL, TRIAL_TABLE, try_out
from hydro_assets.registry.mlflow_client import mlflow_client


def test_trial__writes_and_registers_and_takes_both_back(lakehouse: Lakehouse) -> None:
    told = list(try_out(lakehouse, datetime(2026, 3, 2, tzinfo=UTC)))
    assert [sentence.partition(":")[0] for sentence in told] == ["smoke write", "registered version"]
    assert not lakehouse.exists(TRIAL_TABLE.name)
    assert [m.name for m in mlflow_client(lakehouse.settings).search_registered_models() if TRIAL in m.name] == []
