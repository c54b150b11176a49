"""One directory of a Unity Catalog volume per step and attempt: the launch goes in, reports come out.

Everything from the cluster is JSON; nothing here unpickles. A report is one whole gzip file, numbered, written once by
the cluster and deleted once the host has used it, so the directory stays small however long the step runs.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.workspace import ExportFormat, ImportFormat

from hydro_assets.errors import HydroError

_REPORT = re.compile(r"report_\d{6}\.json\.gz")


class StagingError(HydroError):
    """What lies in the workspace is not what was staged."""


def own_folder(workspace: WorkspaceClient) -> str:
    """The workspace folder in which only this principal and administrators may write."""
    return f"/Workspace/Users/{workspace.current_user.me().user_name}/hydro_assets"


@dataclass(frozen=True)
class Report:
    """What the step said since its last report. `crash` is the traceback of a failure outside the step itself."""

    events: str
    stdout: str
    stderr: str
    crash: str | None


@dataclass(frozen=True)
class Stage:
    """Staging directory of one attempt of one step of one Dagster run."""

    workspace: WorkspaceClient
    volume: str
    directory: str

    @classmethod
    def of(cls, workspace: WorkspaceClient, volume: str, dagster_run_id: str, step_key: str, attempt: int) -> Stage:
        # Step keys carry brackets and any letters of a partition; volumes and task parameters take neither. The hash
        # keeps apart keys that read the same once cleaned.
        readable = re.sub(r"[^A-Za-z0-9_.-]+", "_", step_key)[:60]
        unique = hashlib.sha256(step_key.encode()).hexdigest()[:8]
        return cls(workspace, volume, f"{volume}/steps/{dagster_run_id}.{readable}.{unique}.{attempt}")

    def create(self) -> None:
        self.workspace.files.create_directory(self.directory)

    def upload(self, name: str, content: bytes) -> str:
        """Put a file into the stage; gives its path."""
        path = f"{self.directory}/{name}"
        self.workspace.files.upload(path, io.BytesIO(content), overwrite=True)
        return path

    def upload_once(self, directory: str, name: str, content: bytes) -> str:
        """Put a file whose name tells its content into a directory of the volume, if new; gives its path."""
        path = f"{self.volume}/{directory}/{name}"
        try:
            self.workspace.files.get_metadata(path)
        except NotFound:
            self.workspace.files.create_directory(f"{self.volume}/{directory}")
            self.workspace.files.upload(path, io.BytesIO(content), overwrite=True)
        return path

    def upload_script(self, workspace_dir: str, script: Path) -> tuple[str, str]:
        """Put a script into the workspace under a name that tells its content, if new; gives its path and SHA-256.

        A workspace file, because `python_file` of a task accepts workspace paths everywhere, and volumes not.

        Raises:
            StagingError: a file of that name has another content: somebody else may write where the code lies.
        """
        content = script.read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        path = f"{workspace_dir}/{script.stem}_{sha256[:12]}.py"
        files = self.workspace.workspace
        try:
            there = files.export(path, format=ExportFormat.AUTO).content or ""
        except NotFound:
            files.mkdirs(workspace_dir)
            files.import_(path, content=base64.b64encode(content).decode(), format=ImportFormat.AUTO, overwrite=True)
            there = files.export(path, format=ExportFormat.AUTO).content or ""
        if base64.b64decode(there) != content:
            raise StagingError(
                f"{path} is not the script that this host put there, so nothing is launched",
                "See who may write to that folder (only who launches should), delete the file, and try again",
            )
        return path, sha256

    def take_reports(self) -> Iterator[Report]:
        """Reports in order, each removed after use. Stops before one that is still being written."""
        try:
            names = sorted(
                entry.name
                for entry in self.workspace.files.list_directory_contents(self.directory)
                if entry.name and _REPORT.fullmatch(entry.name)
            )
        except NotFound:
            return
        for name in names:
            path = f"{self.directory}/{name}"
            with self.workspace.files.download(path).contents as stream:  # type: ignore[union-attr]
                raw = stream.read()
            if not raw:  # opened by the cluster, nothing written yet: no bytes are no error to gzip
                return
            try:
                report = Report(**json.loads(gzip.decompress(raw)))
            except (EOFError, gzip.BadGzipFile, zlib.error):
                return
            yield report
            self.workspace.files.delete(path)

    def remove(self) -> None:
        """Delete the directory and what is left in it."""
        for entry in self.workspace.files.list_directory_contents(self.directory):
            self.workspace.files.delete(f"{self.directory}/{entry.name}")
        self.workspace.files.delete_directory(self.directory)
