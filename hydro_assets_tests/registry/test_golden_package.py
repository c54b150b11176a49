"""Packages that earlier versions saved are still read, and answer as they did."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from hydro_assets.errors import ModelUnavailableError
from hydro_assets.forecasting.package import ForecastPackage
from hydro_assets_tests.builders.golden_package import GOLDEN, KINDS

SAVED = [(version, kind) for version in sorted(p.name for p in GOLDEN.iterdir()) for kind in KINDS]


@pytest.mark.parametrize(("version", "kind"), SAVED)
def test_saved_package__answers_as_it_did(version: str, kind: str) -> None:
    folder: Path = GOLDEN / version
    answers = ForecastPackage.load(folder / kind).predict(pl.read_parquet(folder / "rows.parquet"))
    wanted = pl.read_parquet(folder / kind / "forecasts.parquet")
    assert wanted["prediction"].is_not_null().sum() > 100
    assert_frame_equal(answers, wanted, abs_tol=1e-5)


def test_package_of_the_first_format__is_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text(json.dumps({"info": {"format_version": 1, "kind": "gru"}}))
    with pytest.raises(ModelUnavailableError, match=r"format 1 of an earlier release, .*\. Train again\."):
        ForecastPackage.load(tmp_path)
