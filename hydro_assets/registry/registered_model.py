"""A registered model of MLflow, resolved once: its name, experiment and client; its versions; the one that serves."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from hydro_assets.errors import ModelUnavailableError
from hydro_assets.registry.artifact import PACKAGE_FOLDER, package_digest
from hydro_assets.registry.coverage import misfits
from hydro_assets.registry.mlflow_client import (
    client_of,
    found_or_none,
    is_unity_catalog,
    mlflow_client,
    sqlite_file,
    tracking_errors,
)
from hydro_assets.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from hydro_assets.forecasting.package import ForecastPackage

CHAMPION = "champion"
CHALLENGER = "challenger"
DIGEST = "package_sha256"  # tag of a version: checksum of its package
_REMEDY = (
    "Roll back with `hydro rollback`, or give the alias champion to another version in MLflow; predictions that were "
    "written stay as they are"
)


@dataclass(frozen=True)
class RegisteredModel:
    """One kind of model of one farm. Nothing is asked of MLflow before it is needed."""

    settings: Settings
    kind: str

    # -- what things are called ----------------------------------------------------------------------------------------

    @cached_property
    def name(self) -> str:
        """`hydroponics_lstm_forecast`, under Unity Catalog `{catalog}.models.{name}`."""
        name: str = getattr(self.settings.models, self.kind)
        if not is_unity_catalog(self.settings.registry_uri) or "." in name:
            return name
        return f"{self.settings.catalog}.models.{name}"

    @cached_property
    def experiment(self) -> str:
        """Name of the experiment. Databricks keeps experiments as workspace files, so there it lies under /Shared."""
        name: str = getattr(self.settings.experiments, self.kind)
        if self.settings.tracking_uri.startswith("databricks") and not name.startswith("/"):
            return f"/Shared/{name}"
        return name

    @cached_property
    def client(self) -> MlflowClient:
        """Client of the tracking server and registry of the settings."""
        return mlflow_client(self.settings)

    def experiment_id(self) -> str:
        """Id of the experiment, which is made when missing (by whichever of two processes is first)."""
        from mlflow.exceptions import MlflowException
        from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode

        if (found := self.client.get_experiment_by_name(self.experiment)) is not None:
            return found.experiment_id
        bucket = self.settings.bucket_uri
        location = bucket and f"{bucket}/mlflow/{self.experiment.strip('/')}"
        if (file := sqlite_file(self.settings.tracking_uri)) is not None:
            # MLflow's default is the working directory of whoever trains
            location = (file.absolute().parent / "artifacts" / self.experiment).as_uri()
        try:
            return self.client.create_experiment(self.experiment, artifact_location=location, tags=self._shown())
        except MlflowException as exc:
            made_elsewhere = self.client.get_experiment_by_name(self.experiment)
            if exc.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS) or made_elsewhere is None:
                raise
            return made_elsewhere.experiment_id

    def _shown(self) -> dict[str, str]:
        """Tags of the experiment that MLflow's pages show: what it is for, and that it is no GenAI."""
        what = (
            f"Trainings of {self.name}: a run each, its errors beside the baselines in metrics.csv, and a model card."
        )
        return {"mlflow.note.content": what, "mlflow.experimentKind": "custom_model_development"}

    def run_url(self, experiment_id: str, run_id: str) -> str | None:
        """Page of a run, or None for a local file store, which has pages only while `mlflow ui` runs."""
        base = _pages(self.settings)
        return None if base is None else f"{base}/experiments/{experiment_id}/runs/{run_id}"

    def version_url(self, version: str) -> str | None:
        """Page of a registered version, or None for a local file store."""
        if (base := _pages(self.settings)) is None:
            return None
        if is_unity_catalog(self.settings.registry_uri):
            return f"{base.removesuffix('/ml')}/explore/data/models/{self.name.replace('.', '/')}/version/{version}"
        return f"{base}/models/{self.name}/versions/{version}"

    # -- versions ------------------------------------------------------------------------------------------------------

    def versions(self) -> list[str]:
        """Numbers of all versions, newest first; none when the model does not exist.

        Only the numbers, because a search under Unity Catalog gives no tags: ask `find` for more.
        """
        found: list[ModelVersion] = []
        token: str | None = None
        while token != "":
            page = self.client.search_model_versions(f"name='{self.name}'", page_token=token)
            found += page
            token = page.token or ""
        return [str(number) for number in sorted((int(v.version) for v in found), reverse=True)]

    def aliases(self) -> dict[str, str]:
        """Alias -> version; empty when the model does not exist."""
        model = found_or_none(self.client.get_registered_model, self.name)
        return {} if model is None else {alias: str(version) for alias, version in model.aliases.items()}

    def find(self, version: str) -> ModelVersion | None:
        """What the registry knows of a version."""
        return found_or_none(self.client.get_model_version, self.name, version)

    def is_whole(self, version: ModelVersion | None) -> bool:
        """Whether a version exists, was registered by `register` and its files are there, as far as MLflow knows.

        A run that has since been purged counts as finished: the version's digest was written after its end.
        """
        if version is None or version.status != "READY" or DIGEST not in version.tags:
            return False
        run = found_or_none(self.client.get_run, version.run_id or "")
        return run is None or run.info.status == "FINISHED"

    def latest_whole(self) -> str | None:
        """The newest version that is whole; None when there is none."""
        return next((v for v in self.versions() if self.is_whole(self.find(v))), None)

    def serving_version(self) -> str | None:
        """Version that scores: the pinned one, else the champion, else the latest whole one; None when there is none.

        Raises:
            ModelUnavailableError: the pinned version or the champion is missing or was not registered whole.
        """
        with tracking_errors(self.settings, f"Looking up the serving version of {self.name}"):
            chosen, why = getattr(self.settings.pinned_versions, self.kind), "the pinned version"
            if chosen is None:
                chosen, why = self.aliases().get(CHAMPION), "the champion"
            if chosen is None:
                return self.latest_whole()
            found = self.find(chosen)
            whole = self.is_whole(found)
        if not whole:
            state = "does not exist" if found is None else "was not registered whole"
            pin = f"HYDRO_PINNED_VERSIONS__{self.kind.upper()}"
            raise ModelUnavailableError(
                f"Version {chosen} of {self.name}, {why}, {state}",
                f"Pin another version ({pin}), `hydro rollback {self.kind}`, or train again",
            )
        return chosen

    def digest(self, version: str) -> str:
        """Checksum of the package of a version, as its registration noted it; empty where nobody did."""
        with tracking_errors(self.settings, f"Looking up version {version} of {self.name}"):
            found = self.find(version)
        return "" if found is None else found.tags.get(DIGEST, "")

    # -- packages ------------------------------------------------------------------------------------------------------

    def load(self, version: str) -> ForecastPackage:
        """The package of a version, checked against the digest of its registration and against the settings.

        Raises:
            ModelUnavailableError: version missing, files missing or damaged, or of another grid.
            TrackingError: the registry or the store of the files does not answer; that says nothing of the version.
        """
        package = self.fetch(version)
        if problems := misfits(package.info, self.settings):
            raise ModelUnavailableError.of_all(
                [f"Version {version} of {self.name} does not fit: {problems[0]}", *problems[1:]],
                "Train again with the present settings, or set HYDRO_FEATURE_STEP as in its training",
            )
        return package

    def fetch(self, version: str) -> ForecastPackage:
        """`load` without the check against the settings."""
        with tracking_errors(self.settings, f"Loading version {version} of {self.name}"):
            found = self.find(version)
        if found is None:
            raise ModelUnavailableError(
                f"{self.name} has no version {version}", "Choose one of those that MLflow lists"
            )
        with tracking_errors(self.settings, f"Reading the files of version {version} of {self.name}"):
            uris = self.settings.tracking_uri, self.settings.registry_uri
            return _download(*uris, self.name, version, found.tags.get(DIGEST, ""))


@lru_cache(maxsize=12)
def _download(tracking: str, registry: str, name: str, version: str, digest: str) -> ForecastPackage:
    # Cached because a worker scores many days with the same three versions; a version never changes, and its digest in
    # the key tells a registry that was made anew under the same address.
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    from hydro_assets.forecasting.package import ForecastPackage

    uri = f"models:/{name}/{version}"
    if not is_unity_catalog(registry):  # MLflow resolves such a URI by its process-wide registry
        uri = client_of(tracking, registry).get_model_version_download_uri(name, version)
    store = get_artifact_repository(uri, tracking, registry)
    # A download tells a lost file and a lost connection by the same error. A listing fails for the connection only.
    if not found_or_none(store.list_artifacts, PACKAGE_FOLDER):
        raise ModelUnavailableError(f"The files of version {version} of {name} are gone", _REMEDY)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(store.download_artifacts(PACKAGE_FOLDER, dst_path=scratch))
        if package_digest(folder) != digest:
            raise ModelUnavailableError(
                f"The files of version {version} of {name} are damaged or incomplete: their checksum is another",
                _REMEDY,
            )
        try:
            return ForecastPackage.load(folder)
        except ModelUnavailableError as error:  # of another release of the code: its files are as they were made
            raise ModelUnavailableError(f"Version {version} of {name}: {error.problem}", error.remedy) from error


def _pages(settings: Settings) -> str | None:
    uri = settings.tracking_uri
    if uri.startswith("databricks"):
        from mlflow.utils.databricks_utils import get_databricks_host_creds

        return f"{get_databricks_host_creds(uri).host.rstrip('/')}/ml"
    if uri.startswith(("http://", "https://")):
        scheme, _, rest = uri.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2].rstrip('/')}/#"  # without a password that the URI may carry
    return None
