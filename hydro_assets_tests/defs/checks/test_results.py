from collections.abc import Iterator
from datetime import date

import dagster as dg
import pytest

from hydro_assets.defs.checks.results import check_days, check_result
from hydro_assets.quality import Finding

DAYS = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-02-01")
KEY = dg.AssetCheckKey(dg.AssetKey("tank"), "fit")
RANGE = {
    "dagster/asset_partition_range_start": "2026-01-02",
    "dagster/asset_partition_range_end": "2026-01-04",
}


def ok(severity: str = "error") -> Finding:
    return Finding("ok", True, severity, "all is well")  # type: ignore[arg-type]


def test_check_result__an_error_stops_and_is_told_first() -> None:
    found = [Finding("a", False, "warn", "some cells are bad"), Finding("b", False, "error", "no timestamp"), ok()]
    result = check_result(found)
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert result.description == "no timestamp; some cells are bad"


def test_check_result__a_warning_alone_is_a_warning() -> None:
    result = check_result([Finding("a", False, "warn", "some cells are bad"), ok()])
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)


def test_check_result__what_passed_is_told_with_its_numbers() -> None:
    assert check_result([ok(), ok("warn")]).description == "all is well; all is well"


class CheckedTank:
    """A partitioned asset with a blocking daily check and something after it."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.bad: dict[str, str] = {}
        self.built: list[str] = []

        @dg.asset_check(asset=KEY.asset_key, name=KEY.name, blocking=True, partitions_def=DAYS)
        def fit(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
            return check_days(context, KEY, self.judge)

        tank = dg.AssetSpec(KEY.asset_key, partitions_def=DAYS)

        @dg.asset(deps=[tank], partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
        def after(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
            self.built += context.partition_keys
            return dg.MaterializeResult()

        job = dg.define_asset_job("build", dg.AssetSelection.assets(after) | dg.AssetSelection.checks(KEY))
        self.job = dg.Definitions(assets=[tank, after], asset_checks=[fit], jobs=[job]).resolve_job_def("build")

    def judge(self, day: date) -> list[Finding]:
        severity = self.bad.get(day.isoformat())
        return [Finding("fit", severity is None, severity or "error", f"the tank of {day}")]  # type: ignore[arg-type]

    def run(self, **options: object) -> bool:
        return self.job.execute_in_process(instance=self.instance, raise_on_error=False, **options).success  # type: ignore[arg-type]

    def by_day(self) -> dict[str, str]:
        info = self.instance.event_log_storage.get_asset_check_partition_info([KEY])
        return {str(i.partition_key): i.latest_execution_status.value for i in info if i.partition_key}


@pytest.fixture
def tank() -> Iterator[CheckedTank]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield CheckedTank(instance)


def test_check_days__a_range_shows_every_day_and_stops_for_the_bad_one(tank: CheckedTank) -> None:
    tank.bad = {"2026-01-03": "error"}
    assert not tank.run(tags=RANGE)
    assert tank.by_day() == {"2026-01-02": "SUCCEEDED", "2026-01-03": "FAILED", "2026-01-04": "SUCCEEDED"}
    assert tank.built == []


def test_check_days__a_bad_day_stays_visible_when_a_later_one_passes(tank: CheckedTank) -> None:
    tank.bad = {"2026-01-03": "error"}
    assert not tank.run(partition_key="2026-01-03")
    assert tank.run(partition_key="2026-01-04")
    assert tank.by_day() == {"2026-01-03": "FAILED", "2026-01-04": "SUCCEEDED"}
    assert tank.built == ["2026-01-04"]


def test_check_days__a_mended_day_turns_green(tank: CheckedTank) -> None:
    tank.bad = {"2026-01-03": "error"}
    tank.run(tags=RANGE)
    tank.bad = {}
    assert tank.run(partition_key="2026-01-03")
    assert tank.by_day()["2026-01-03"] == "SUCCEEDED"
    assert tank.run(tags=RANGE)
    assert set(tank.by_day().values()) == {"SUCCEEDED"}


def test_check_days__a_warning_is_shown_and_stops_nothing(tank: CheckedTank) -> None:
    tank.bad = {"2026-01-03": "warn"}
    assert tank.run(tags=RANGE)
    assert tank.by_day()["2026-01-03"] == "FAILED"
    assert tank.built == ["2026-01-02", "2026-01-03", "2026-01-04"]


def test_check_days__the_sum_names_the_days_that_stop(tank: CheckedTank) -> None:
    tank.bad = {"2026-01-03": "error", "2026-01-04": "warn"}
    tank.run(tags=RANGE)
    history = tank.instance.event_log_storage.get_asset_check_execution_history(KEY, limit=10)
    summary = next(r.event.asset_check_evaluation for r in history if r.partition is None and r.event)
    assert summary is not None
    assert str(summary.description).splitlines() == [
        "3 days judged, 1 stop the run, 1 more have warnings",
        "2026-01-03: the tank of 2026-01-03",
    ]
