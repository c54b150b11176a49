"""The two jobs of the Databricks Jobs API that run the same flow without Dagster: training and inference.

`ml_training.json` and `ml_inference.json` beside this module are what it says for the default settings, and
`resources/requirements.yml` is the bundle's list of requirements; `python -m hydro_assets.databricks.plain_jobs`
writes all three anew. The bundle (databricks.yml) says the same jobs with variables.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hydro_assets.databricks.parameters import BATCH_INFERENCE, FEATURE_STORE, training_parameters, values_of
from hydro_assets.databricks.requirements import serverless_requirements, serverless_version
from hydro_assets.settings import Settings
from hydro_assets.settings_sources import load_settings
from hydro_assets.tables import MODELS

_VERSION = serverless_version((3, 11))  # unlike launched steps, jobs need not match the host that deploys them

CODE_ROOT = "/Workspace/Users/OWNER/hydro_assets/code"
"""Where the plain jobs look for the package: in the folder of who runs them, whose name takes the place of OWNER."""

TRAINING_JOB, INFERENCE_JOB = "hydroponics_ml_training", "hydroponics_ml_inference"


def training_job(settings: Settings, code_root: str = CODE_ROOT) -> dict[str, Any]:
    """Features first, then the three trainings side by side."""
    first = _task("create_feature_store", code_root, ["feature-store", *values_of(FEATURE_STORE, settings)])
    trainings = [
        _task(
            f"train_{kind}", code_root, ["train", kind, *values_of(training_parameters(kind), settings)], after=[first]
        )
        for kind in MODELS
    ]
    return _job(TRAINING_JOB, [first, *trainings])


def inference_job(settings: Settings, code_root: str = CODE_ROOT) -> dict[str, Any]:
    """Features of new days first, then the forecasts of what is new, with the nine parameters."""
    first = _task("update_features", code_root, ["feature-store", *values_of(FEATURE_STORE, settings), "--new"])
    arguments = ["batch-inference", *values_of(BATCH_INFERENCE, settings), "--new"]
    return _job(INFERENCE_JOB, [first, _task("batch_inference", code_root, arguments, after=[first])])


def requirements_text() -> str:
    """`resources/requirements.yml`: the pinned requirements as a variable of the bundle."""
    lines = "".join(f"      - {requirement}\n" for requirement in serverless_requirements(_VERSION))
    head = "# Written by `python -m hydro_assets.databricks.plain_jobs`: what a cluster installs, as tested.\n"
    what = "    description: pip requirements of the jobs\n    type: complex\n    default:\n"
    return f"{head}variables:\n  requirements:\n{what}{lines}"


def write_job_files(folder: Path, settings: Settings) -> None:
    """Write `ml_training.json`, `ml_inference.json` and `resources/requirements.yml`."""
    Path(folder, "resources", "requirements.yml").write_text(requirements_text())
    for name, job in (("ml_training", training_job(settings)), ("ml_inference", inference_job(settings))):
        Path(folder, f"{name}.json").write_text(json.dumps(job, indent=2) + "\n")


def _job(name: str, tasks: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": name,
        "max_concurrent_runs": 1,
        "queue": {"enabled": True},
        "tags": {"project": "hydro_assets"},
        "tasks": tasks,
        "environments": [
            {
                "environment_key": "hydro",
                "spec": {"environment_version": _VERSION, "dependencies": serverless_requirements(_VERSION)},
            }
        ],
    }


def _task(key: str, code_root: str, arguments: list[str], after: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    task: dict[str, Any] = {
        "task_key": key,
        "environment_key": "hydro",
        "max_retries": 2,
        "min_retry_interval_millis": 60_000,
        "retry_on_timeout": False,
        "timeout_seconds": 4 * 3600,
        "spark_python_task": {
            "python_file": f"{code_root}/hydro_assets/cli/databricks_task.py",
            "parameters": [code_root, *arguments],
        },
    }
    if after:
        task["depends_on"] = [{"task_key": earlier["task_key"]} for earlier in after]
    return task


if __name__ == "__main__":
    write_job_files(Path(__file__).parent, load_settings())
