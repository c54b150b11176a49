"""Entry point of a launched step: a Databricks Python task. It needs the standard library and `dagster`, nothing else.

One argument, flat JSON, written by `launcher.py`: stage, entry (path), entry_sha256, launch (path), launch_sha256, code
(path), code_sha256, python, dagster, flush_seconds. The hashes came with the authenticated request, so a file that
somebody changed is refused before it is read. The task fails when the step fails, so that the run is red on both sides.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.metadata
import io
import json
import os
import pickle
import sys
import tempfile
import threading
import time
import traceback
import zipfile
from typing import Any, TextIO

SHORTEST_REDACTED = 6  # shorter secrets are left alone: replacing them would garble ordinary text


class StepFailed(RuntimeError):
    """The step, or what it needs to start, failed. The reports say why."""


class Tee:
    """A text stream that also keeps its text for the next report, with secrets struck out of both."""

    def __init__(self, stream: TextIO, reporter: Reporter) -> None:
        self._stream, self._reporter = stream, reporter
        self._parts: list[str] = []
        self._lock = threading.Lock()

    def write(self, text: str) -> int:
        clean = self._reporter.redact(text)
        with self._lock:
            self._parts.append(clean)
        self._stream.write(clean)
        return len(text)

    def take(self) -> str:
        with self._lock:
            parts, self._parts = self._parts, []
        return "".join(parts)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Reporter:
    """Writes what the step says to the stage, every `flush_seconds`, as numbered files that are written once."""

    def __init__(self, stage: str, flush_seconds: float) -> None:
        self._stage, self._flush_seconds = stage, flush_seconds
        self._secrets: list[str] = []
        self._events: list[Any] = []
        self._crash: str | None = None
        self._unsent: list[bytes] = []
        self._number = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._pump, name="step-reporter", daemon=True)
        self.out, self.err = Tee(sys.stdout, self), Tee(sys.stderr, self)

    def hide(self, secret: str) -> None:
        if len(secret) >= SHORTEST_REDACTED:
            self._secrets.append(secret)

    def redact(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "[REDACTED]")
        return text

    def add_event(self, event: Any) -> None:
        with self._lock:
            self._events.append(event)

    def crashed(self, text: str) -> None:
        self._crash = self.redact(text)

    def __enter__(self) -> Reporter:
        sys.stdout, sys.stderr = self.out, self.err  # type: ignore[assignment]
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        sys.stdout, sys.stderr = self.out._stream, self.err._stream
        for seconds in (1, 5, 15, None):
            if self._flush() or seconds is None:
                return
            time.sleep(seconds)

    def _pump(self) -> None:
        while not self._stop.wait(self._flush_seconds):
            self._flush()

    def _flush(self) -> bool:
        """Write what is new; False when the volume did not take it, and it is kept for the next time."""
        with self._lock:
            events, self._events = self._events, []
        stdout, stderr, crash, self._crash = self.out.take(), self.err.take(), self._crash, None
        if events or stdout or stderr or crash:
            report = {"events": self._serialized(events), "stdout": stdout, "stderr": stderr, "crash": crash}
            self._unsent.append(gzip.compress(json.dumps(report).encode()))
        while self._unsent:
            path = os.path.join(self._stage, f"report_{self._number:06d}.json.gz")
            try:
                with open(path, "wb") as handle:
                    handle.write(self._unsent[0])
            except OSError as error:
                self.err._stream.write(f"{path} cannot be written ({error}); it is tried again\n")
                return False
            self._unsent.pop(0)
            self._number += 1
        return True

    def _serialized(self, events: list[Any]) -> str:
        if not events:
            return ""
        from dagster import serialize_value

        text = serialize_value(events)
        return json.dumps(self._without_secrets(json.loads(text))) if self._secrets else text

    def _without_secrets(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, list):
            return [self._without_secrets(item) for item in value]
        if isinstance(value, dict):
            return {key: self._without_secrets(item) for key, item in value.items()}
        return value


def verified(path: str, sha256: str) -> bytes:
    """Content of a staged file, if it is what the host staged."""
    with open(path, "rb") as handle:
        content = handle.read()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise StepFailed(f"{path} is not the file that the host staged. Restrict who may write there.")
    return content


def require_same_versions(spec: dict[str, Any]) -> None:
    """The launch is Dagster's own pickle: both sides must run one Python minor version and one Dagster."""
    here = {"python": "{}.{}".format(*sys.version_info), "dagster": importlib.metadata.version("dagster")}
    unequal = [f"{name} {here[name]} here, {spec[name]} on the host" for name in here if here[name] != spec[name]]
    if unequal:
        raise StepFailed(
            f"The cluster differs from the host: {'; '.join(unequal)}. Choose environment_version, spark_version or "
            "dependencies of the step launcher to match the host."
        )


def read_secrets(secrets: list[dict[str, str]], reporter: Reporter) -> None:
    """Secrets of Databricks scopes into the environment, and out of everything that is reported."""
    if not secrets:
        return
    dbutils = globals().get("dbutils")
    if dbutils is None:
        from databricks.sdk.runtime import dbutils  # part of the runtime, where the global is not defined
    for secret in secrets:
        value = dbutils.secrets.get(scope=secret["scope"], key=secret["key"])
        reporter.hide(value)
        os.environ[secret["name"]] = value


def run_step(launch: dict[str, Any], reporter: Reporter) -> bool:
    """Run the step as Dagster would in process, its events going to the reporter. False when it failed."""
    from dagster import external_instance_from_step_run_ref, step_run_ref_to_step_context
    from dagster._core.execution.plan.execute_plan import dagster_event_sequence_for_step

    reference = launch["step_run_ref"]
    instance = external_instance_from_step_run_ref(reference, reporter.add_event)
    for name, keys in launch["dynamic_partitions"].items():
        instance.add_dynamic_partitions(name, keys)
    context = step_run_ref_to_step_context(reference, instance)
    # The instance here is empty: it takes the versions of upstream assets from the host, else every asset would be
    # recorded as built from nothing and shown stale for ever.
    cache = context._data_version_cache
    cache.input_asset_version_info = launch["input_versions"]
    cache.is_external_input_asset_version_info_loaded = True
    cache.fetch_external_input_asset_version_info = lambda: None
    succeeded = True
    for event in dagster_event_sequence_for_step(context, force_local_execution=True):
        succeeded &= not (event.is_step_failure or event.is_step_up_for_retry)
    return succeeded


def main(spec: dict[str, Any]) -> None:
    os.environ["HYDRO_IN_LAUNCHED_STEP"] = "1"
    succeeded = False
    with (
        tempfile.TemporaryDirectory(prefix="hydro_step_", ignore_cleanup_errors=True) as code_dir,
        Reporter(spec["stage"], spec["flush_seconds"]) as reporter,
    ):
        try:
            verified(spec["entry"], spec["entry_sha256"])
            require_same_versions(spec)
            code = verified(spec["code"], spec["code_sha256"])
            zipfile.ZipFile(io.BytesIO(code)).extractall(code_dir)
            # Spark's workers are other processes: the lakehouse hands them the archive.
            os.environ["HYDRO_STEP_CODE"] = archive = os.path.join(code_dir, os.path.basename(spec["code"]))
            with open(archive, "wb") as handle:
                handle.write(code)
            # Ahead of an older installed package; not first, because Dagster drops the first entry while it imports.
            sys.path.insert(1, code_dir)
            launch = pickle.loads(verified(spec["launch"], spec["launch_sha256"]))
            os.environ.update(launch["env"])
            os.environ.setdefault("HYDRO_HOME", os.path.join(code_dir, "home"))  # not the working directory
            read_secrets(launch["secrets"], reporter)
            succeeded = run_step(launch, reporter)
        except BaseException:
            reporter.crashed(traceback.format_exc())
            raise
    if not succeeded:
        raise StepFailed("The Dagster step failed; its events and this run's output say why.")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
