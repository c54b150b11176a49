"""The flow of a farm as `hydro` commands in one process, on whatever engine and client its environment names.

Arguments: the export to import, the folder for the dumps, and the models to train, in rounds such as `lightgbm` or
`lstm,gru`; each round is scored and dumped (`0/`, `1/`, one Parquet file per table). Run as a program, so that another
interpreter, with another client of Spark, can do it.
"""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from pathlib import Path


def main(csv: str, out: Path, rounds: list[str]) -> None:
    hydro("import", "--csv", csv)
    hydro("feature-store")
    for number, kinds in enumerate(rounds):
        for kind in kinds.split(","):
            hydro("train", kind)
        hydro("batch-inference")
        dump(out / str(number))
    drop_all()


def hydro(*arguments: str) -> None:
    from hydro_assets import cli
    from hydro_assets.cli.app import app

    assert cli  # importing it registers the commands
    began = time.monotonic()
    app([*arguments], standalone_mode=False)
    print(f"{' '.join(arguments[:2])}: {time.monotonic() - began:.1f} s", flush=True)


def dump(folder: Path) -> None:
    """Errors of the forecasts, then every table that there is."""
    from hydro_assets.lakehouse import Lakehouse
    from hydro_assets.monitoring.evaluation import evaluate_days
    from hydro_assets.settings_sources import load_settings
    from hydro_assets.tables import names

    began = time.monotonic()
    folder.mkdir(parents=True)
    lakehouse = Lakehouse(load_settings())
    days = lakehouse.days(names.FORECASTS)
    evaluate_days(lakehouse, lakehouse.settings, days[0], days[-1] + timedelta(days=1))
    for name in names.ALL:
        if lakehouse.exists(name):
            lakehouse.read_polars(name).write_parquet(folder / f"{name}.parquet")
    print(f"evaluate and dump: {time.monotonic() - began:.1f} s", flush=True)


def drop_all() -> None:
    """The catalog of a server is for the next farm too."""
    from hydro_assets.lakehouse import Lakehouse
    from hydro_assets.settings_sources import load_settings
    from hydro_assets.tables import names

    lakehouse = Lakehouse(load_settings())
    for name in names.ALL:
        if lakehouse.exists(name):
            lakehouse.tables.drop(name)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
