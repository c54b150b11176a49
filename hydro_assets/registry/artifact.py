"""The registered artifact: one MLflow pyfunc around a `ForecastPackage`.

The folder holds the package as data (JSON, a torch state dict, LightGBM text), the code that reads it (`forecasting/`,
what makes features of readings, and the ground under both), a signature, an input example and the pip requirements of
loading. Nothing is pickled, and loading needs neither Dagster nor Spark:

    model = mlflow.pyfunc.load_model("models:/hydroponics_lstm_forecast@champion")
    model.predict(rows)                  # pandas: history and the rows to forecast; feature rows, or readings of Gold
"""

from __future__ import annotations

import shutil
import tempfile
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from hydro_assets.tables import GOLD_IOT_DATA

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

    from hydro_assets.forecasting.package import ForecastPackage, PackageInfo

# What reading and predicting import: modules of this package, and distributions besides the learner's own.
CODE = (
    *("__init__.py", "errors.py", "durations.py", "tables", "forecasting"),
    *(f"features/{m}.py" for m in ("__init__", "probes", "rolling", "spec", "step_grid", "system_features")),
    *("features/tidy_readings.py", "ingest/__init__.py", "ingest/zones.py"),
)
_REQUIREMENTS = ("mlflow", "numpy", "pandas", "polars", "pyarrow", "pydantic")
_LEARNER = {"lstm": "torch", "gru": "torch", "lightgbm": "lightgbm"}

PACKAGE_FOLDER = "data/package"  # in the artifact; MLflow copies what it is given into `data`
EXAMPLE_ROWS = 3  # beyond one history
_MOST_EXAMPLE_ROWS = 600  # of one history: an example is to be looked at, and MLflow predicts from it


def input_columns(info: PackageInfo) -> list[str]:
    """Columns that a caller gives: keys, targets, features."""
    return list(dict.fromkeys(["system_id", "timestamp", *info.target_names, *info.features]))


def save_artifact(package: ForecastPackage, example: pl.DataFrame, folder: Path) -> None:
    """Write the artifact of `package` into the new folder `folder`.

    `example` holds feature rows; the last of its first system become the input example.
    """
    import mlflow.pyfunc

    info = package.info
    first = example.filter(pl.col("system_id") == example["system_id"][0])
    rows = first.tail(min(info.history_steps, _MOST_EXAMPLE_ROWS) + EXAMPLE_ROWS)
    given = rows.select(name for name in input_columns(info) if name in rows.columns)
    with tempfile.TemporaryDirectory() as scratch:
        data, code = Path(scratch) / Path(PACKAGE_FOLDER).name, Path(scratch) / "hydro_assets"
        package.save(data)
        _copy_code(code)
        mlflow.pyfunc.save_model(
            str(folder),
            loader_module="hydro_assets.forecasting.pyfunc",
            data_path=str(data),
            code_paths=[str(code)],
            signature=signature(info, example.schema),
            input_example=given.with_columns(pl.col("timestamp").dt.replace_time_zone(None)).to_pandas(),
            # A local build such as 2.13.0+cpu is no release that pip would find.
            pip_requirements=[
                f"{name}=={version(name).partition('+')[0]}" for name in (*_REQUIREMENTS, _LEARNER[info.kind])
            ],
            metadata={"kind": info.kind, "targets": list(info.target_names), "labels": list(info.labels)},
        )


def package_digest(folder: Path) -> str:
    """SHA-256 over names and contents of a saved package: tells a damaged or incomplete one."""
    digest = sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def signature(info: PackageInfo, schema: pl.Schema) -> ModelSignature:
    """Columns of feature rows, of `schema`, and of readings; each may be missing, and counts as unknown.

    Which of the two kinds of rows is given, the model sees itself. MLflow takes no time with a time zone as a
    `datetime` and no pandas booleans with nulls as a `boolean`, so these may be `any`.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import AnyType

    from hydro_assets.forecasting.package import PREDICTION_SCHEMA

    types = {c.name: c.type for c in GOLD_IOT_DATA.columns}
    types |= {
        name: "any" if dtype in (pl.Boolean, pl.Date) or dtype.is_temporal() else "double"
        for name, dtype in schema.items()
    }
    names = dict.fromkeys([*input_columns(info), *schema, *types])

    def kind(name: str) -> str | AnyType:
        if name in ("system_id", "source_file"):
            return "string"
        return "double" if types.get(name, "double") in ("double", "int") else AnyType()

    inputs = [ColSpec(kind(name), name, required=False) for name in names]
    outputs = [ColSpec(mlflow_type(dtype), name) for name, dtype in PREDICTION_SCHEMA.items()]
    newest = ParamSchema([ParamSpec("newest", "boolean", False)])
    return ModelSignature(Schema(inputs), Schema(outputs), newest)  # type: ignore[arg-type]


def mlflow_type(dtype: pl.DataType) -> str:
    """Name of a polars type in MLflow's schemas."""
    if dtype.is_float():
        return "double"
    if dtype.is_integer():
        return "integer" if dtype == pl.Int32 else "long"
    if dtype.is_temporal():
        return "datetime"
    return "boolean" if dtype == pl.Boolean else "string"


def _copy_code(target: Path) -> None:
    source = Path(__file__).parents[1]
    target.mkdir()
    for name in CODE:
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (target / name).parent.mkdir(exist_ok=True)
            shutil.copy2(source / name, target / name)
