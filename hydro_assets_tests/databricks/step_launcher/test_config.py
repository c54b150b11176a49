"""The configuration of the launcher: what it accepts, what it refuses, what it makes of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest
from dagster_databricks import DatabricksPySparkStepLauncher

from hydro_assets.databricks.requirements import SERVERLESS_ENVIRONMENTS, serverless_requirements, serverless_version
from hydro_assets.databricks.settings_environment import settings_environment
from hydro_assets.databricks.step_launcher.config import IN_LAUNCHED_STEP, Compute
from hydro_assets.databricks.step_launcher.launcher import VolumeStepLauncher, _common_arguments
from hydro_assets.databricks.step_launcher.submission import dagster_run_config, submit_arguments
from hydro_assets.defs.resources.step_launcher_resource import StepLauncherResource
from hydro_assets.errors import SettingsError
from hydro_assets.pipeline.training import GIT_COMMIT
from hydro_assets.settings import Settings
from hydro_assets.settings_sources import load_settings

POOL = {"instance_pool_id": "pool-7", "spark_version": "15.4.x-scala2.12", "num_workers": 2}


def launcher(**fields: Any) -> dg.StepLauncher | None:
    resource = StepLauncherResource(**{"target": "databricks", "host": "https://farm.example", "token": "t"} | fields)
    return resource.create_resource(dg.build_init_resource_context())


def test_resource__is_nothing_locally_and_on_the_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    assert launcher(target="local", host="") is None
    monkeypatch.setenv(IN_LAUNCHED_STEP, "1")
    assert launcher(host="", env_names=["NOT_THERE"]) is None


def test_launcher__is_a_databricks_pyspark_step_launcher() -> None:
    made = launcher()
    assert isinstance(made, VolumeStepLauncher)
    assert isinstance(made, DatabricksPySparkStepLauncher)


def test_unknown_workspace__is_an_error_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABRICKS_HOST", raising=False)
    with pytest.raises(SettingsError, match="Set DATABRICKS_HOST"):
        launcher(host="")


def test_credentials__choose_how_to_authenticate() -> None:
    azure = {"azure_client_id": "i", "azure_client_secret": "s", "azure_tenant_id": "t"}
    oauth = {"oauth_client_id": "i", "oauth_client_secret": "s"}
    by_token, by_oauth, by_azure = (
        _common_arguments(StepLauncherResource(host="https://farm.example", **fields))
        for fields in ({"token": "t"}, oauth, azure)
    )
    assert by_token["databricks_token"] == "t"
    assert (by_token["oauth_credentials"], by_token["azure_credentials"]) == (None, None)
    assert by_oauth["oauth_credentials"] == {"client_id": "i", "client_secret": "s"}
    assert by_azure["azure_credentials"] == azure


@pytest.mark.parametrize(
    "variables",
    [
        {"MLFLOW_TRACKING_TOKEN": "x"},
        {"AWS_SECRET_ACCESS_KEY": "x"},
        {"HYDRO_MLFLOW_TRACKING_URI": "https://me:pw@mlflow.example"},
        {"SPARK": "sc://host:443/;token=abc"},
        {"PLAIN": "dapi0123456789abcdef"},
    ],
    ids=lambda v: next(iter(v)),
)
def test_variable_that_looks_like_a_credential__is_refused(variables: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=f"{next(iter(variables))} look like credentials"):
        StepLauncherResource(env=variables).step_environment()


def test_variable_that_is_also_a_secret__is_refused() -> None:
    resource = StepLauncherResource(env={"FARM": "x"}, secrets=[{"name": "FARM", "scope": "s", "key": "k"}])
    with pytest.raises(SettingsError, match="FARM look like credentials"):
        resource.step_environment()


def test_settings__travel_as_variables_that_give_them_back(
    make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = make_settings(
        environment="databricks",
        feature_step="5min",
        max_gap="20min",
        partitions_start="2024-02-01",
        targets=("ph_level", "air_temperature"),
        lead_times=("10min", "2h"),
        labels=("is_env_optimal", "is_ph_optimal"),
        crop={"name": "lettuce", "ph_level": {"low": 5.6, "high": 6.2}},
        recurrent={"epochs": 3},
        mlflow_tracking_uri="databricks",
        pinned_versions={"lstm": "4"},
        webhook_url="https://hooks.example/very-secret",
        step_launcher={"volume": "/Volumes/a/b/c"},
    )
    variables = settings_environment(ours)
    assert "very-secret" not in str(variables)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    there = load_settings(home=ours.home)
    host_only = {"webhook_url", "step_launcher"}
    assert there.model_dump(exclude=host_only) == ours.model_dump(exclude=host_only)


def test_resource_of_settings__is_local_unless_the_environment_launches(make_settings: Callable[..., Settings]) -> None:
    ours = make_settings(environment="databricks", catalog="farm_7", step_launcher={"env": {"TZ": "UTC"}})
    assert StepLauncherResource.of(ours, launched=False).target == "local"
    resource = StepLauncherResource.of(ours, launched=True)
    assert (resource.target, resource.volume) == ("databricks", "/Volumes/farm_7/dagster/steps")
    assert resource.env == {"HYDRO_ENVIRONMENT": "databricks", "HYDRO_CATALOG": "farm_7", "TZ": "UTC"}


def test_misspelt_fields__are_all_named(make_settings: Callable[..., Settings]) -> None:
    wrong = make_settings(step_launcher={"volum": "x", "gpu": {"nodes": 1}, "poll_seconds": 0})
    with pytest.raises(SettingsError, match=r"gpu\.nodes.*poll_seconds.*volum.*\[step_launcher\] in hydro\.toml"):
        StepLauncherResource.of(wrong, launched=True)


def submitted(place: Compute, **fields: Any) -> dict[str, Any]:
    return submit_arguments(StepLauncherResource(**fields), place, "/Workspace/entry.py", "{}")


def test_serverless__installs_the_requirements_in_the_environment_of_this_python() -> None:
    arguments = submitted(Compute(dependencies=["dagster==1.0"], environment_version="9"))
    assert [e.as_dict() for e in arguments["environments"]] == [
        {"environment_key": "step", "spec": {"dependencies": ["dagster==1.0"], "environment_version": "9"}}
    ]
    assert arguments["tasks"][0].as_dict()["environment_key"] == "step"


@pytest.mark.parametrize(("version", "kept"), [("2", "numpy>=1.26,<2"), ("5", "numpy==2.1.3"), ("9", None)])
def test_serverless__keeps_what_the_environments_client_is_built_on(version: str, kept: str | None) -> None:
    asked = serverless_requirements(version)
    assert [r for r in asked if r.startswith("numpy")] == ([kept] if kept else [])
    assert not {"pyspark", "delta-spark", "pysail"} & {r.partition("==")[0] for r in asked}


def test_serverless_environment_of_another_python__is_refused_before_anything_is_launched() -> None:
    (other,) = [e for e in SERVERLESS_ENVIRONMENTS if e.python != sys.version_info[:2]]
    with pytest.raises(SettingsError, match=rf"environment {other.version} runs Python 3\.\d+, and this host runs"):
        submitted(Compute(environment_version=other.version))


def test_step_without_torch__does_not_install_it() -> None:
    def installed(torch: bool) -> set[str]:
        arguments = submit_arguments(StepLauncherResource(), Compute(), "/Workspace/entry.py", "{}", torch=torch)
        return {r.partition("==")[0] for r in arguments["environments"][0].as_dict()["spec"]["dependencies"]}

    assert installed(True) - installed(False) == {"torch"}


def test_serverless_version__is_the_supported_one_of_this_python() -> None:
    assert (serverless_version((3, 11)), serverless_version((3, 12))) == ("2", "5")
    with pytest.raises(SettingsError, match=r"Python 3\.13.*3\.11 or 3\.12"):
        serverless_version((3, 13))


def test_pool__becomes_a_job_cluster_with_libraries() -> None:
    arguments = submitted(Compute(new_cluster=POOL, dependencies=["dagster==1.0"], timeout_seconds=60))
    task = arguments["tasks"][0].as_dict()
    assert task["new_cluster"] == POOL
    assert task["libraries"] == [{"pypi": {"package": "dagster==1.0"}}]
    assert (arguments["environments"], arguments["timeout_seconds"]) == (None, 60)


def test_existing_cluster__is_used() -> None:
    assert submitted(Compute(existing_cluster_id="c-1", dependencies=[]))["tasks"][0].existing_cluster_id == "c-1"


def test_unknown_field_of_a_cluster__is_named() -> None:
    with pytest.raises(SettingsError, match="unknown fields: nodes, size"):
        submitted(Compute(new_cluster={"size": 1, "nodes": 2}, dependencies=[]))


def test_two_places_at_once__are_refused() -> None:
    with pytest.raises(ValueError, match="not both"):
        Compute(new_cluster=POOL, existing_cluster_id="c-1")


def test_gpu__is_taken_by_assets_that_ask_for_it_where_there_is_one() -> None:
    gpu = Compute(new_cluster=POOL)
    with_gpu, without = StepLauncherResource(gpu=gpu), StepLauncherResource()
    assert with_gpu.compute_for({"hydro/compute": "gpu"}).new_cluster == POOL
    assert with_gpu.compute_for({}).new_cluster is None
    assert without.compute_for({"hydro/compute": "gpu"}) == without.cpu


def test_permissions__go_with_the_submission() -> None:
    fields = {"permissions": [{"permission_level": "CAN_VIEW", "group_name": "growers"}]}
    acl = submitted(Compute(dependencies=[]), **fields)["access_control_list"]
    assert [entry.as_dict() for entry in acl] == [{"group_name": "growers", "permission_level": "CAN_VIEW"}]


def test_dbfs__is_the_stock_launcher_with_the_same_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(GIT_COMMIT, "0123abc")
    made = launcher(
        staging="dbfs",
        cpu={"new_cluster": POOL, "dependencies": ["polars==2.1.0"]},
        env={"FARM": "north"},
        permissions=[{"permission_level": "CAN_VIEW", "group_name": "growers"}],
        secrets=[{"name": "A", "scope": "s", "key": "k"}],
    )
    assert type(made) is DatabricksPySparkStepLauncher
    assert made.env_variables == {"FARM": "north", GIT_COMMIT: "0123abc", IN_LAUNCHED_STEP: "1"}
    assert made.permissions == {"job_permissions": {"CAN_VIEW": [{"group_name": "growers"}]}}
    nodes = {"instance_pool_id": "pool-7"}
    cluster = {"spark_version": "15.4.x-scala2.12", "size": {"num_workers": 2}, "nodes": nodes}
    assert made.run_config["cluster"] == {"new": cluster}


def test_dbfs_run_config__names_node_types_its_own_way() -> None:
    size = {"autoscale": {"min_workers": 1, "max_workers": 3}}
    place = Compute(new_cluster={"node_type_id": "m5", **size}, dependencies=[])
    new = {"size": size, "nodes": {"node_types": {"node_type_id": "m5"}}}
    assert dagster_run_config(place)["cluster"] == {"new": new}


def test_dbfs__cannot_be_serverless() -> None:
    with pytest.raises(SettingsError, match="clusters only"):
        launcher(staging="dbfs")


@pytest.mark.parametrize("folder", ["/Workspace/Shared", "/Workspace/Shared/hydro_assets"])
def test_folder_that_all_users_may_change__is_refused(folder: str) -> None:
    with pytest.raises(ValueError, match="may be changed by every user"):
        StepLauncherResource(workspace_dir=folder)
