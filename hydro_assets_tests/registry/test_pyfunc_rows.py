"""One artifact takes rows of `sensor_features` as they are stored, and readings of Gold; in process and over HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from mlflow.pyfunc import load_model, scoring_server
from polars.testing import assert_frame_equal
from starlette.testclient import TestClient

from hydro_assets.errors import DataContractError
from hydro_assets.forecasting.pyfunc import PyfuncForecast
from hydro_assets.registry.artifact import save_artifact
from hydro_assets_tests.builders.served_farm import feature_rows, readings, served

NEWEST = {"newest": True}
READINGS = readings().filter(system_id="system_2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("artifact") / "lightgbm"
    save_artifact(served().packages["lightgbm"], feature_rows(), folder)
    return folder


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    return feature_rows().filter(system_id="system_2")


@pytest.fixture(scope="module")
def wanted(rows: pl.DataFrame) -> pl.DataFrame:
    package, last = served().packages["lightgbm"], rows["timestamp"].max()
    labels = package.probabilities(rows, last).rename({"label": "target", "probability": "prediction"})  # type: ignore[arg-type]
    both = pl.concat([package.predict(rows, last), labels], how="diagonal")  # type: ignore[arg-type]
    return both.with_columns(pl.col("timestamp").dt.replace_time_zone(None))


GIVEN = {
    "features with a zone": lambda rows: rows.to_pandas(),
    "features, naive": lambda rows: rows.with_columns(pl.col("timestamp").dt.replace_time_zone(None)).to_pandas(),
    "features as Arrow types": lambda rows: rows.to_pandas(use_pyarrow_extension_array=True),
    "features with unknown booleans": lambda rows: rows.with_columns(is_ph_reducer_on=pl.lit(None)).to_pandas(),
    "readings": lambda rows: READINGS.to_pandas(),
    "readings labelled UTC": lambda rows: READINGS.with_columns(
        pl.col("timestamp_key").dt.replace_time_zone("UTC")
    ).to_pandas(),
    "readings in any order": lambda rows: READINGS.sample(fraction=1, shuffle=True, seed=1).to_pandas(),
    "readings as Arrow types": lambda rows: READINGS.to_pandas(use_pyarrow_extension_array=True),
}


@pytest.mark.parametrize("given", GIVEN)
def test_artifact__forecasts_from_features_and_from_readings(
    folder: Path, rows: pl.DataFrame, wanted: pl.DataFrame, given: str
) -> None:
    found = pl.from_pandas(load_model(str(folder)).predict(GIVEN[given](rows), params=NEWEST))
    if given != "features with unknown booleans":
        assert_frame_equal(found.cast(wanted.schema), wanted, rel_tol=0.0, abs_tol=1e-9)  # type: ignore[arg-type]
    assert found["prediction"].is_not_null().all()


@pytest.mark.parametrize("given", ["features", "readings"])
def test_scoring_server_of_mlflow__answers_both(
    folder: Path, rows: pl.DataFrame, wanted: pl.DataFrame, given: str
) -> None:
    client = TestClient(scoring_server.init(load_model(str(folder))))
    frame = (rows if given == "features" else READINGS).to_pandas()
    body = {"dataframe_split": json.loads(frame.to_json(orient="split", date_format="iso", double_precision=15))}
    answer = client.post("/invocations", json={**body, "params": NEWEST})
    assert answer.status_code == 200, answer.text
    found = pl.DataFrame(answer.json()["predictions"])
    assert found["target"].to_list() == wanted["target"].to_list()
    assert_frame_equal(found.select("prediction"), wanted.select("prediction"), rel_tol=1e-6)


def test_every_row__is_answered_without_params(rows: pl.DataFrame) -> None:
    model = PyfuncForecast(served().packages["lightgbm"])
    assert model.predict(READINGS.to_pandas())["timestamp"].nunique() == rows.height


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda frame: frame.drop(columns="timestamp_key"), "no column timestamp, .* nor timestamp_key"),
        (lambda frame: frame.drop(columns="system_id"), "Readings name no system_id. Name one, such as system_1, sys"),
    ],
    ids=["no time", "no system"],
)
def test_readings__that_lack_something_are_refused_in_words(change: Any, said: str) -> None:
    model = PyfuncForecast(served().packages["lightgbm"])
    frame: pd.DataFrame = READINGS.to_pandas()
    with pytest.raises(DataContractError, match=said):
        model.predict(change(frame))
