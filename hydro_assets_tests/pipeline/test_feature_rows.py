from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from hydro_assets.errors import TableError
from hydro_assets.forecasting.grid import TimeGrid
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.feature_rows import feature_rows
from hydro_assets.tables import Column, Table, names

TABLE = Table(
    names.SENSOR_FEATURES,
    (
        Column("system_id", "string", "", "system", nullable=False),
        Column("timestamp", "timestamp", "", "when", nullable=False),
        Column("ph_level", "double", "pH", "acidity"),
        Column("is_env_optimal", "boolean", "", "all in band"),
        Column("date", "date", "", "day", nullable=False),
    ),
    "A farm's trial table.",
    keys=("system_id", "timestamp"),
    partition_by="date",
    time_column="timestamp",
)
START = datetime(2026, 1, 1, tzinfo=UTC)


def fill(lakehouse: Lakehouse, days: int = 3, value: float = 6.0) -> None:
    hours = [START + timedelta(hours=h) for h in range(24 * days)]
    frame = pl.DataFrame(
        {
            "system_id": ["b", "a"] * len(hours),
            "timestamp": [h for h in hours for _ in range(2)],
            "ph_level": [value + 0.1 * (i % 7) if i % 5 else None for i in range(2 * len(hours))],
            "is_env_optimal": [i % 3 == 0 for i in range(2 * len(hours))],
            "date": [h.date() for h in hours for _ in range(2)],
        }
    )
    lakehouse.ensure(TABLE)
    lakehouse.replace_days(TABLE, frame, date(2026, 1, 1), date(2026, 1, 1) + timedelta(days=days))


@pytest.mark.parametrize("rows_at_once", [1, 100, 10_000])
def test_feature_rows__are_the_table_by_system_and_time_whatever_the_pieces(
    lakehouse: Lakehouse, rows_at_once: int
) -> None:
    fill(lakehouse)
    with feature_rows(lakehouse, rows_at_once=rows_at_once) as (features, version):
        assert features.equals(lakehouse.read_polars(names.SENSOR_FEATURES).sort("system_id", "timestamp"))
        assert version == lakehouse.version(names.SENSOR_FEATURES)


def test_feature_rows__are_laid_on_their_grid_without_a_copy(lakehouse: Lakehouse) -> None:
    fill(lakehouse)
    with feature_rows(lakehouse) as (features, _):
        hour = timedelta(hours=1)
        assert TimeGrid.of(features, hour, 2 * hour, padding=3).frame is features


def test_feature_rows__of_an_empty_table_are_none(lakehouse: Lakehouse) -> None:
    lakehouse.ensure(TABLE)
    with feature_rows(lakehouse) as (features, _):
        assert features.is_empty()
        assert set(TABLE.column_names) == set(features.columns)


def test_feature_rows__without_a_table_say_what_to_do(lakehouse: Lakehouse) -> None:
    with pytest.raises(TableError, match="does not exist"), feature_rows(lakehouse):
        pass


def test_feature_rows__are_of_one_version_though_the_table_is_written(
    lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(lakehouse)
    read, written = Lakehouse.read_polars, []

    def read_and_be_overtaken(self: Lakehouse, *args: object, **kwargs: object) -> pl.DataFrame:
        frame = read(self, *args, **kwargs)  # type: ignore[arg-type]
        if len(written) < times:
            written.append(fill(self, value=7.0))
        return frame

    monkeypatch.setattr(Lakehouse, "read_polars", read_and_be_overtaken)
    times = 1
    with feature_rows(lakehouse, rows_at_once=1) as (features, version):
        assert features["ph_level"].min() == 7.0
        assert version == lakehouse.version(names.SENSOR_FEATURES)
    written.clear()
    times = 99
    with pytest.raises(TableError, match="Train again"), feature_rows(lakehouse, rows_at_once=1):
        pass
