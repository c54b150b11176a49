import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from hydro_assets.errors import ModelUnavailableError, TableError
from hydro_assets.forecasting.package import PREDICTION_SCHEMA, PROBABILITY_SCHEMA, ForecastPackage, predict_all
from hydro_assets.training.train import train
from hydro_assets_tests.builders.synthetic import START, STEP, quick, synthetic_rows

TARGETS = ("ph_level", "tds_level")


@pytest.fixture(scope="module", params=["lstm", "gru", "lightgbm"])
def package(request: pytest.FixtureRequest) -> ForecastPackage:
    return train(request.param, synthetic_rows(systems=("a", "b")), quick(targets=TARGETS, lead_times=["5min"])).package


def test_package__has_one_row_per_row_target_and_horizon(package: ForecastPackage) -> None:
    frame = synthetic_rows(100, systems=("b", "a"))
    out = package.predict(frame)
    assert out.schema == PREDICTION_SCHEMA
    assert out.height == 4 * frame.height
    assert out.equals(out.sort("system_id", "timestamp", "target", "horizon"))


def test_package__forecasts_in_ph_with_bounds_in_order(package: ForecastPackage) -> None:
    out = package.predict(synthetic_rows(200)).filter(quality="ok", target="ph_level")
    assert out["prediction"].is_between(5, 7).all()
    ordered = (pl.col("lower_95") <= pl.col("lower_80")) & (pl.col("lower_80") <= pl.col("prediction"))
    ordered &= (pl.col("prediction") <= pl.col("upper_80")) & (pl.col("upper_80") <= pl.col("upper_95"))
    assert out.select(ordered.all()).item()


def test_package__scores_the_newest_rows_whose_truth_is_unknown(package: ForecastPackage) -> None:
    last = package.predict(synthetic_rows(100)).tail(4)
    assert last["timestamp"][0] == START + 99 * STEP
    assert last["prediction"].null_count() == 0


def test_package__scores_a_part_as_it_scores_all(package: ForecastPackage) -> None:
    frame, start, end = synthetic_rows(900), START + 700 * STEP, START + 800 * STEP
    everything = package.predict(frame).filter(pl.col("timestamp").is_between(start, end, closed="left"))
    near = frame.filter(pl.col("timestamp").is_between(start - package.info.lookback, end, closed="left"))
    assert package.predict(frame, start, end).equals(everything)
    assert package.predict(near, start, end).equals(everything)


def test_package__does_not_see_the_future(package: ForecastPackage) -> None:
    frame, now = synthetic_rows(400), START + 300 * STEP
    later = pl.col("timestamp") > now
    changed = frame.with_columns(
        pl.when(later).then(pl.col(c) * 1.3).otherwise(c).alias(c) for c in ("ph_level", "tds_level")
    )
    before, after = (package.predict(f).filter(pl.col("timestamp") <= now) for f in (frame, changed))
    assert before.equals(after)


def test_package__forecasts_an_unseen_system(package: ForecastPackage) -> None:
    out = package.predict(synthetic_rows(100, systems=("never seen",)))
    assert out.filter(quality="ok", target="ph_level")["prediction"].is_between(5, 7).all()
    assert out["quality"].value_counts().filter(quality="ok")["count"][0] > 300


def test_package__says_why_a_row_has_no_forecast(package: ForecastPackage) -> None:
    minute = pl.int_range(pl.len())
    frame = synthetic_rows(200).with_columns(
        ph_level=pl.when(minute.is_between(100, 108))
        .then(None)
        .when(minute.is_between(150, 160))
        .then(12.0)
        .otherwise("ph_level")
    )
    reasons = package.predict(frame).filter(horizon=1, target="ph_level")["quality"].to_list()
    assert reasons[0] == "no_window"
    assert reasons[50] == "ok"
    assert reasons[106] == "stale_input"
    assert reasons[160] == "out_of_range_input"
    absent = package.predict(synthetic_rows(50).drop("ph_level")).filter(target="ph_level")
    assert absent["quality"].unique().to_list() == ["unknown_target"]
    assert absent["prediction"].null_count() == absent.height


def test_package__starts_a_new_window_after_a_gap(package: ForecastPackage) -> None:
    frame, after = synthetic_rows(560, missing=(120, 400)), pl.col("timestamp") >= START + 400 * STEP
    alone = package.predict(frame.filter(after))
    assert package.predict(frame).filter(after).equals(alone)
    assert alone["quality"][0] == "no_window"


def test_package__forecasts_no_rows_as_no_rows(package: ForecastPackage) -> None:
    assert package.predict(synthetic_rows(100).clear()).is_empty()
    assert package.predict(synthetic_rows(100), start=START + timedelta(days=9)).is_empty()


def test_package__refuses_another_grid(package: ForecastPackage) -> None:
    with pytest.raises(TableError, match="grid"):
        package.predict(synthetic_rows(100).with_columns(pl.col("timestamp") + pl.duration(seconds=30)))


def test_package__gives_the_same_in_a_clean_process(package: ForecastPackage, tmp_path: Path) -> None:
    package.save(tmp_path / "package")
    frame = synthetic_rows(150)
    frame.write_parquet(tmp_path / "rows.parquet")
    code = f"""
import sys
for name in ("dagster", "pyspark", "mlflow", "sklearn"):
    sys.modules[name] = None
import polars as pl, torch
from pathlib import Path
from hydro_assets.forecasting.package import ForecastPackage
torch.set_num_threads(1)
folder = Path({str(tmp_path)!r})
package = ForecastPackage.load(folder / "package")
package.predict(pl.read_parquet(folder / "rows.parquet")).write_parquet(folder / "out.parquet")
package.probabilities(pl.read_parquet(folder / "rows.parquet")).write_parquet(folder / "probabilities.parquet")
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    there, here = pl.read_parquet(tmp_path / "out.parquet"), package.predict(frame)
    for column in ("prediction", "lower_95"):
        np.testing.assert_allclose(there[column].to_numpy(), here[column].to_numpy(), rtol=1e-6)
    assert there["quality"].equals(here["quality"])
    assert_frame_equal(pl.read_parquet(tmp_path / "probabilities.parquet"), package.probabilities(frame))


@pytest.mark.parametrize(
    "damage", ["no package.json", "half a package.json", "later format", "earlier format", "broken weights"]
)
def test_package__that_is_damaged_is_refused_with_a_remedy(
    package: ForecastPackage, tmp_path: Path, damage: str
) -> None:
    package.save(tmp_path)
    file = tmp_path / "package.json"
    if damage == "no package.json":
        file.unlink()
    elif damage == "half a package.json":
        file.write_text(file.read_text()[:1000])
    elif damage == "later format":
        file.write_text(file.read_text().replace('"format_version": 2', '"format_version": 99'))
    elif damage == "earlier format":
        file.write_text(file.read_text().replace('"format_version": 2', '"format_version": 1'))
    else:
        for part in [*tmp_path.glob("*.pt"), *tmp_path.glob("*.lgb")]:
            part.write_bytes(part.read_bytes()[:50])
    with pytest.raises(ModelUnavailableError, match=r"\. (Register|Upgrade|Train again)"):
        ForecastPackage.load(tmp_path)


def test_package__gives_no_probability_where_it_knows_nothing(package: ForecastPackage) -> None:
    frame = synthetic_rows(100)
    silent = pl.col("timestamp") > frame["timestamp"][60]
    unknown = frame.with_columns(is_env_optimal=pl.when(~silent).then("is_env_optimal"))
    out = package.probabilities(unknown)
    assert out.schema == PROBABILITY_SCHEMA
    assert out.height == (200 if package.info.labels else 0)
    late = out.filter(pl.col("timestamp") > frame["timestamp"][66])
    assert set(late["quality"]) <= {"stale_input", "unknown_label"}
    assert late["probability"].null_count() == late.height
    early = out.filter(pl.col("timestamp") <= frame["timestamp"][60])
    assert early["probability"].is_between(0, 1).all()


def test_package__gives_baselines_beside_the_actuals(package: ForecastPackage) -> None:
    frame = synthetic_rows(400)
    start, end = START + 300 * STEP, START + 310 * STEP
    out = package.baselines(frame, start, end)
    assert out.height == 10 * 4
    one = out.filter(target="ph_level", horizon=5).row(0, named=True)
    ph = frame["ph_level"]
    assert one["persistence"] == ph[300]
    assert one["actual"] == ph[305]
    same = package.predict(frame, start, end)
    chosen = package.info.baseline["ph_level"][1]
    assert same.filter(target="ph_level", horizon=5)["baseline"][0] == one[chosen]


def test_predict_all__is_predict_of_each(package: ForecastPackage) -> None:
    frame, start = synthetic_rows(400), START + 350 * STEP
    both = predict_all({"one": package, "two": package}, frame, start, None)
    alone = package.predict(frame, start)
    assert both["one"].equals(alone)
    assert both["two"].equals(alone)
