"""What a training run holds: parameters, metrics, the training data as a dataset, and files."""

from __future__ import annotations

import json
import math
import re
import tempfile
from collections.abc import Iterator, Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from hydro_assets.registry.artifact import PACKAGE_FOLDER, mlflow_type, package_digest, save_artifact
from hydro_assets.registry.mlflow_client import at_once, tracking_errors
from hydro_assets.registry.model_card import model_card
from hydro_assets.registry.tracking import Provenance, TrainingRun
from hydro_assets.settings import WITH_SECRETS, Settings

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Metric

    from hydro_assets.registry.trained import Trained

MODEL_FOLDER = "model"

# Beside what may be secret: these say where something is, not how a model was made.
_NOT_LOGGED = WITH_SECRETS | {"home", "delta_jars"}

# Limits of one MLflow request (mlflow.utils.validation) and of a parameter's value.
_METRICS_PER_REQUEST = 1000
_PARAMS_PER_REQUEST = 100
_PARAM_LENGTH = 500  # 6000 since MLflow 2.10, 500 on older servers


def log_training(run: TrainingRun, result: Trained, features: pl.DataFrame) -> str:
    """Write everything about `result` into `run`; returns the digest of its package.

    `features` are training rows: their schema is logged, and some of them become the model's input example.

    Raises:
        TrackingError: MLflow did not take it, or there is no room on the disk.
    """
    with tracking_errors(run.model.settings, f"Logging the training of {run.model.kind}"):
        _log_values(run, result, features)
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / MODEL_FOLDER
            save_artifact(result.package, features, folder)
            write_artifacts(Path(scratch), run, result)
            run.model.client.log_artifacts(run.run_id, scratch)
            return package_digest(folder / PACKAGE_FOLDER)


def _log_values(run: TrainingRun, result: Trained, features: pl.DataFrame) -> None:
    """Parameters, metrics and the training data."""
    from mlflow.entities import Param

    settings, client = run.model.settings, run.model.client
    chosen = flat(parameters_of(settings, result))
    parameters = [Param(legal_name(name), str(value)[:_PARAM_LENGTH]) for name, value in chosen]
    for start in range(0, len(parameters), _PARAMS_PER_REQUEST):
        client.log_batch(run.run_id, params=parameters[start : start + _PARAMS_PER_REQUEST])
    metrics = metrics_of(result, run.model.kind, round(run.provenance.trained_at.timestamp() * 1000))
    for start in range(0, len(metrics), _METRICS_PER_REQUEST):
        client.log_batch(run.run_id, metrics=metrics[start : start + _METRICS_PER_REQUEST])
    if (dataset := dataset_of(run.provenance, features)) is not None:
        at_once(lambda: client.log_inputs(run.run_id, [dataset]))


def parameters_of(settings: Settings, result: Trained) -> dict[str, Any]:
    """Model and training parameters."""
    return {**result.params, "gap_limit_seconds": settings.gap_limit.total_seconds(), **result.package.info.split}


def metrics_of(result: Trained, kind: str, at_ms: int) -> list[Metric]:
    """Metrics of all systems together per target and horizon, their means, and the history of every epoch or round.

    `holdout_mae_ph_level_h1` is the model's own, with `_low` and `_high` behind `mae` its bounds;
    `holdout_mae_ph_level_h1_persistence` is that of a baseline, `holdout_brier_is_env_optimal_h1` of a label,
    `holdout_leaving_brier_ph_level_h60` of leaving the crop band, `holdout_mae_ph_level` the mean over horizons, and
    `holdout_skill` the mean over targets and horizons. Single systems, and the bounds of the baselines, are in
    `metrics.csv` and `classification.csv`.
    """
    from mlflow.entities import Metric

    values: dict[str, float] = {}
    pooled = result.metrics.filter(pl.col("system_id") == "all")
    for row in pooled.iter_rows(named=True):
        own = row["model"] == kind
        for stat, value in _numbers(row, "horizon"):
            if own or not _is_bound(stat):
                name = f"{row['split']}_{stat}_{row['target']}_h{row['horizon']}"
                values[name if own else f"{name}_{row['model']}"] = value
    means = pooled.filter(pl.col("model") == kind).group_by("split", "target", maintain_order=True)
    for row in means.agg(pl.selectors.numeric().mean()).iter_rows(named=True):
        for stat, value in _numbers(row, "horizon", "n"):
            if not _is_bound(stat):  # the mean of bounds bounds nothing
                values[f"{row['split']}_{stat}_{row['target']}"] = value
    values |= summary_metrics(result, kind)
    if result.classification is not None:
        for row in result.classification.filter(pl.col("system_id") == "all").iter_rows(named=True):
            for stat, value in _numbers(row, "horizon", "n"):
                values[f"{row['split']}_{stat}_{row['label']}_h{row['horizon']}"] = value
    if result.leaving is not None:
        for row in result.leaving.iter_rows(named=True):
            for stat, value in _numbers(row, "horizon"):
                values[f"{row['split']}_leaving_{stat}_{row['target']}_h{row['horizon']}"] = value
    metrics = [Metric(legal_name(key), value, at_ms, 0) for key, value in values.items()]
    for entry in result.history:
        suffix = "".join(f"_{entry[key]}" for key in ("name",) if key in entry)
        suffix += f"_h{entry['horizon']:.0f}" if "horizon" in entry else ""
        step = int(entry["epoch"] if "epoch" in entry else entry["round"])
        losses = _numbers(entry, "epoch", "round", "horizon")
        metrics += [Metric(legal_name(f"{key}{suffix}"), value, at_ms, step) for key, value in losses]
    return metrics


def summary_metrics(result: Trained, kind: str) -> dict[str, float]:
    """The few numbers that are shown with a version: skill, and coverage, mean over targets and horizons."""
    own = result.metrics.filter(pl.col("system_id") == "all", pl.col("model") == kind, pl.col("split") != "train")
    means = own.group_by("split", maintain_order=True).agg(pl.col("skill", "coverage_80", "coverage_95").mean())
    return {
        f"{row['split']}_{stat}": float(f"{value:.6g}")
        for row in means.iter_rows(named=True)
        for stat, value in _numbers(row)
    }


def dataset_of(provenance: Provenance, features: pl.DataFrame) -> DatasetInput | None:
    """The feature table with the Delta version that was read; None when it is not said where it lies."""
    from mlflow.data.delta_dataset_source import DeltaDatasetSource
    from mlflow.data.meta_dataset import MetaDataset
    from mlflow.entities import DatasetInput, InputTag
    from mlflow.types import ColSpec, Schema

    where = provenance.feature_uri
    if where is None:
        return None
    source = DeltaDatasetSource(path=where, delta_table_version=provenance.feature_version)
    schema = Schema([ColSpec(mlflow_type(dtype), name) for name, dtype in features.schema.items()])
    name = provenance.feature_table or "sensor_features"
    tags = {"mlflow.data.context": "training", "rows": str(features.height)}
    if provenance.gold_version is not None:
        tags["gold_version"] = str(provenance.gold_version)
    dataset = MetaDataset(source, name=name, schema=schema)
    return DatasetInput(dataset._to_mlflow_entity(), [InputTag(k, v) for k, v in tags.items()])


def write_artifacts(folder: Path, run: TrainingRun, result: Trained) -> None:
    """Config, features, scaler, error tables, history, plots, training log, environment and model card as files.

    `folder` holds the saved model; the scaler in it is written out once more, where a reader of the run looks for it.
    """
    info = result.package.info
    settings = run.model.settings.model_dump(mode="json", exclude=set(_NOT_LOGGED))
    features = [{"name": name, "unit": info.feature_units.get(name, "")} for name in info.features]
    saved = (folder / MODEL_FOLDER / PACKAGE_FOLDER / "package.json").read_text(encoding="utf-8")
    learner = json.loads(saved)["learner"]
    files: dict[str, str] = {
        "config.json": json.dumps(settings, indent=2),
        "features.json": json.dumps(features, indent=2),
        "metrics.csv": result.metrics.write_csv(),
        "scaler.json": json.dumps({part: learner[part] for part in ("scaler", "output") if part in learner}, indent=2),
        "split.json": json.dumps(info.split, indent=2),
        "history.json": json.dumps(result.history),
        "importance.json": json.dumps(result.importance, indent=2),
        "training_log.txt": "\n".join(result.log) + "\n",
        "environment.txt": environment(),
        "model_card.md": model_card(
            info,
            result.metrics,
            run.provenance,
            run.model.name,
            classification=result.classification,
            leaving=result.leaving,
        ),
    }
    if result.classification is not None:
        files["classification.csv"] = result.classification.write_csv()
    if result.leaving is not None:
        files["leaving.csv"] = result.leaving.write_csv()
    if result.leaving_reliability is not None:
        files["leaving_reliability.csv"] = result.leaving_reliability.write_csv()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "plots").mkdir()
    for name, image in result.plots.items():
        (folder / "plots" / f"{name.removesuffix('.png')}.png").write_bytes(image)


def environment() -> str:
    """Installed distributions as `name==version` lines, sorted: what `pip freeze` prints."""
    return "\n".join(sorted({f"{d.name}=={d.version}" for d in distributions()}, key=str.lower)) + "\n"


def legal_name(text: str) -> str:
    """A name that MLflow takes: letters, digits, `_ - . : /` and space; anything else becomes `_`."""
    return re.sub(r"[^\w\-. :/]", "_", text, flags=re.ASCII)[:250]


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested mappings as dotted names."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _is_bound(stat: str) -> bool:
    return stat.endswith(("_low", "_high"))


def _numbers(row: Mapping[str, Any], *without: str) -> Iterator[tuple[str, float]]:
    for key, value in row.items():
        if key not in without and isinstance(value, int | float) and not math.isnan(value):
            yield key, float(value)
