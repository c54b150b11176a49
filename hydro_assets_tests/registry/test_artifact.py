"""The registered artifact stands on its own."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
from mlflow.models import Model
from polars.testing import assert_frame_equal

from hydro_assets.forecasting.pyfunc import feature_rows, from_pandas
from hydro_assets.registry.artifact import package_digest, save_artifact
from hydro_assets.training.train import TrainingResult

Trained = Callable[[str], TrainingResult]

# Everything that loading must not need, and every way to unpickle.
CLEAN_PROCESS = textwrap.dedent("""
    import sys

    class Blocked:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in {"dagster", "dagster_mlflow", "pyspark", "pysail", "delta"}:
                raise ImportError(f"{name} is not there")

    sys.meta_path.insert(0, Blocked())
    import cloudpickle, pickle
    import mlflow.pyfunc, pandas as pd, torch

    def refuse(*args, **kwargs):
        raise AssertionError("something was unpickled")

    pickle.load = pickle.loads = cloudpickle.load = cloudpickle.loads = refuse
    torch.cuda.is_available = lambda: False
    torch.set_num_threads(1)
    model = mlflow.pyfunc.load_model(sys.argv[1])
    model.predict(pd.read_parquet(sys.argv[2])).to_parquet(sys.argv[3])
    import hydro_assets
    print(hydro_assets.__file__)
""")


@pytest.fixture
def artifact(tmp_path: Path, trained: Trained, features: pl.DataFrame) -> Callable[[str], Path]:
    def save(kind: str) -> Path:
        save_artifact(trained(kind).package, features, tmp_path / kind)
        return tmp_path / kind

    return save


@pytest.mark.parametrize("kind", ["gru", "lightgbm"])
def test_artifact__predicts_the_same_in_a_clean_process(
    kind: str, artifact: Callable[[str], Path], trained: Trained, features: pl.DataFrame, tmp_path: Path
) -> None:
    model = artifact(kind)
    given, taken = tmp_path / "rows.parquet", tmp_path / "forecasts.parquet"
    features.to_pandas().to_parquet(given)  # as the table gives them: times with a zone, booleans with nulls
    done = subprocess.run(
        [sys.executable, "-c", CLEAN_PROCESS, str(model), str(given), str(taken)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().startswith(str(model / "code")), "the code comes from the artifact"
    package = trained(kind).package
    wanted = package.predict(features).with_columns(pl.col("timestamp").dt.replace_time_zone(None))
    found = pl.read_parquet(taken)
    forecasts = found.filter(pl.col("target").is_in(package.info.target_names))
    assert_frame_equal(forecasts.cast(wanted.schema), wanted)  # type: ignore[arg-type]
    labels = found.filter(~pl.col("target").is_in(package.info.target_names))
    assert labels["prediction"].to_list() == package.probabilities(features)["probability"].to_list()


def test_artifact__says_what_it_takes_and_gives(artifact: Callable[[str], Path], trained: Trained) -> None:
    folder = artifact("gru")
    model = Model.load(str(folder))
    assert model.signature is not None
    columns = {column.name: column for column in model.signature.inputs}
    assert {"system_id", "timestamp", "timestamp_key", *trained("gru").package.info.features} <= set(columns)
    assert not any(column.required for column in columns.values()), "rows of features and readings have other columns"
    assert [column.name for column in model.signature.outputs][:5] == [
        "system_id",
        "timestamp",
        "target",
        "horizon",
        "prediction",
    ]
    assert model.load_input_example(str(folder))["ph_level"].notna().all()


def test_requirements__are_what_loading_needs(artifact: Callable[[str], Path]) -> None:
    pins = (artifact("gru") / "requirements.txt").read_text().split()
    names = {pin.partition("==")[0] for pin in pins}
    assert {"torch", "polars", "mlflow"} <= names
    assert not {name for name in names if name.startswith(("dagster", "pyspark", "pysail", "lightgbm"))}
    assert not [pin for pin in pins if "+" in pin], "a local build is no release that pip would find"


def test_artifact__holds_no_pickle(artifact: Callable[[str], Path]) -> None:
    for kind in ("gru", "lightgbm"):
        assert not [p for p in artifact(kind).rglob("*") if p.suffix in {".pkl", ".pickle", ".joblib", ".cloudpickle"}]


def test_artifact__ships_the_model_and_the_ground_under_it_and_nothing_else(artifact: Callable[[str], Path]) -> None:
    code = artifact("gru") / "code" / "hydro_assets"
    shipped = {p.relative_to(code).parts[0] for p in code.rglob("*.py")}
    ground = {"errors", "durations", "tables", "features", "ingest", "forecasting"}
    assert {name.removesuffix(".py") for name in shipped} == ground | {"__init__"}
    imported = {
        node.module
        for path in code.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hydro_assets.")
    }
    typing_only = {"hydro_assets.settings"}
    assert {name.split(".")[1] for name in imported - typing_only} <= ground


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(lambda rows: rows, id="with a time zone"),
        pytest.param(lambda rows: rows.assign(timestamp=rows["timestamp"].dt.tz_localize(None)), id="naive"),
        pytest.param(lambda rows: rows.assign(timestamp=rows["timestamp"].astype(str)), id="text"),
        pytest.param(
            lambda rows: rows.assign(timestamp=rows["timestamp"].dt.tz_convert("Asia/Tokyo")), id="another zone"
        ),
        pytest.param(lambda rows: rows.assign(is_ph_reducer_on=None), id="a boolean that is never known"),
        pytest.param(lambda rows: rows.drop(columns="ph_level_lag_5min"), id="without a feature"),
    ],
)
def test_rows_as_the_table_gives_them__are_taken(
    artifact: Callable[[str], Path], features: pl.DataFrame, given: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    import mlflow.pyfunc

    model = mlflow.pyfunc.load_model(str(artifact("lightgbm")))
    answers = model.predict(given(features.to_pandas()))
    assert answers["prediction"].notna().mean() > 0.9
    assert answers["timestamp"].max() == features["timestamp"].max().replace(tzinfo=None)  # type: ignore[union-attr]


def test_input__in_any_order_gives_sorted_rows(trained: Trained) -> None:
    frame = pd.DataFrame(
        {
            "system_id": ["b", "a", "a"],
            "timestamp": pd.to_datetime(["2024-01-01 00:00", "2024-01-01 00:01", "2024-01-01 00:00"]),
        }
    )
    rows = feature_rows(from_pandas(frame), trained("gru").package.info)
    assert rows["system_id"].to_list() == ["a", "a", "b"]


def test_digest__sees_every_byte_and_every_name(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12")
    digests = [package_digest(tmp_path)]
    (tmp_path / "a").write_bytes(b"13")
    digests.append(package_digest(tmp_path))
    (tmp_path / "a").rename(tmp_path / "b")
    digests.append(package_digest(tmp_path))
    (tmp_path / "c").write_bytes(b"")
    digests.append(package_digest(tmp_path))
    assert len(set(digests)) == 4
