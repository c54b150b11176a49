from __future__ import annotations

from datetime import date

import dagster as dg

from hydro_assets.defs.attempts import Attempt
from hydro_assets.defs.checks.features_current import currency
from hydro_assets.lakehouse.tables import TableVersion

D1, D2 = date(2026, 1, 1), date(2026, 1, 2)


def attempt(status: dg.DagsterRunStatus) -> Attempt:
    return Attempt("r", D1, D1, TableVersion("g", 1), status)


def test_currency__nothing_stale_passes() -> None:
    assert currency({}, {}).sentence == "0 feature days are older than Gold and will be built"


def test_currency__days_that_wait_for_their_run_pass() -> None:
    assert currency({D1: 1, D2: 1}, {D1: [attempt(dg.DagsterRunStatus.STARTED)]}).passed


def test_currency__a_day_whose_last_run_failed_is_named() -> None:
    finding = currency({D1: 1, D2: 1}, {D1: [attempt(dg.DagsterRunStatus.FAILURE)]})
    assert not finding.passed
    assert finding.sentence.startswith("1 feature days are older than Gold and their last run failed: 2026-01-01")
