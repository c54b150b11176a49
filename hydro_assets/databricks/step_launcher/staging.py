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
from databricks.sdk.service.workspace import ImportFormat

_REPORT = re.compile(r"report_\d{6}\.json\.gz")


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

    def upload_script(self, workspace_dir: str, script: Path) -> str:
        """Put a script into the workspace under a name that tells its content; gives its path.

        A workspace file, because `python_file` of a task accepts workspace paths everywhere, and volumes not.
        """
        content = script.read_bytes()
        path = f"{workspace_dir}/{script.stem}_{hashlib.sha256(content).hexdigest()[:12]}.py"
        self.workspace.workspace.mkdirs(workspace_dir)
        self.workspace.workspace.import_(
            path, content=base64.b64encode(content).decode(), format=ImportFormat.AUTO, overwrite=True
        )
        return path

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
