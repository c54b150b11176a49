from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from hydro_assets.registry.mlflow_client import mlflow_client
from hydro_assets.settings import Settings


def test_copied_home__finds_its_artifacts_and_never_touches_the_old_place(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    old = make_settings().model_copy(update={"home": tmp_path / "old"})
    client = mlflow_client(old)
    location = (old.root / "mlflow" / "artifacts" / "hydroponics_gru").as_uri()
    experiment = client.create_experiment("hydroponics_gru", artifact_location=location)
    run = client.create_run(experiment).info.run_id
    client.log_text(run, "weights", "model/weights.txt")
    name = "hydroponics_gru_forecast"
    client.create_registered_model(name)
    client.create_model_version(name, f"{client.get_run(run).info.artifact_uri}/model", run)
    shutil.copytree(old.root, tmp_path / "new")
    before = sorted(p for p in old.root.rglob("*") if p.suffix == ".txt")

    moved = mlflow_client(old.model_copy(update={"home": tmp_path / "new"}))
    assert moved.get_model_version_download_uri(name, "1").startswith((tmp_path / "new").as_uri())
    assert Path(moved.download_artifacts(run, "model/weights.txt")).read_text() == "weights"
    again = moved.create_run(experiment).info.run_id
    moved.log_text(again, "later", "later.txt")
    assert list((tmp_path / "new").rglob("later.txt"))
    assert sorted(p for p in old.root.rglob("*") if p.suffix == ".txt") == before
    assert mlflow_client(old).get_run(run).info.artifact_uri.startswith(old.root.as_uri())  # type: ignore[union-attr]
