"""A home that was moved, copied or restored finds its models: MLflow's SQLite file keeps absolute addresses."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

# Every column of MLflow's tables (3.17) that holds the address of a file.
_ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("logged_models", "artifact_location"),
)


def follow_home(database: Path) -> int:
    """Make the addresses under another home point to the folder of `database`; returns how many were changed.

    The artifacts of an experiment lie in `artifacts/` beside the database, as `experiment_id` lays them down; what was
    put elsewhere on purpose stays as it is.
    """
    here = f"{(database.parent / 'artifacts').absolute().as_uri()}/"
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}", uri=True, timeout=60)) as store:
        found = store.execute("SELECT artifact_location, name FROM experiments WHERE artifact_location LIKE 'file://%'")
        there = {place.removesuffix(name) for place, name in found if place.endswith(f"/mlflow/artifacts/{name}")}
        changed = 0
        for old in there - {here}:
            for table, column in _ADDRESSES:
                moved = store.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                    (here, len(old) + 1, len(old), old),
                )
                changed += moved.rowcount
        store.commit()
    return changed
