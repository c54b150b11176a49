"""Ask the tables whether it is time to train again."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from hydro_assets.lakehouse import Lakehouse
from hydro_assets.lakehouse.tables import POLARS_TYPES
from hydro_assets.monitoring.rules import RetrainDecision, decide_retrain
from hydro_assets.settings import Settings
from hydro_assets.tables import FEATURE_DRIFT, PREDICTION_ACCURACY, Table, names


def retrain_decision(
    lakehouse: Lakehouse, settings: Settings, day: date, last_training: date | None
) -> RetrainDecision:
    """`rules.decide_retrain` over the last `monitoring.window_days` days up to `day`; absent tables give no reason."""
    start, end = day - timedelta(days=settings.monitoring.window_days - 1), day + timedelta(days=1)
    quality = _quality_by_day(lakehouse, start, end) if lakehouse.exists(names.BATCH_PREDICTIONS) else {}
    accuracy, drift = (_rows(lakehouse, table, start, end) for table in (PREDICTION_ACCURACY, FEATURE_DRIFT))
    return decide_retrain(accuracy, drift, quality, settings, day, last_training)


def _quality_by_day(lakehouse: Lakehouse, start: date, end: date) -> dict[str, dict[str, int]]:
    """Rows per day and prediction_quality; read without Spark, which a host may not have."""
    rows = lakehouse.read_polars(names.BATCH_PREDICTIONS, start, end, ["date", "prediction_quality"])
    counts: dict[str, dict[str, int]] = {}
    for day, quality, n in rows.group_by("date", "prediction_quality").len().iter_rows():
        counts.setdefault(str(day), {})[quality] = n
    return counts


def _rows(lakehouse: Lakehouse, table: Table, start: date, end: date) -> pl.DataFrame:
    if not lakehouse.exists(table.name):
        return pl.DataFrame(schema={c.name: POLARS_TYPES[c.type] for c in table.columns})
    return lakehouse.read_polars(table.name, start, end, table.column_names)
