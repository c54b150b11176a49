"""Failures are told: in the log always, and to a webhook if one is configured. The webhook's address is a secret."""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import requests
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from hydro_assets.defs.attempts import DAYS_TAG
from hydro_assets.errors import HydroError
from hydro_assets.settings import Settings

TRIES = 3
TRY_AGAIN = (408, 429, *range(500, 600))  # too slow, too many, a fault of the receiver
CHECK_ALERT_INTERVAL = 60

logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # it logs the address, a secret, of each retry


class AlertError(HydroError):
    """The webhook took no alert."""


def post(address: str, alert: Mapping[str, Any], backoff_seconds: float = 2.0) -> None:
    """POST `alert` as JSON, three times at most; redirects and most 4xx answers are final.

    Raises AlertError without the address.
    """
    policy = Retry(
        TRIES - 1,
        status_forcelist=TRY_AGAIN,
        allowed_methods=None,
        backoff_factor=backoff_seconds,
        raise_on_status=False,
    )
    try:
        with requests.Session() as session:
            for scheme in ("http://", "https://"):
                session.mount(scheme, HTTPAdapter(max_retries=policy))
            # A redirected POST is followed by a GET: the receiver would answer 200 to an alert that it never saw.
            answer = session.post(address, json=_plain(alert), timeout=10, allow_redirects=False)
        problem = "" if answer.status_code < 300 else f"it answered {answer.status_code}"
    except (requests.RequestException, ValueError) as error:  # no receiver, a cut connection, no address at all
        problem = f"{type(error).__name__}: no connection"
    if problem:
        # From None: the cause would carry the address into the log.
        raise AlertError(f"The webhook took no alert: {problem}", "Check HYDRO_WEBHOOK_URL and the receiver") from None


def _plain(alert: Mapping[str, Any]) -> Any:
    return json.loads(json.dumps(alert, default=str))


def send(settings: Settings, log: logging.Logger, alerts: Sequence[Mapping[str, Any]]) -> None:
    """Log the alerts; post them where a webhook is set, until one cannot be posted, which is logged as an error.

    A dead receiver costs the time of one alert, not of all: a sensor that is too slow is stopped, and would begin anew.
    """
    for alert in alerts:
        log.error(str(alert["text"]))
    if settings.webhook_url is None:
        return
    for done, alert in enumerate(alerts):
        try:
            post(settings.webhook_url.get_secret_value(), alert)
        except AlertError as error:
            log.error(f"{error} {len(alerts) - done} alerts stand in the log alone.")
            return


def run_failure_alert(settings: Settings) -> dg.SensorDefinition:
    """Tells of every failed run, once it will not be retried any more."""

    @dg.run_failure_sensor(
        name="alert_run_failure",
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Logs failed runs, with their days and first errors; posts them to HYDRO_WEBHOOK_URL if set.",
    )
    def alert_run_failure(context: dg.RunFailureSensorContext) -> None:
        if context.dagster_run.tags.get("dagster/will_retry") == "true":
            return
        send(settings, context.log, [run_failure(context)])

    return alert_run_failure


def run_failure(context: dg.RunFailureSensorContext) -> dict[str, Any]:
    """The alert of a failed run."""
    run = context.dagster_run
    days = run.tags.get(DAYS_TAG, run.tags.get("dagster/partition", ""))
    steps = {}
    for event in context.get_step_failure_events():
        failure = event.step_failure_data
        described = failure.user_failure_data.description if failure.user_failure_data else None
        steps[str(event.step_key)] = described or (failure.error.message.strip() if failure.error else "")
    reason = "; ".join(f"{step}: {text}" for step, text in steps.items()) or context.failure_event.message
    text = f"Run {run.run_id} of {run.job_name}{f' for {days}' if days else ''} failed: {reason}"
    return {
        "kind": "run_failure",
        "text": text,
        "job": run.job_name,
        "run_id": run.run_id,
        "days": days,
        "steps": steps,
    }


def check_failure_alert(settings: Settings, keys: list[dg.AssetCheckKey]) -> dg.SensorDefinition:
    """Tells of every failed check result, warnings too; the cursor is the time of the newest result told."""

    @dg.sensor(
        name="alert_check_failure",
        minimum_interval_seconds=CHECK_ALERT_INTERVAL,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Logs failed asset checks, per day where they are daily; posts them to HYDRO_WEBHOOK_URL if set.",
    )
    def alert_check_failure(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        if context.cursor is None:  # history before the first tick is no news
            context.update_cursor(str(time.time()))
            return dg.SkipReason("Watching for failed checks from now on")
        alerts = check_failures(context.instance, keys, float(context.cursor))
        send(settings, context.log, alerts)
        context.update_cursor(str(max([float(context.cursor), *(a["timestamp"] for a in alerts)])))
        return dg.SkipReason(
            f"{len(alerts)} failed checks were reported" if alerts else "No check failed since the last look"
        )

    return alert_check_failure


def check_failures(instance: dg.DagsterInstance, keys: list[dg.AssetCheckKey], since: float) -> list[dict[str, Any]]:
    """Alerts of the failed results after `since` (Unix seconds), oldest first.

    A check that fails again with the same words (hourly checks do) is told once.
    """
    alerts = []
    for key in keys:
        sent: dict[str | None, str | None] = {}  # partition -> words of its last failure
        history = instance.event_log_storage.get_asset_check_execution_history(key, limit=500)
        for record in reversed(history):
            evaluation = record.event.asset_check_evaluation if record.event is not None else None
            if record.event is None or evaluation is None:  # no result: planned, or the run failure tells
                continue
            failed = record.status == AssetCheckExecutionRecordStatus.FAILED
            is_news = failed and sent.get(evaluation.partition) != evaluation.description
            sent[evaluation.partition] = evaluation.description if failed else None
            if is_news and record.event.timestamp > since:
                alerts.append(_check_alert(key, evaluation, record.run_id, record.event.timestamp))
    return sorted(alerts, key=lambda alert: alert["timestamp"])


def _check_alert(
    key: dg.AssetCheckKey, evaluation: dg.AssetCheckEvaluation, run_id: str, timestamp: float
) -> dict[str, Any]:
    day = f" of {evaluation.partition}" if evaluation.partition else ""
    name = f"{key.asset_key.to_user_string()}:{key.name}"
    return {
        "kind": "check_failure",
        "text": f"Check {name}{day} failed ({evaluation.severity.value}): {evaluation.description}",
        "check": name,
        "day": evaluation.partition or "",
        "run_id": run_id,
        "timestamp": timestamp,
    }
