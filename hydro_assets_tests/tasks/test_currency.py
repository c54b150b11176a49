from __future__ import annotations

from hydro_assets.registry.mlflow_client import mlflow_client
from hydro_assets.settings import Settings
from hydro_assets.tasks.currency import _is_current

NAME = "hydroponics_gru_forecast"


def test_version_that_cannot_be_read__is_not_current__so_that_a_run_trains_again(settings: Settings) -> None:
    client = mlflow_client(settings)
    client.create_registered_model(NAME)
    client.create_model_version(NAME, (settings.root / "gone").as_uri(), tags={"feature_version": "3"})
    assert not _is_current(settings, "gru", 3)
