"""Materialise the whole graph from the command line, into the same history that the UI shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import dagster as dg

from hydro_assets.defs.failures import is_interruption
from hydro_assets.errors import HydroError
from hydro_assets.settings import Settings

_MONITORED = """\
telemetry:
  enabled: false
nux:
  enabled: false
run_monitoring:
  enabled: true
  start_timeout_seconds: 300
  cancel_timeout_seconds: 180
  max_runtime_seconds: 86400
  free_slots_after_run_end_seconds: 300
concurrency:
  pools:
    granularity: run
    default_limit: 1
"""
_DAGSTER_YAML = f"""{_MONITORED}\
retention:
  schedule:
    purge_after_days: 90
  sensor:
    purge_after_days:
      skipped: 7
      failure: 30
      success: 90
"""
_EARLIER = ("telemetry:\n  enabled: false\nnux:\n  enabled: false\n", _MONITORED)


def dagster_home(settings: Settings) -> Path:
    """`HYDRO_HOME/dagster` with its dagster.yaml, made when missing."""
    home = settings.root / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    config = home / "dagster.yaml"
    if not config.exists() or config.read_text() in _EARLIER:
        config.write_text(_DAGSTER_YAML)
    return home


@contextmanager
def dagster_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The instance under `HYDRO_HOME`."""
    with dg.DagsterInstance.from_config(str(dagster_home(settings))) as instance:
        yield instance


class RunFailedError(HydroError):
    """A Dagster run ended red."""


class CheckStoppedRunError(RunFailedError):
    """A blocking check stopped the run: the data is at fault, not the machine."""


def run_job(
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    days: tuple[date, date] | None = None,
    tags: Mapping[str, str] | None = None,
) -> dg.ExecuteInProcessResult:
    """One run of a job in this process, for the days `[days[0], days[1])` where its assets are partitioned.

    Raises CheckStoppedRunError with what the blocking check found, RunFailedError with the message of the first step
    that failed otherwise, and KeyboardInterrupt when Ctrl-C ended the run: Dagster then records the run as failed.
    """
    chosen = dict(tags or {})
    if days is not None:
        last = days[1] - timedelta(days=1)
        chosen |= {
            "dagster/asset_partition_range_start": days[0].isoformat(),
            "dagster/asset_partition_range_end": last.isoformat(),
            "hydro/days": f"{days[0]}..{last}",
        }
    result = job.execute_in_process(
        instance=instance,
        tags=chosen,
        raise_on_error=False,
        run_config={"loggers": {"console": {"config": {}}}},  # else Dagster's own console logger writes too
    )
    if any(is_interruption(event) for event in result.all_events):
        raise KeyboardInterrupt
    if not result.success:
        remedy = f"Open run {result.run_id} in the UI (hydro dev) for its log"
        if found := _blocking_findings(result):
            raise CheckStoppedRunError(found, f"Mend the data in Gold and run again. {remedy}")
        raise RunFailedError(_first_failure(result), remedy)
    return result


def _blocking_findings(result: dg.ExecuteInProcessResult) -> str:
    """What the checks said that stopped the run; empty when none did."""
    stopped = [e for e in result.get_asset_check_evaluations() if not e.passed and e.blocking]
    return "; ".join(e.description or e.check_name for e in stopped if e.severity == dg.AssetCheckSeverity.ERROR)


def _first_failure(result: dg.ExecuteInProcessResult) -> str:
    for event in result.all_events:
        if event.is_step_failure:
            failure = event.step_failure_data
            user = failure.user_failure_data
            text = user.description if user is not None and user.description else None
            if text is None and failure.error is not None:
                cause = failure.error
                while cause.cause is not None:
                    cause = cause.cause
                text = cause.message.strip()
            return f"Step {event.step_key} failed: {text}"
    return f"Run {result.run_id} failed before any step"
