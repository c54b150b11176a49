"""Findings as Dagster check results; and one result per day, also in a run over a range of days."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Any

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,  # not exported; guarded by the tests of check_days
)

from hydro_assets.quality import Finding


def check_result(findings: Iterable[Finding]) -> dg.AssetCheckResult:
    """ERROR when a finding stops, WARN when one merely failed; the description is their sentences."""
    return dg.AssetCheckResult(**_outcome(list(findings)))


def check_days(
    context: dg.AssetCheckExecutionContext, key: dg.AssetCheckKey, judge: Callable[[date], Sequence[Finding]]
) -> dg.AssetCheckResult:
    """Judge every day of the run and record each day's own result.

    A partitioned check that runs over a range may return one result only, which Dagster 1.13 stores without a
    partition while all days stay "planned" (https://github.com/dagster-io/dagster/issues/17005). So the day's results
    are reported as events of this run, and the returned result, which gates the run, sums them up.
    """
    step = context.op_execution_context
    by_day = {day: list(judge(date.fromisoformat(day))) for day in step.partition_keys}
    if step.has_partition_key:
        return check_result(by_day[step.partition_key])
    for day, findings in by_day.items():
        evaluation = dg.AssetCheckEvaluation(
            asset_key=key.asset_key,
            check_name=key.name,
            partition=day,
            blocking=True,
            target_materialization_data=_latest_materialization(context.instance, key.asset_key, day),
            **_outcome(findings),
        )
        event = dg.DagsterEvent(
            event_type_value=dg.DagsterEventType.ASSET_CHECK_EVALUATION.value,
            job_name=step.job_name,
            event_specific_data=evaluation,
        )
        context.instance.report_dagster_event(event, run_id=step.run_id)
    return _summary(by_day)


def _summary(by_day: dict[str, list[Finding]]) -> dg.AssetCheckResult:
    stopped = [day for day, findings in by_day.items() if any(f.stops for f in findings)]
    failed = [day for day, findings in by_day.items() if any(not f.passed for f in findings)]
    shown = stopped or failed
    text = f"{len(by_day)} days judged, {len(stopped)} stop the run, {len(failed) - len(stopped)} more have warnings"
    details = [f"{day}: {'; '.join(f.sentence for f in by_day[day] if not f.passed)}" for day in shown[:20]]
    return dg.AssetCheckResult(
        passed=not failed,
        severity=dg.AssetCheckSeverity.ERROR if stopped else dg.AssetCheckSeverity.WARN,
        description="\n".join([text, *details]),
        metadata={"days_that_stop": stopped, "days_with_warnings": sorted(set(failed) - set(stopped))},
    )


def _outcome(findings: list[Finding]) -> dict[str, Any]:
    failed = [f for f in findings if not f.passed]
    shown = sorted(failed, key=lambda f: not f.stops) or findings
    rows = [
        dg.TableRecord({"name": f.name, "passed": f.passed, "severity": f.severity, "finding": f.sentence})
        for f in findings
    ]
    return {
        "passed": not failed,
        "severity": dg.AssetCheckSeverity.ERROR if any(f.stops for f in failed) else dg.AssetCheckSeverity.WARN,
        "description": "; ".join(f.sentence for f in shown),
        "metadata": {"findings": dg.MetadataValue.table(rows, _SCHEMA)},
    }


_SCHEMA = dg.TableSchema(
    [dg.TableColumn("name"), dg.TableColumn("passed", "bool"), dg.TableColumn("severity"), dg.TableColumn("finding")]
)


def _latest_materialization(
    instance: dg.DagsterInstance, key: dg.AssetKey, day: str
) -> AssetCheckEvaluationTargetMaterializationData | None:
    found = instance.fetch_materializations(dg.AssetRecordsFilter(key, asset_partitions=[day]), limit=1).records
    if not found:
        return None
    record = found[0]
    return AssetCheckEvaluationTargetMaterializationData(
        storage_id=record.storage_id, run_id=record.event_log_entry.run_id, timestamp=record.timestamp
    )
