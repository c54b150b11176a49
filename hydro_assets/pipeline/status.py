"""What there is: rows of every table, and the measured errors of the versions that serve."""

from __future__ import annotations

from dataclasses import dataclass

from hydro_assets.durations import duration_text
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.outdated import outdated_days, outdated_models, predictions_are_current
from hydro_assets.pipeline.scoring import serving_models
from hydro_assets.settings import Settings
from hydro_assets.tables import BASELINES, names

TABLES = (
    names.IOT_DATA,
    names.SENSOR_FEATURES,
    names.FORECASTS,
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
    """A serving model on one part of the rows. `baseline` is the best of the three on the same rows."""

    kind: str
    version: str
    lead_time: str
    split: str
    n: int
    mae: float
    baseline: str
    baseline_mae: float

    @property
    def skill(self) -> float | None:
        return 1 - self.mae / self.baseline_mae if self.baseline_mae > 0 else None


@dataclass(frozen=True)
class ModelErrors:
    """All of one target."""

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
    """Holdout MAE of each serving model per target and lead time beside the best baseline, from the package itself."""
    models = serving_models(settings)
    found: dict[str, list[ErrorRow]] = {}
    units: dict[str, str] = {}
    for kind, package in models.packages.items():
        info = package.info
        measured = {(m["split"], m["target"], m["horizon"], m["model"]): m for m in info.metrics}
        units |= {target.name: target.unit for target in info.targets}
        for target in info.target_names:
            for horizon in info.horizons:
                cell = {name: measured.get(("holdout", target, horizon, name)) for name in (kind, *BASELINES)}
                own = cell.pop(kind)
                known = {name: row["mae"] for name, row in cell.items() if row is not None and row["mae"] is not None}
                if own is None or own["mae"] is None or not known:
                    continue
                best = min(known, key=known.__getitem__)
                ahead, version = duration_text(horizon * info.step), models.versions[kind]
                row = ErrorRow(kind, version, ahead, "holdout", own["n"], own["mae"], best, known[best])
                found.setdefault(target, []).append(row)
    order = {duration_text(h * settings.feature_step): h for h in settings.horizons}
    return [
        ModelErrors(target, units[target], tuple(sorted(rows, key=lambda r: order.get(r.lead_time, 0))))
        for target, rows in found.items()
    ]


def next_step(lakehouse: Lakehouse) -> str:
    """What a farm with tables needs next: a command and the reason."""
    if not lakehouse.exists(names.IOT_DATA):
        return "hydro import FILE, because Gold holds no reading"
    settings = lakehouse.settings
    if settings.table_root is None and settings.sql_warehouse_id is None:
        return "hydro verify; without HYDRO_SQL_WAREHOUSE_ID nothing here can read what the tables were made from"
    if days := outdated_days(lakehouse).days:
        return f"hydro run, because features of {len(days)} days are missing or older than Gold or the settings"
    if kinds := outdated_models(lakehouse):
        return f"hydro run, because {', '.join(kinds)} did not learn from the features and settings of now"
    if not predictions_are_current(lakehouse):
        return "hydro run, because predictions are older than features, models or settings"
    return "hydro report for the farm on one page, hydro dev for the UI; everything is up to date with Gold"
