"""A training's run ends with the training, whatever ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from hydro_assets.errors import TrackingError, TrainingError
from hydro_assets.registry.mlflow_client import mlflow_client
from hydro_assets.registry.registered_model import RegisteredModel
from hydro_assets.registry.tracking import LONGEST_TRAINING, Provenance, end_abandoned, training_run
from hydro_assets.settings import Settings

MakeSettings = Callable[..., Settings]

KILLED_IN_THE_MIDDLE = textwrap.dedent("""
    import os, signal, sys
    from datetime import UTC, datetime
    from hydro_assets.registry.tracking import Provenance, training_run
    from hydro_assets.registry.registered_model import RegisteredModel
    from hydro_assets.settings_sources import load_settings

    provenance = Provenance(trained_at=datetime.now(UTC), dagster_run_id="elsewhere")
    with training_run(RegisteredModel(load_settings(home=sys.argv[1]), "gru"), provenance) as run:
        print(run.run_id, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
""")


def _status(settings: Settings, run_id: str) -> str:
    return mlflow_client(settings).get_run(run_id).info.status


def test_run__carries_who_trained_what_from_where(quick: MakeSettings, provenance: Provenance) -> None:
    settings = quick(feature_step="5min", target_col="tds_level")
    with training_run(RegisteredModel(settings, "lstm"), provenance) as run:
        assert _status(settings, run.run_id) == "RUNNING"

    found = mlflow_client(settings).get_run(run.run_id)
    assert found.info.status == "FINISHED"
    wanted = {
        "dagster_run_id": "run-1",
        "asset": "hydroponics_lstm_forecast",
        "partition": "2024-03-01",
        "git_commit": "0123abc",
        "target_col": "tds_level",
        "model_type": "lstm",
        "horizon": "2",
        "feature_step": "5min",
        "experiment_name": "hydroponics_lstm",
        "feature_version": "3",
        "gold_version": "5",
    }
    assert {key: found.data.tags[key] for key in wanted} == wanted


@pytest.mark.parametrize("file", [None, "store/of_the_team.db"])
def test_sqlite_store__lies_whole_in_its_folder(
    quick: MakeSettings, provenance: Provenance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str | None
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    settings = quick(mlflow_tracking_uri=file and f"sqlite:///{tmp_path / file}")
    store = settings.root / "mlflow" if file is None else (tmp_path / file).parent
    with training_run(RegisteredModel(settings, "gru"), provenance) as run:
        run.model.client.log_text(run.run_id, "hello", "note.txt")

    assert list((store / "artifacts" / "hydroponics_gru").glob("*/artifacts/note.txt"))
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize(
    ("ended_by", "status"),
    [(TrainingError("no", "more data"), "FAILED"), (KeyboardInterrupt(), "KILLED"), (SystemExit(1), "KILLED")],
    ids=["error", "Ctrl-C", "exit"],
)
def test_run__ends_when_the_training_does(
    quick: MakeSettings, provenance: Provenance, ended_by: BaseException, status: str
) -> None:
    settings = quick()
    ids: list[str] = []

    def train() -> None:
        with training_run(RegisteredModel(settings, "gru"), provenance) as run:
            ids.append(run.run_id)
            raise ended_by

    with pytest.raises(type(ended_by)):
        train()
    assert _status(settings, ids[0]) == status


def test_mlflow_down__cannot_hide_what_went_wrong_and_the_next_training_tidies_up(
    quick: MakeSettings, provenance: Provenance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: object, **__: object) -> None:
        raise MlflowException("connection refused")

    settings = quick()
    ids: list[str] = []

    def train(patch: pytest.MonkeyPatch) -> None:
        with training_run(RegisteredModel(settings, "gru"), provenance) as run:
            ids.append(run.run_id)
            patch.setattr(MlflowClient, "set_terminated", down)
            patch.setattr(MlflowClient, "set_tag", down)
            raise TrainingError("the loss is not finite", "lower the learning rate")

    with monkeypatch.context() as patch, pytest.raises(TrainingError) as raised:
        train(patch)
    assert "could not be marked FAILED" in raised.value.__notes__[0]
    assert _status(settings, ids[0]) == "RUNNING"

    with training_run(RegisteredModel(settings, "gru"), provenance):
        pass
    assert _status(settings, ids[0]) == "KILLED"


def test_mlflow_down__before_training__is_one_sentence(
    quick: MakeSettings, provenance: Provenance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    settings = quick(mlflow_tracking_uri="http://127.0.0.1:9")
    entered = training_run(RegisteredModel(settings, "gru"), provenance)
    with pytest.raises(
        TrackingError,
        match=r"The MLflow server http://127.0.0.1:9 cannot be reached: .* Start it",
    ):
        entered.__enter__()


def test_killed_process__is_marked_killed_by_the_next_training(quick: MakeSettings, provenance: Provenance) -> None:
    settings = quick()
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", KILLED_IN_THE_MIDDLE, str(settings.root)],
        capture_output=True,
        text=True,
        env=env,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    orphan = done.stdout.strip()
    assert _status(settings, orphan) == "RUNNING"

    with training_run(RegisteredModel(settings, "gru"), provenance):
        pass
    assert _status(settings, orphan) == "KILLED"


def test_training_that_still_works__is_left_alone_by_another(quick: MakeSettings, provenance: Provenance) -> None:
    settings = quick()
    with (
        training_run(RegisteredModel(settings, "gru"), provenance) as first,
        training_run(RegisteredModel(settings, "gru"), provenance),
    ):
        assert _status(settings, first.run_id) == "RUNNING"
    assert _status(settings, first.run_id) == "FINISHED"


def left_running(settings: Settings, provenance: Provenance, tags: dict[str, str]) -> str:
    """A run of another machine, whose lock cannot be seen here."""
    client = mlflow_client(settings)
    started_ms = round(provenance.trained_at.timestamp() * 1000)
    return client.create_run(
        RegisteredModel(settings, "gru").experiment_id(), start_time=started_ms, tags=tags
    ).info.run_id


@pytest.mark.parametrize(
    ("tags", "later", "status"),
    [
        ({"dagster_run_id": "another"}, timedelta(0), "RUNNING"),
        (
            {"dagster_run_id": "run-1", "asset": "hydroponics_lstm_forecast", "partition": "2024-03-01"},
            timedelta(0),
            "KILLED",
        ),
        ({"dagster_run_id": "run-1", "asset": "another"}, timedelta(0), "RUNNING"),
        ({}, timedelta(hours=1), "RUNNING"),
        ({}, LONGEST_TRAINING + timedelta(hours=1), "KILLED"),
    ],
    ids=[
        "of another Dagster run",
        "we are its retry",
        "sibling step of our Dagster run",
        "an hour ago",
        "too long ago",
    ],
)
def test_run_of_another_machine__is_given_up_for_a_reason_only(
    quick: MakeSettings, provenance: Provenance, tags: dict[str, str], later: timedelta, status: str
) -> None:
    settings = quick()
    other = left_running(settings, provenance, tags)
    now = provenance.model_copy(update={"trained_at": provenance.trained_at + later})
    with training_run(RegisteredModel(settings, "gru"), now):
        pass
    assert _status(settings, other) == status


def test_end_abandoned__ends_what_dagster_knows_to_be_over(quick: MakeSettings, provenance: Provenance) -> None:
    settings = quick()
    gone, alive = (left_running(settings, provenance, {"dagster_run_id": name}) for name in ("gone", "alive"))
    with training_run(RegisteredModel(settings, "gru"), provenance) as here:
        closed = end_abandoned(settings, provenance.trained_at, lambda run: run in ("gone", "run-1"))
        assert closed == [gone]
        assert [_status(settings, run) for run in (gone, alive, here.run_id)] == ["KILLED", "RUNNING", "RUNNING"]


def test_end_abandoned__makes_no_store(make_settings: MakeSettings, provenance: Provenance) -> None:
    settings = make_settings()
    assert end_abandoned(settings, provenance.trained_at, lambda _: True) == []
    assert not settings.root.exists()


def test_two_processes__train_side_by_side_in_a_home_that_is_new(make_settings: MakeSettings) -> None:
    settings = make_settings()
    code = textwrap.dedent("""
        import sys
        from datetime import UTC, datetime
        from hydro_assets.registry.registered_model import RegisteredModel
        from hydro_assets.registry.tracking import Provenance, training_run
        from hydro_assets.settings_sources import load_settings

        model = RegisteredModel(load_settings(home=sys.argv[1]), "gru")
        for _ in range(2):
            with training_run(model, Provenance(trained_at=datetime.now(UTC))) as run:
                model.client.log_param(run.run_id, "who", sys.argv[2])
    """)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, str(settings.root)]
    started = [subprocess.Popen([*command, who], stderr=subprocess.PIPE, text=True, env=env) for who in ("a", "b")]
    errors = [process.communicate()[1] for process in started]
    assert [process.returncode for process in started] == [0, 0], errors

    client = mlflow_client(settings)
    runs = client.search_runs([RegisteredModel(settings, "gru").experiment_id()])
    assert [r.info.status for r in runs] == ["FINISHED"] * 4
    assert sorted(r.data.params["who"] for r in runs) == ["a", "a", "b", "b"]
    assert list((settings.root / "mlflow" / "running").iterdir()) == []
