"""How heavy steps are launched: compute, secrets, permissions, staging. Names only Dagster's config.

A launched step imports this on the cluster, where dagster-databricks is not installed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import dagster as dg
from pydantic import ConfigDict, Field, field_validator, model_validator

from hydro_assets.errors import SettingsError

IN_LAUNCHED_STEP = "HYDRO_IN_LAUNCHED_STEP"
"""Set on the cluster while a launched step runs: there the step is at home, and needs no credentials."""

COMPUTE_TAG = "hydro/compute"
"""Op tag of an asset that wants the `gpu` compute: `op_tags={"hydro/compute": "gpu"}`."""

TORCH_TAG = "hydro/torch"
"""Op tag of a step that runs without PyTorch, which its cluster then need not install: `{"hydro/torch": "no"}`."""

_CREDENTIAL_NAME = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|API_?KEY|ACCESS_?KEY|WEBHOOK", re.IGNORECASE)
_CREDENTIAL_VALUE = re.compile(r"://[^/\s@]+:[^/\s@]+@|[;?&](token|sig|password)=|\bdapi[0-9a-f]{8}", re.IGNORECASE)


class _Strict(dg.Config):
    model_config = ConfigDict(extra="forbid")  # a misspelt field is an error, not a default


class Compute(_Strict):
    """Where a step runs. Serverless unless `new_cluster` or `existing_cluster_id` is given."""

    new_cluster: dict[str, Any] | None = Field(
        None, description="`new_cluster` of the Databricks Jobs API; `instance_pool_id` in it draws from a pool"
    )
    existing_cluster_id: str | None = Field(None, description="id of an all-purpose cluster")
    environment_version: str | None = Field(
        None, description="serverless environment; None = the one with this host's Python (2: 3.11, 5: 3.12)"
    )
    dependencies: list[str] | None = Field(
        None, description="pip requirements of the cluster; None = what hydro_assets needs, in the versions found here"
    )
    timeout_seconds: int = Field(4 * 3600, gt=0, description="Databricks stops the run after this long")

    @model_validator(mode="after")
    def _one_place(self) -> Compute:
        if self.new_cluster and self.existing_cluster_id:
            raise ValueError("give new_cluster or existing_cluster_id, not both")
        return self


class Secret(_Strict):
    """A secret of a Databricks scope that becomes an environment variable of the step, on the cluster only."""

    name: str = Field(description="environment variable")
    scope: str
    key: str


class Permission(_Strict):
    """A permission for one user, group or service principal."""

    permission_level: str = Field(description="for example CAN_VIEW, CAN_MANAGE_RUN (runs) or CAN_ATTACH_TO (clusters)")
    user_name: str | None = None
    group_name: str | None = None
    service_principal_name: str | None = None

    @model_validator(mode="after")
    def _one_principal(self) -> Permission:
        if sum(map(bool, (self.user_name, self.group_name, self.service_principal_name))) != 1:
            raise ValueError("give exactly one of user_name, group_name, service_principal_name")
        return self


class StepLauncherConfig(dg.ConfigurableResource):
    """The fields of `[step_launcher]`, and what follows from them.

    Credentials left empty follow Databricks' unified authentication: `DATABRICKS_HOST`, `DATABRICKS_TOKEN`, or
    `DATABRICKS_CLIENT_ID` and `_SECRET`, or `ARM_CLIENT_ID`, `_SECRET` and `ARM_TENANT_ID`, or a profile. Give them
    here only as `dg.EnvVar`, so that no page of the UI shows them.
    """

    model_config = ConfigDict(extra="forbid")

    target: Literal["local", "databricks"] = "local"
    staging: Literal["volume", "dbfs"] = Field(
        "volume", description="volume = Unity Catalog; dbfs = dagster-databricks' own launcher, for old workspaces"
    )
    volume: str = Field("/Volumes/hydroponics/dagster/steps", pattern=r"^/Volumes(/[^/]+){3,}$")
    workspace_dir: str | None = Field(
        None,
        pattern=r"^/Workspace/.+[^/]$",
        description="folder of the entry script, for the launching principal to write alone; None = in its own folder",
    )

    host: str = ""
    token: str = ""
    oauth_client_id: str = ""
    oauth_client_secret: str = ""
    azure_client_id: str = ""
    azure_client_secret: str = ""
    azure_tenant_id: str = ""

    cpu: Compute = Compute()  # type: ignore[call-arg]
    gpu: Compute | None = Field(None, description=f"for assets tagged {COMPUTE_TAG}=gpu; None = they use cpu")

    env: dict[str, str] = Field({}, description="environment of the step, beyond what it finds on the cluster")
    env_names: list[str] = Field([], description="variables copied from this host; each must be set here")
    secrets: list[Secret] = Field([], description="read on the cluster; values are never staged")
    permissions: list[Permission] = Field([], description="on the run of each step")
    cluster_permissions: list[Permission] = Field([], description="on the cluster of each step; new clusters only")

    source_root: str = Field(str(Path(__file__).parents[3]), description="directory that holds `packages`")
    packages: list[str] = Field(["hydro_assets"], description="the packages that are shipped, and nothing else")

    poll_seconds: float = Field(5.0, gt=0, le=300)
    start_timeout_seconds: int = Field(3600, gt=0, description="wait beyond the run's time-out: queue, start")
    linger_seconds: int = Field(120, ge=0, description="a run that outlives its step by this much is cancelled")

    @field_validator("workspace_dir")
    @classmethod
    def _not_for_all(cls, value: str | None) -> str | None:
        if value is not None and f"{value}/".startswith("/Workspace/Shared/"):
            raise ValueError(
                f"{value} may be changed by every user of the workspace, and a cluster runs what lies there"
            )
        return value

    def compute_for(self, tags: Mapping[str, str]) -> Compute:
        """The compute that an op's tags ask for; `gpu` falls back to `cpu` on a workspace without one."""
        return self.gpu if self.gpu is not None and tags.get(COMPUTE_TAG) == "gpu" else self.cpu

    def workspace_url(self) -> str:
        """Host of the workspace, from this resource or the environment."""
        url = self.host or os.environ.get("DATABRICKS_HOST", "")
        if not url:
            raise SettingsError("the Databricks workspace is unknown", "Set DATABRICKS_HOST, or host of step_launcher")
        return url

    def step_environment(self) -> dict[str, str]:
        """Variables of the step, `env` before this host's; never a credential.

        Raises:
            SettingsError: names in one message every variable that is missing, or that looks like a credential.
        """
        missing = [name for name in self.env_names if name not in self.env and name not in os.environ]
        if missing:
            raise SettingsError(
                f"the launched step needs {', '.join(missing)}, not set on this host",
                "Set them where Dagster runs, or give them in env of step_launcher",
            )
        shipped = {**{name: os.environ[name] for name in self.env_names if name not in self.env}, **self.env}
        names_of_secrets = {secret.name for secret in self.secrets}
        unsafe = [
            name
            for name, value in shipped.items()
            if name in names_of_secrets or _CREDENTIAL_NAME.search(name) or _CREDENTIAL_VALUE.search(value)
        ]
        if unsafe:
            raise SettingsError(
                f"{', '.join(sorted(unsafe))} look like credentials and would be staged in clear",
                "Put each in a Databricks secret scope and name it in secrets of step_launcher",
            )
        return shipped
