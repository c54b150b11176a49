"""How errors of the inner ring become Dagster failures, and what is tried again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from hydro_assets.errors import HydroError
from hydro_assets.lakehouse.environments import ENVIRONMENTS
from hydro_assets.settings import Settings


def retry_policy(settings: Settings) -> dg.RetryPolicy | None:
    """Two more attempts where steps are launched: a lost cluster passes. A broken contract is never tried again.

    None on this machine: there Dagster applies the policy to Ctrl-C and to "Terminate" too, and starts the step anew.
    """
    if not ENVIRONMENTS[settings.environment].launched:
        return None
    return dg.RetryPolicy(max_retries=2, delay=10, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


@contextmanager
def no_retry_on_contract() -> Iterator[None]:
    """An error that the user must mend fails the step at once: its RetryPolicy is for lost clusters and conflicts."""
    try:
        yield
    except HydroError as error:
        raise dg.Failure(
            description=str(error),
            metadata={"problem": error.problem, "remedy": error.remedy},
            allow_retries=False,
        ) from error


def is_interruption(event: dg.DagsterEvent) -> bool:
    """Whether a step or a run was ended by Ctrl-C, which Dagster records as a failure of its own kind."""
    if event.is_job_failure:
        reason = event.job_failure_data.failure_reason
        return reason is not None and reason.value == "UNEXPECTED_TERMINATION"
    error = event.step_failure_data.error if event.is_step_failure else None
    return error is not None and error.cls_name in ("DagsterExecutionInterruptedError", "KeyboardInterrupt")
