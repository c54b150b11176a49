from __future__ import annotations

from collections.abc import Callable

import pytest

from hydro_assets.defs.partitions import FALLBACK_START, feature_days, first_day
from hydro_assets.lakehouse import delta_log
from hydro_assets.settings import Settings


@pytest.mark.parametrize(
    "where",
    [
        pytest.param({"lakehouse_uri": "s3://farm/tables"}, id="an object store"),
        pytest.param({"environment": "databricks"}, id="a catalog"),
    ],
)
def test_definitions__load_without_asking_tables_elsewhere(
    make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, where: dict[str, str]
) -> None:
    def asked(*_: object) -> None:
        raise AssertionError("a table was read while the definitions are loaded")

    monkeypatch.setattr(delta_log.StorageLog, "days", asked)
    assert first_day(make_settings(**where)) == FALLBACK_START
    assert feature_days(make_settings(**where, partitions_start="2025-06-01")).start.strftime("%F") == "2025-06-01"
