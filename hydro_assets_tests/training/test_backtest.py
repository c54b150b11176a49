from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hydro_assets.errors import DataContractError
from hydro_assets.training.backtest import Farm, backtest
from hydro_assets_tests.builders.synthetic import START, STEP, quick, synthetic_rows

QUICK = quick(lead_times=["5min"], targets=["ph_level", "tds_level"])


def test_backtest__has_every_cell_and_model_on_the_same_rows() -> None:
    farms = [Farm("one", synthetic_rows(systems=("a", "b")), QUICK), Farm("two", synthetic_rows(seed=2), QUICK)]
    result = backtest(farms, ["gru", "lightgbm"])
    pooled = result.cells.filter(system_id="all")
    assert pooled.height == 2 * 2 * 2
    assert set(result.cells["system_id"]) == {"a", "b", "all"}
    row = pooled.filter(farm="one", target="ph_level", horizon=5).row(0, named=True)
    assert row["unit"] == "pH"
    assert row["ensemble"] <= max(row["gru"], row["lightgbm"])
    assert row["baseline_mae"] == row[row["baseline"]]
    assert row["ratio"] == pytest.approx(row["ensemble"] / row["baseline_mae"])
    assert 0 < row["coverage_80"] < row["coverage_95"] <= 1


def test_summary__is_over_the_cells_of_all_systems_together() -> None:
    result = backtest([Farm("one", synthetic_rows(), QUICK)], ["lightgbm"])
    ratio = result.cells.filter(system_id="all")["ratio"].to_numpy()
    summary = result.summary()
    mean = summary["geometric_mean_ratio"]
    assert mean["value"] == pytest.approx(np.exp(np.log(ratio).mean()))
    assert mean["low"] <= mean["value"] <= mean["high"]
    assert summary["worst_ratio"] == ratio.max()
    assert summary["seconds_per_forecast"]["lightgbm"] > 0


def test_backtest__folds_cover_the_same_holdout() -> None:
    one, three = (backtest([Farm("f", synthetic_rows(2500), QUICK)], ["lightgbm"], folds=k) for k in (1, 3))
    one_n, three_n = (r.cells.filter(horizon=1)["n"].to_list() for r in (one, three))
    np.testing.assert_allclose(one_n, three_n, atol=5)  # an actual beyond a fold's end is not measured
    assert len(three.splits["f"]) == 3


def test_backtest__counts_a_farm_that_cannot_be_measured() -> None:
    short = Farm("short", synthetic_rows(300), QUICK)
    result = backtest([short, Farm("long", synthetic_rows(), QUICK)], ["lightgbm"])
    (failure,) = result.failures
    assert failure.startswith("short: ")
    assert set(result.cells["farm"]) == {"long"}
    with pytest.raises(DataContractError, match="300 rows have a ph_level"):
        backtest([short], ["lightgbm"])


def test_farm__of_exports_has_several_systems(tmp_path: Path) -> None:
    times = [START + STEP * i for i in range(200)]
    for name in ("north", "south"):
        pl.DataFrame(
            {
                "timestamp": [t.strftime("%Y-%m-%d %H:%M:%S") for t in times],
                "id": range(200),
                "pH": 6 + np.sin(np.arange(200) / 20),
                "TDS": 900.0,
                "DHT_temp": 21.5,
                "DHT_humidity": 60.0,
                "system_id": name,
            }
        ).write_csv(tmp_path / f"{name}.csv")
    farm_ = Farm.of_exports("both", [tmp_path / "north.csv", tmp_path / "south.csv"], None, quick(), START)
    assert farm_.features.group_by("system_id").len().sort("system_id").rows() == [("north", 200), ("south", 200)]
    assert farm_.notes
    assert "ec_level" not in farm_.features.columns


def test_backtest__of_a_target_that_never_changes_has_nothing_to_gain() -> None:
    constant = synthetic_rows(1500).with_columns(ph_level=pl.lit(6.0))
    result = backtest([Farm("still", constant, quick(lead_times=[], targets=["ph_level"]))], ["lightgbm"])
    assert result.summary()["cells"] == 0
    assert result.cells["ratio"].null_count() == result.cells.height
