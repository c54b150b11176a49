from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hydro_assets.errors import DataContractError
from hydro_assets.training.backtest import backtest, features_of_exports
from hydro_assets_tests.builders.synthetic import START, STEP, farm, quick


def test_backtest__has_every_target_horizon_and_model_on_the_same_rows() -> None:
    result = backtest(farm(systems=("a", "b")), quick(), ["ph_level", "tds_level"], [1, 5], ["gru", "lightgbm"])
    assert result.table.filter(system_id="all").height == 4
    assert set(result.table["system_id"]) == {"a", "b", "all"}
    row = result.table.filter(target="ph_level", system_id="all", horizon=1).row(0, named=True)
    assert row["unit"] == "pH"
    assert row["ensemble"] <= max(row["gru"], row["lightgbm"])
    assert row["ensemble_ratio"] == pytest.approx(row["ensemble"] / min(row["persistence"], row["short_mean"]))


def test_backtest__folds_cover_the_same_holdout() -> None:
    frame = farm(2500)
    one, three = (backtest(frame, quick(), ["ph_level"], [1], ["lightgbm"], folds=k) for k in (1, 3))
    assert one.table["n"].to_list() == three.table["n"].to_list()
    assert len(three.splits) == 3


def test_backtest__names_a_target_that_is_not_there() -> None:
    with pytest.raises(DataContractError, match=r"ec_level is not measured.*Choose among ph_level, tds_level"):
        backtest(farm(), quick(), ["ph_level", "ec_level"], [1])


def test_features_of_exports__read_several_systems(tmp_path: Path) -> None:
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
    features, notes = features_of_exports([tmp_path / "north.csv", tmp_path / "south.csv"], None, quick(), START)
    assert features.group_by("system_id").len().sort("system_id").rows() == [("north", 200), ("south", 200)]
    assert notes
    assert "ec_level" not in features.columns


def test_backtest__of_a_target_that_never_changes_has_no_gain_to_tell() -> None:
    frame = farm(1500).with_columns(ph_level=pl.lit(6.0))
    result = backtest(frame, quick(), ["ph_level"], (1,), ("lightgbm",))
    assert result.mean_gain is None
    assert result.table["ensemble_ratio"].null_count() == result.table.height
