from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import dagster as dg
import pytest

from hydro_assets.defs.sensors.alerts import (
    AlertError,
    check_failure_alert,
    check_failures,
    post,
    run_failure,
    run_failure_alert,
    send,
)
from hydro_assets.settings import Settings

SECRET = "s3cr3t-canary"


class Receiver:
    """A webhook on loopback that answers what it is told and keeps what it got."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.got: list[dict[str, Any]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append(json.loads(body))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                self.send_header("location", "/elsewhere")
                self.end_headers()

            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: Any) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/{SECRET}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def test_post__delivers_once(receiver: Receiver) -> None:
    post(receiver.address, {"text": "hello"}, 0)
    assert receiver.got == [{"text": "hello"}]


def test_post__tries_again_where_that_may_help(receiver: Receiver) -> None:
    receiver.answers = [503, 429]
    post(receiver.address, {"text": "hello"}, 0)
    assert len(receiver.got) == 3


def test_post__gives_up_after_three_and_keeps_the_address_to_itself(receiver: Receiver) -> None:
    receiver.answers = [500, 500, 500, 500]
    with pytest.raises(AlertError) as caught:
        post(receiver.address, {"text": "hello"}, 0)
    assert len(receiver.got) == 3
    assert "it answered 500" in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("answer", [403, 404, 301, 302])
def test_post__a_refusal_is_final_and_so_is_a_redirect(receiver: Receiver, answer: int) -> None:
    receiver.answers = [answer]
    with pytest.raises(AlertError, match=f"it answered {answer}"):
        post(receiver.address, {"text": "hello"}, 0)
    assert len(receiver.got) == 1


@pytest.mark.parametrize("address", [f"http://127.0.0.1:9/{SECRET}", f"http://127.0.0.1:9/?token={SECRET}"])
def test_send__without_a_receiver_logs_and_goes_on(
    make_settings: Callable[..., Settings],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
) -> None:
    monkeypatch.setattr("hydro_assets.defs.sensors.alerts.TRIES", 1)
    send(make_settings(webhook_url=address), logging.getLogger("alerts"), [{"text": "day 3 failed"}])
    assert "day 3 failed" in caplog.text
    assert "The webhook took no alert" in caplog.text
    assert SECRET not in caplog.text


def test_send__stops_at_the_first_that_is_not_taken(
    make_settings: Callable[..., Settings], receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answers = [200, 403]
    alerts = [{"text": f"day {day} failed"} for day in range(4)]
    send(make_settings(webhook_url=receiver.address), logging.getLogger("alerts"), alerts)
    assert receiver.got == alerts[:2]
    assert caplog.messages[:4] == [alert["text"] for alert in alerts]
    assert caplog.messages[4].endswith("3 alerts stand in the log alone.")


def test_send__without_webhook_logs_only(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    send(settings, logging.getLogger("alerts"), [{"text": "day 3 failed"}])
    assert caplog.messages == ["day 3 failed"]


@dg.op
def explode() -> None:
    raise dg.Failure("Gold has no pH on 2026-01-03")


@dg.job(name="refresh_sensor_features")
def broken() -> None:
    explode()


def test_run_failure__names_days_and_the_first_error(settings: Settings) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        result = broken.execute_in_process(
            instance=instance, raise_on_error=False, tags={"hydro/days": "2026-01-02..2026-01-04"}
        )
        context = dg.build_run_status_sensor_context(
            sensor_name="alert_run_failure",
            dagster_event=result.get_run_failure_event(),
            dagster_instance=instance,
            dagster_run=result.dagster_run,
        ).for_run_failure()
        alert = run_failure(context)
    assert "refresh_sensor_features for 2026-01-02..2026-01-04 failed" in alert["text"]
    assert alert["steps"] == {"explode": "Gold has no pH on 2026-01-03"}


def test_alert_run_failure__posts_unless_the_run_will_be_retried(
    make_settings: Callable[..., Settings], receiver: Receiver
) -> None:
    sensor = run_failure_alert(make_settings(webhook_url=receiver.address))
    for tags in ({"dagster/will_retry": "true"}, {}):
        with dg.DagsterInstance.ephemeral() as instance:
            result = broken.execute_in_process(instance=instance, raise_on_error=False, tags=tags)
            context = dg.build_run_status_sensor_context(
                sensor_name="alert_run_failure",
                dagster_event=result.get_run_failure_event(),
                dagster_instance=instance,
                dagster_run=result.dagster_run,
            ).for_run_failure()
            sensor(context)
    assert [alert["kind"] for alert in receiver.got] == ["run_failure"]


KEY = dg.AssetCheckKey(dg.AssetKey("tank"), "fit")


def check_defs(passed: bool) -> dg.Definitions:
    @dg.asset(key=KEY.asset_key)
    def tank() -> None: ...

    @dg.asset_check(asset=tank, name=KEY.name)
    def fit() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=passed, description="pH is 9", severity=dg.AssetCheckSeverity.WARN)

    return dg.Definitions(assets=[tank], asset_checks=[fit])


def test_check_failures__tell_a_failed_check_once(make_settings: Callable[..., Settings], receiver: Receiver) -> None:
    sensor = check_failure_alert(make_settings(webhook_url=receiver.address), [KEY])
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance, cursor="0")
        for passed in (True, False):
            check_defs(passed).resolve_implicit_global_asset_job_def().execute_in_process(instance=instance)
        first = sensor.evaluate_tick(context)
        again = sensor.evaluate_tick(dg.build_sensor_context(instance, cursor=first.cursor))
        assert len(check_failures(instance, [KEY], 0.0)) == 1
    assert [alert["text"] for alert in receiver.got] == ["Check tank:fit failed (WARN): pH is 9"]
    assert first.skip_message == "1 failed checks were reported"
    assert again.skip_message == "No check failed since the last look"


def test_check_failures__the_same_failure_hour_by_hour_is_told_once_until_it_passes() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        told = []
        for passed in (False, False, True, False):
            check_defs(passed).resolve_implicit_global_asset_job_def().execute_in_process(instance=instance)
            told.append(len(check_failures(instance, [KEY], 0.0)))
    assert told == [1, 1, 1, 2]


def test_check_failures__history_before_the_first_look_is_no_news(settings: Settings) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        check_defs(False).resolve_implicit_global_asset_job_def().execute_in_process(instance=instance)
        evaluated = check_failure_alert(settings, [KEY]).evaluate_tick(dg.build_sensor_context(instance))
    assert evaluated.skip_message == "Watching for failed checks from now on"
    assert evaluated.cursor is not None
