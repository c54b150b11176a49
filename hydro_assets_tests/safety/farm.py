"""A farm of a few days that may die between any two writes, and is brought up to date without Dagster.

Real are the tables, the import, the features, the registry, its log, scoring and what follows; three things are stood
in for, because only their place in the order of writes matters here: a training gives the package of an earlier one, a
run logs nothing but that package, and who wins is decided by the number of the version.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from mlflow import MlflowClient

from hydro_assets.lakehouse import Lakehouse
from hydro_assets.lakehouse.tables import PathTables
from hydro_assets.monitoring.drift_days import measure_drift
from hydro_assets.monitoring.evaluation import evaluate_days
from hydro_assets.pipeline import competition, training
from hydro_assets.pipeline.features import build_sensor_features, feature_span
from hydro_assets.pipeline.gold import import_export
from hydro_assets.pipeline.scoring import batch_inference, refresh_outlook, serving_models
from hydro_assets.pipeline.training import train_model
from hydro_assets.pipeline.up_to_date import bring_up_to_date
from hydro_assets.registry.artifact import PACKAGE_FOLDER, package_digest
from hydro_assets.registry.mlflow_client import mlflow_client
from hydro_assets.registry.promotion import Candidate, PromotionDecision
from hydro_assets.registry.run_log import MODEL_FOLDER
from hydro_assets.settings import Settings
from hydro_assets.settings_sources import load_settings
from hydro_assets.tables import MODELS, names
from hydro_assets.training.train import TrainingResult, train

FIRST = date(2026, 3, 2)
DAYS = 6
HOURS = 24 * DAYS
BEGUN = datetime(2026, 3, 20, tzinfo=UTC)
SMALL: dict[str, Any] = {
    "feature_step": "1h",
    "lead_times": "2h",
    "targets": "ph_level,tds_level",
    "labels": "",
    "sequence_length": 2,
    "minimum_records": 20,
    "recurrent": {"hidden_size": 2, "num_layers": 1, "epochs": 1},
    "lightgbm": {"num_boost_round": 2},
}
OF_THE_CLOCK = ("known_at", "inference_timestamp", "updated_at", "age_minutes", "ingestion_timestamp")
DERIVED = (
    names.SENSOR_FEATURES,
    names.FORECASTS,
    names.BATCH_PREDICTIONS,
    names.PREDICTION_ACCURACY,
    names.FEATURE_DRIFT,
    names.SYSTEM_OUTLOOK,
)
WRITES = (
    *((PathTables, name) for name in ("create", "add_columns", "overwrite", "append", "drop")),
    *(
        (MlflowClient, name)
        for name in (
            "create_experiment",
            "create_run",
            "log_artifacts",
            "set_tag",
            "set_terminated",
            "create_registered_model",
            "create_model_version",
            "set_model_version_tag",
            "set_registered_model_alias",
            "delete_registered_model_alias",
        )
    ),
)


class KilledError(BaseException):
    """The process is gone: no write of it happens any more, whatever its `finally` would do."""


class Death:
    """Lets a number of writes through, then none, until the next process starts."""

    def __init__(self) -> None:
        self.writes_left: int | None = None

    @contextmanager
    def after(self, writes: int | None) -> Iterator[None]:
        """One process, which dies before its next write after so many (None: it lives)."""
        self.writes_left = writes
        try:
            yield
        except KilledError:
            pass
        finally:
            self.writes_left = None

    def write(self, real: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.writes_left is not None:
            if self.writes_left == 0:
                raise KilledError
            self.writes_left -= 1
        return real(*args, **kwargs)

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        for owner, name in WRITES:
            real = getattr(owner, name)
            patch.setattr(owner, name, lambda *a, _real=real, **k: self.write(_real, *a, **k))


class PlainSteps:
    """The steps of `hydro run` as plain calls, counted."""

    def __init__(self, lakehouse: Lakehouse) -> None:
        self.lakehouse, self.done = lakehouse, list[str]()

    def refresh(self, ranges: Sequence[tuple[date, date]]) -> dict[date, str]:
        for start, end in ranges:
            self.done.append(f"features of {start} .. {end}")
            build_sensor_features(self.lakehouse, start, end)
        return {}

    def train(self) -> None:
        self.done.append("models")
        for kind in MODELS:
            train_model(self.lakehouse, kind, datetime.now(UTC))

    def score(self, start: date, end: date) -> None:
        self.done.append(f"predictions of {start} .. {end}")
        lakehouse, settings = self.lakehouse, self.lakehouse.settings
        batch_inference(lakehouse, start, end, datetime.now(UTC))
        evaluate_days(lakehouse, settings, start, end)
        measure_drift(lakehouse, settings, serving_models(settings), start, end)
        refresh_outlook(lakehouse, datetime.now(UTC))


def run(settings: Settings, everything: bool = False) -> list[str]:
    """`hydro run`; returns the steps that it took."""
    lakehouse = Lakehouse(settings)
    steps = PlainSteps(lakehouse)
    bring_up_to_date(lakehouse, steps, *feature_span(lakehouse), lambda _: None, everything)
    return steps.done


def score_anew(settings: Settings) -> None:
    """Every day scored once more by the versions that serve."""
    lakehouse = Lakehouse(settings)
    days = lakehouse.days(names.SENSOR_FEATURES)
    PlainSteps(lakehouse).score(days[0], days[-1] + timedelta(days=1))


def write_export(folder: Path, first: int, last: int, seed: int) -> Path:
    """A CSV of the hours `first .. last` of the farm; another seed gives other values at the same instants."""
    random = np.random.default_rng(seed)
    hours = np.arange(first, last + 1)
    ph = 6 + 0.3 * np.sin(hours / 4) + random.normal(0, 0.05, hours.size)
    rows = pl.DataFrame(
        {
            "timestamp": [datetime.combine(FIRST, datetime.min.time()) + timedelta(hours=int(h)) for h in hours],
            "pH": ph.round(3),
            "TDS": (900 + 50 * np.cos(hours / 6) + random.normal(0, 5, hours.size)).round(1),
            "DHT_temp": (24 + random.normal(0, 0.5, hours.size)).round(2),
            "DHT_humidity": (60 + random.normal(0, 2, hours.size)).round(2),
        }
    )
    path = folder / f"export_{first}_{last}_{seed}.csv"
    rows.write_csv(path)
    return path


def import_hours(settings: Settings, first: int, last: int, seed: int, number: int) -> None:
    """`hydro import` of these hours, `number` hours after the farm began."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_export(Path(folder), first, last, seed)
        import_export(Lakehouse(settings), path, "north", BEGUN + timedelta(hours=number))


def content(settings: Settings, name: str) -> pl.DataFrame:
    """Rows of a table without what the clock wrote, in an order of their own."""
    rows = Lakehouse(settings).read_polars(name)
    rows = rows.select(sorted(c for c in rows.columns if c not in OF_THE_CLOCK))
    return rows.sort(c for c in rows.columns if not rows.schema[c].is_nested())


@cache
def template() -> Path:
    """An MLflow database without content; making its tables takes seconds, copying it does not."""
    settings = load_settings(home=Path(tempfile.mkdtemp(prefix="hydro_template_")), **SMALL)
    mlflow_client(settings).search_experiments()
    return settings.root / "mlflow" / "mlflow.db"


def new_home(folder: Path) -> Path:
    store = folder / "mlflow"
    store.mkdir(parents=True)
    shutil.copy(template(), store)
    return folder


@cache
def trained(kind: str) -> TrainingResult:
    """One real training of each kind, on a farm of its own."""
    settings = load_settings(home=new_home(Path(tempfile.mkdtemp(prefix="hydro_trained_"))), **SMALL)
    import_hours(settings, 0, HOURS - 1, 0, 0)
    lakehouse = Lakehouse(settings)
    build_sensor_features(lakehouse, FIRST, FIRST + timedelta(days=DAYS))
    return train(kind, lakehouse.read_polars(names.SENSOR_FEATURES), settings)


def _trained(kind: str, *_: Any, **__: Any) -> TrainingResult:
    return trained(kind)


def _log_package(run: Any, result: TrainingResult, _: pl.DataFrame) -> str:
    with tempfile.TemporaryDirectory() as scratch:
        package = Path(scratch) / MODEL_FOLDER / PACKAGE_FOLDER
        package.parent.mkdir(parents=True)
        result.package.save(package)
        run.model.client.log_artifacts(run.run_id, scratch)
        return package_digest(package)


def _decide(
    model: Any, challenger: Candidate, champion: Any, _: pl.DataFrame, decided_at: datetime
) -> PromotionDecision:
    """Versions 1, 2, 4, 5, 7 ... win."""
    before, number = None if champion is None else champion.version, challenger.version
    wins = int(number) % 3 != 0
    made = partial(PromotionDecision, decided_at, model.kind, model.name)
    return made("promoted" if wins else "kept", before, number if wins else before, "by its number", number)


def stand_in(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(training, "train", _trained)
    patch.setattr(training, "log_training", _log_package)
    patch.setattr(competition, "decide", _decide)
