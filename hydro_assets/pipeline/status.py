"""What there is: rows of every table, and the measured errors of the versions that serve."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from hydro_assets.durations import duration_text
from hydro_assets.forecasting.baselines import BASELINES
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.scoring import serving_models
from hydro_assets.settings import Settings
from hydro_assets.tables import names

TABLES = (
    names.IOT_DATA,
    names.SENSOR_FEATURES,
    names.BATCH_PREDICTIONS,
    names.SYSTEM_OUTLOOK,
    names.PREDICTION_ACCURACY,
    names.FEATURE_DRIFT,
    names.PROMOTION_LOG,
)


@dataclass(frozen=True)
class TableCount:
    name: str
    rows: int
    days: str
    version: int


@dataclass(frozen=True)
class ErrorRow:
    kind: str
    version: str
    horizon: str
    split: str
    n: int
    mae: float | None
    persistence: float | None
    short_mean: float | None


@dataclass(frozen=True)
class ModelErrors:
    target: str
    unit: str
    rows: tuple[ErrorRow, ...]


def table_counts(lakehouse: Lakehouse) -> list[TableCount]:
    """Rows, days and Delta version of every table that exists."""
    counts = []
    for name in TABLES:
        version = lakehouse.version(name)
        if version is None:
            continue
        frame = lakehouse.read(name)
        if {"date", "timestamp_key"} & set(frame.columns):
            by_day = lakehouse.rows_by_day(name)
            days = list(by_day)
            span = f"{days[0]} .. {days[-1]}" if days else ""
            counts.append(TableCount(name, sum(by_day.values()), span, version.version))
        else:
            counts.append(TableCount(name, frame.count(), "", version.version))
    return counts


def model_errors(settings: Settings) -> list[ModelErrors]:
    """Validation and holdout MAE of each serving model beside both baselines, from the package itself."""
    models = serving_models(settings)
    rows = []
    target, unit = settings.target_col, ""
    for kind, package in models.packages.items():
        unit = package.info.unit
        measured = {(m["split"], m["horizon"], m["model"]): m for m in package.info.metrics}
        for split, horizon in sorted({key[:2] for key in measured}, key=lambda k: (k[1], k[0] != "validation")):
            own = measured.get((split, horizon, kind))
            base = [measured.get((split, horizon, b), {}).get("mae") for b in BASELINES]
            ahead = duration_text(timedelta(seconds=horizon * package.info.step_seconds))
            n = own["n"] if own else 0
            rows.append(ErrorRow(kind, models.versions[kind], ahead, split, n, own["mae"] if own else None, *base))
    return [ModelErrors(target, unit, tuple(rows))] if rows else []
