"""How errors of the inner ring become Dagster failures, and what is tried again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from hydro_assets.errors import HydroError

# A lost cluster or a commit conflict passes; a broken contract (HydroError) is raised as a Failure without retry.
RETRY = dg.RetryPolicy(max_retries=2, delay=10, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


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
