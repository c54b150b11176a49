"""Saves the packages under `golden/`: what this version writes, which every later version must read.

Run once per package format, `python -m hydro_assets_tests.builders.golden_package`; a folder that was released is never
written again.
"""

from __future__ import annotations

from pathlib import Path

from hydro_assets_tests.registry.conftest import feature_rows, quick_settings

GOLDEN = Path(__file__).parent / "golden"
KINDS = ("gru", "lightgbm")
ROWS = 120


def save_golden() -> None:
    """A small trained package of each kind, the rows it is asked about and what it answers."""
    from hydro_assets.forecasting.package import FORMAT_VERSION
    from hydro_assets.training.train import train

    folder = GOLDEN / f"v{FORMAT_VERSION}"
    asked = feature_rows(ROWS, seed=11)
    settings = quick_settings(lightgbm={"num_boost_round": 4, "num_leaves": 7})
    for kind in KINDS:
        package = train(kind, feature_rows(), settings).package
        package.save(folder / kind)
        package.predict(asked).write_parquet(folder / kind / "forecasts.parquet")
    asked.write_parquet(folder / "rows.parquet")


if __name__ == "__main__":
    save_golden()
