"""From a logged training to a registered version: complete when it appears, and made once however often it is tried."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from hydro_assets.durations import duration_text
from hydro_assets.registry.mlflow_client import at_once, is_unity_catalog, tracking_errors
from hydro_assets.registry.registered_model import CHALLENGER, DIGEST, RegisteredModel
from hydro_assets.registry.run_log import MODEL_FOLDER, summary_metrics
from hydro_assets.registry.tracking import DAGSTER_RUN, Provenance, TrainingRun

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

    from hydro_assets.forecasting.info import PackageInfo
    from hydro_assets.registry.trained import Trained


@dataclass(frozen=True)
class RegisteredVersion:
    """A version in the registry and where it came from.

    The URLs are None for a local file store, which has no pages.
    """

    name: str
    version: str
    run_id: str
    experiment: str
    source_uri: str
    run_url: str | None
    version_url: str | None


_LONGEST_TAG = 1000  # of Unity Catalog, which refuses the version otherwise; the run has the whole text


def fitting(tags: Mapping[str, str], registry: str) -> dict[str, str]:
    """Tags of a version, cut to what its registry takes."""
    if not is_unity_catalog(registry):
        return dict(tags)
    return {k: text if len(text) <= _LONGEST_TAG else f"{text[: _LONGEST_TAG - 3]}..." for k, text in tags.items()}


def register(run: TrainingRun, result: Trained, digest: str) -> RegisteredVersion:
    """Make the next version from the finished run `run` and give it the alias `challenger`.

    The version appears in one request with all its tags, and only after its run has ended well: what is in the registry
    is complete.
    """
    model, info = run.model, result.package.info
    with tracking_errors(model.settings, f"Registering a version of {model.name} from run {run.run_id}"):
        _ensure_model(model)
        source = f"{model.client.get_run(run.run_id).info.artifact_uri}/{MODEL_FOLDER}"
        tags = run.provenance.tags() | {
            "kind": model.kind,
            "experiment": model.experiment,
            "target_col": info.primary,
            "targets": ", ".join(info.target_names),
            "labels": ", ".join(info.labels),
            "hyper_parameters": json.dumps(result.params, default=str),
            "metrics": json.dumps(summary_metrics(result, model.kind)),
            DIGEST: digest,
        }
        text = description(info)
        made = model.client.create_model_version(
            model.name, source, run.run_id, tags=fitting(tags, model.settings.registry_uri), description=text
        )
        make_challenger(model, str(made.version))
    return _described(model, made, run.experiment_id)


def description(info: PackageInfo) -> str:
    """What a version forecasts, and its holdout error of the primary target at each lead time, as Markdown."""
    own = {(m["target"], m["horizon"]): m for m in info.metrics if (m["split"], m["model"]) == ("holdout", info.kind)}
    unit = next((target.unit for target in info.targets if target.name == info.primary), "")
    lines = [f"{info.kind} forecast of {', '.join((*info.target_names, *info.labels))}.", ""]
    for horizon in info.horizons:
        row = own.get((info.primary, horizon))
        if row is not None and row["mae"] is not None:
            skill = "" if row.get("skill") is None else f", skill {row['skill']:+.2f} over the best baseline"
            ahead = duration_text(horizon * info.step)
            lines.append(f"- {info.primary}, {ahead} ahead: MAE {row['mae']:.4g} {unit}".rstrip() + skill)
    return "\n".join([*lines, "", "model_card.md of the run has the rest."])


def registered_before(model: RegisteredModel, provenance: Provenance) -> RegisteredVersion | None:
    """The version that an earlier attempt of the same Dagster step registered, made challenger; None without one."""
    if provenance.dagster_run_id is None:
        return None
    with tracking_errors(model.settings, f"Looking up the newest version of {model.name}"):
        newest = next(iter(model.versions()), None)
        found = None if newest is None else model.find(newest)
        if found is None or not model.is_whole(found):
            return None
        same_step = (found.tags.get(DAGSTER_RUN), found.tags.get("asset")) == (
            provenance.dagster_run_id,
            provenance.asset,
        )
        if not same_step:
            return None
        if found.version != model.aliases().get("champion"):
            make_challenger(model, str(found.version))
        return _described(model, found, model.experiment_id())


def make_challenger(model: RegisteredModel, version: str) -> None:
    """Give the alias `challenger` to `version`, or to a newer one that another training has made meanwhile."""
    newest, challenger = version, None
    while challenger is None or int(newest) > int(challenger):
        challenger = newest
        at_once(partial(model.client.set_registered_model_alias, model.name, CHALLENGER, challenger))
        newest = model.latest_whole() or challenger


def _described(model: RegisteredModel, made: ModelVersion, experiment_id: str) -> RegisteredVersion:
    version, run_id = str(made.version), str(made.run_id)
    return RegisteredVersion(
        model.name,
        version,
        run_id,
        model.experiment,
        str(made.source),
        model.run_url(experiment_id, run_id),
        model.version_url(version),
    )


def _ensure_model(model: RegisteredModel) -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode

    try:
        model.client.create_registered_model(model.name)
    except MlflowException as exc:
        if exc.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
            raise
