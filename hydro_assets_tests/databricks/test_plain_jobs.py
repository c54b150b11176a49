from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from databricks.bundles.jobs import Job
from databricks.sdk.service.jobs import JobSettings

import hydro_assets.databricks
from hydro_assets.databricks.plain_jobs import CODE_ROOT, inference_job, training_job
from hydro_assets.settings import Settings

FOLDER = Path(hydro_assets.databricks.__file__).parent
JOBS = {"ml_training": training_job, "ml_inference": inference_job}


@pytest.mark.parametrize("name", JOBS)
def test_job_file__says_what_the_settings_say(settings: Settings, name: str) -> None:
    written = json.loads((FOLDER / f"{name}.json").read_text())
    assert written == JOBS[name](settings), "run python -m hydro_assets.databricks.plain_jobs"


@pytest.mark.parametrize("name", JOBS)
def test_job_file__is_understood_by_the_jobs_api_whole(name: str) -> None:
    written = json.loads((FOLDER / f"{name}.json").read_text())
    assert JobSettings.from_dict(written).as_dict() == written


def test_training__builds_features_then_trains_side_by_side(settings: Settings) -> None:
    tasks = {task["task_key"]: task.get("depends_on") for task in training_job(settings)["tasks"]}
    after = [{"task_key": "create_feature_store"}]
    assert tasks == {"create_feature_store": None, "train_lstm": after, "train_gru": after, "train_lightgbm": after}


def test_inference__builds_features_of_new_days_first_and_scores_what_is_new(settings: Settings) -> None:
    first, then = inference_job(settings)["tasks"]
    assert first["spark_python_task"]["parameters"][1] == "feature-store"
    assert then["depends_on"] == [{"task_key": first["task_key"]}]
    assert [task["spark_python_task"]["parameters"][-1] for task in (first, then)] == ["--new", "--new"]


@pytest.mark.parametrize("name", JOBS)
def test_job__is_repeated_but_never_beside_itself(settings: Settings, name: str) -> None:
    job = JOBS[name](settings)
    assert job["max_concurrent_runs"] == 1
    assert all(task["max_retries"] and not task["retry_on_timeout"] for task in job["tasks"])


def test_bundle__lies_where_only_its_deployer_may_write() -> None:
    bundle = yaml.safe_load((FOLDER / "databricks.yml").read_text())
    roots = {name: target.get("workspace", {}).get("root_path") for name, target in bundle["targets"].items()}
    own = "/Workspace/Users/${workspace.current_user.userName}/.bundle/${bundle.name}/${bundle.target}"
    assert roots == {"dev": None, "staging": own, "prod": own}  # None: the same, by Databricks' own default
    assert CODE_ROOT.startswith("/Workspace/Users/")


def test_requirements__bring_no_spark_of_their_own(settings: Settings) -> None:
    names = {line.split("==")[0] for line in training_job(settings)["environments"][0]["spec"]["dependencies"]}
    assert {"dagster", "polars", "torch", "mlflow"} <= names
    assert not names & {"pyspark", "pysail", "delta-spark", "dagster-databricks"}


@pytest.mark.parametrize(
    ("target", "catalog"), [("dev", "hydroponics_dev"), ("staging", "hydroponics_staging"), ("prod", "hydroponics")]
)
@pytest.mark.parametrize("name", JOBS)
def test_bundle__gives_each_target_the_job_of_its_catalog(
    settings: Settings, name: str, target: str, catalog: str
) -> None:
    bundle = yaml.safe_load((FOLDER / "databricks.yml").read_text())
    requirements = yaml.safe_load((FOLDER / "resources" / "requirements.yml").read_text())
    defaults = {key: value["default"] for key, value in (bundle["variables"] | requirements["variables"]).items()}
    variables = defaults | bundle["targets"][target]["variables"]
    job = yaml.safe_load((FOLDER / "resources" / f"{name}.yml").read_text())["resources"]["jobs"][name]
    known = {f"var.{key}": value for key, value in variables.items()} | {"workspace.file_path": CODE_ROOT}
    job = _resolved(job, known)
    assert Job.from_dict(job).max_concurrent_runs == 1
    assert job.pop("schedule")["pause_status"] == ("UNPAUSED" if target == "prod" else "PAUSED")
    for told in ("email_notifications", "webhook_notifications"):
        assert job.pop(told)["on_failure"] == defaults[f"alert_{told.split('_')[0]}s"]
    for task in job["tasks"]:
        script = FOLDER / "resources" / task["spark_python_task"]["python_file"]
        assert script.resolve() == FOLDER.parent / "cli" / "databricks_task.py"
        task["spark_python_task"]["python_file"] = f"{CODE_ROOT}/hydro_assets/cli/databricks_task.py"
    assert job == JOBS[name](settings.model_copy(update={"catalog": catalog}))


def _resolved(value: Any, known: dict[str, Any]) -> Any:
    if isinstance(value, str):
        if (whole := re.fullmatch(r"\$\{([^}]+)\}", value)) and not isinstance(known[whole[1]], str):
            return known[whole[1]]
        return re.sub(r"\$\{([^}]+)\}", lambda match: known[match[1]], value)
    if isinstance(value, list):
        return [_resolved(item, known) for item in value]
    return {key: _resolved(item, known) for key, item in value.items()} if isinstance(value, dict) else value
