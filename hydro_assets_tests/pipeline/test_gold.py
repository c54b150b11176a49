from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hydro_assets.errors import DataContractError, TableError
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.gold import add_readings, import_export, require_fitting_grid
from hydro_assets.settings import Settings
from hydro_assets.simulator.greenhouse import simulate
from hydro_assets.tables import sensor_features_table


def hourly(lakehouse: Lakehouse) -> None:
    start = datetime(2026, 3, 2, tzinfo=UTC)
    add_readings(lakehouse, simulate(1, start, start + timedelta(days=3), 5, timedelta(hours=1)))


def test_require_fitting_grid__names_the_step_for_slow_readings(lakehouse: Lakehouse) -> None:
    hourly(lakehouse)
    with pytest.raises(DataContractError, match="every 1h.*--step 1h"):
        require_fitting_grid(lakehouse)
    assert not lakehouse.exists("feature_store.sensor_features")


def test_require_fitting_grid__accepts_a_grid_that_is_filled(
    lakehouse: Lakehouse, make_settings: Callable[..., Settings]
) -> None:
    hourly(lakehouse)
    require_fitting_grid(Lakehouse(make_settings(feature_step="1h")))


def test_require_fitting_grid__refuses_another_grid_than_the_table_has(
    lakehouse: Lakehouse, make_settings: Callable[..., Settings]
) -> None:
    hourly(lakehouse)
    lakehouse.ensure(sensor_features_table(timedelta(hours=1), ["ph_level"], []))
    with pytest.raises(TableError, match="feature_step = 1h, not 3h"):
        require_fitting_grid(Lakehouse(make_settings(feature_step="3h")))


def test_import__says_at_once_that_a_column_is_in_another_unit(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    rows = [f"2026-03-02 11:{minute:02d}:00,6.0,900,75.2,60\n" for minute in range(20)]
    (tmp_path / "farm.csv").write_text("timestamp,pH,TDS,DHT_temp,DHT_humidity\n" + "".join(rows))
    lakehouse = Lakehouse(make_settings(minimum_records=10))
    done = import_export(lakehouse, tmp_path / "farm.csv", None, datetime(2026, 3, 3, tzinfo=UTC))
    assert done.added == 20
    assert [n for n in done.notes if "20 air_temperature cells lie outside" in n and "another unit" in n]
