"""The registered artifact: one MLflow pyfunc around a `ForecastPackage`.

The folder holds the package as data (JSON, a torch state dict, LightGBM text), the code that reads it, a signature, an
input example and the pip requirements of loading. Nothing is pickled, and loading needs neither Dagster nor Spark:

    model = mlflow.pyfunc.load_model("models:/hydroponics_lstm_forecast@champion")
    model.predict(feature_rows)          # pandas: history and the rows to forecast, timestamps naive in UTC

"""

from __future__ import annotations

import shutil
import tempfile
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.models import ModelSignature

    from hydro_assets.forecasting.package import ForecastPackage, PackageInfo

# What reading and predicting import: modules of this package, and distributions besides the learner's own.
_CODE = (
    "__init__.py",
    "durations.py",
    "errors.py",
    "settings.py",
    "tables",
    "forecasting",
    "training",
    "registry",
)
_REQUIREMENTS = ("mlflow", "numpy", "pandas", "polars", "pyarrow", "pydantic", "pydantic-settings")
_LEARNER = {"lstm": "torch", "gru": "torch", "lightgbm": "lightgbm"}

PACKAGE_FOLDER = "data/package"  # in the artifact; MLflow copies what it is given into `data`
EXAMPLE_ROWS = 3  # beyond one history


class PyfuncForecast:
    """What `mlflow.pyfunc.load_model` wraps."""

    def __init__(self, package: ForecastPackage) -> None:
        self.package = package

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Forecasts of every row of `model_input`, one row per horizon: the columns of `ForecastPackage.predict`."""
        forecasts = self.package.predict(from_pandas(model_input))
        return forecasts.with_columns(pl.col("timestamp").dt.replace_time_zone(None)).to_pandas()


def _load_pyfunc(data_path: str) -> PyfuncForecast:
    """Entry point that MLflow calls with the folder of the package."""
    from hydro_assets.forecasting.package import ForecastPackage

    return PyfuncForecast(ForecastPackage.load(Path(data_path)))


def as_input(frame: pl.DataFrame) -> pd.DataFrame:
    """Feature rows in the types that an MLflow signature can say: float64 (missing = NaN), text, naive UTC times."""
    numbers = pl.selectors.numeric() | pl.selectors.boolean()
    return frame.with_columns(numbers.cast(pl.Float64), pl.col("timestamp").dt.replace_time_zone(None)).to_pandas()


def from_pandas(frame: pd.DataFrame) -> pl.DataFrame:
    """Feature rows as the inner ring has them: timestamps in UTC, missing numbers as null, sorted by its keys."""
    return (
        pl.from_pandas(frame, nan_to_null=True)
        .with_columns(pl.col("timestamp").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))
        .sort("system_id", "timestamp")
    )


def input_columns(info: PackageInfo) -> list[str]:
    """Columns that a caller gives: keys, target, features."""
    return list(dict.fromkeys(["system_id", "timestamp", info.target_col, *info.features]))


def save_pyfunc(package: ForecastPackage, example: pl.DataFrame, folder: Path) -> None:
    """Write the artifact of `package` into the new folder `folder`.

    `example` holds feature rows; the last of its first system, one history and `EXAMPLE_ROWS`, become the input
    example.
    """
    import mlflow.pyfunc

    info = package.info
    first = example.filter(pl.col("system_id") == example["system_id"][0])
    rows = first.tail(info.lookback // info.step + EXAMPLE_ROWS)
    given = as_input(rows.select(input_columns(info)))
    with tempfile.TemporaryDirectory() as scratch:
        data, code = Path(scratch) / Path(PACKAGE_FOLDER).name, Path(scratch) / "hydro_assets"
        package.save(data)
        _copy_code(code)
        mlflow.pyfunc.save_model(
            str(folder),
            loader_module=__name__,
            data_path=str(data),
            code_paths=[str(code)],
            signature=signature(info),
            input_example=given,
            # A local build such as 2.13.0+cpu is no release that pip would find.
            pip_requirements=[
                f"{name}=={version(name).partition('+')[0]}" for name in (*_REQUIREMENTS, _LEARNER[info.kind])
            ],
            metadata={"kind": info.kind, "target_col": info.target_col, "unit": info.unit},
        )


def package_digest(folder: Path) -> str:
    """SHA-256 over names and contents of a saved package: tells a damaged or incomplete one."""
    digest = sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def signature(info: PackageInfo) -> ModelSignature:
    """Keys and target are required; any feature may be missing, and counts as unknown."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    from hydro_assets.forecasting.package import PREDICTION_SCHEMA

    keys = {"system_id": "string", "timestamp": "datetime"}
    required = {*keys, info.target_col}
    inputs = [ColSpec(keys.get(name, "double"), name, required=name in required) for name in input_columns(info)]
    outputs = [ColSpec(mlflow_type(dtype), name) for name, dtype in PREDICTION_SCHEMA.items()]
    return ModelSignature(Schema(inputs), Schema(outputs))  # type: ignore[arg-type]


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
    for name in _CODE:
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source / name, target / name)
