"""A task of a Databricks job: runs one `hydro` command from the code beside it.

Parameters: the folder that holds `hydro_assets` (a workspace path), then the command and its own parameters. Nothing
of hydro_assets is installed on the cluster, only what it requires (see requirements.py): installing it would bring
PyPI's Spark over the runtime's own.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path


def main(root: str, arguments: list[str]) -> None:
    """Run `hydro ARGUMENTS` with the code and the `hydro.toml` under `root`; a failed command fails the task."""
    sys.path.insert(0, root)  # only now is hydro_assets found: hence the imports inside
    from hydro_assets.databricks.code_archive import code_archive

    code, digest = code_archive(Path(root), ["hydro_assets"])
    # Workspace files are for reading: whatever is written locally goes to a folder that ends with the task.
    with tempfile.TemporaryDirectory(prefix="hydro_", ignore_cleanup_errors=True) as home:
        archive = Path(home, f"{digest[:16]}.zip")
        archive.write_bytes(code)
        settings = Path(root, "hydro.toml")
        if settings.exists():
            shutil.copy(settings, home)
        os.environ.setdefault("HYDRO_ENVIRONMENT", "databricks")
        os.environ["HYDRO_HOME"] = home
        os.environ["HYDRO_STEP_CODE"] = str(archive)  # the lakehouse hands it to Spark's workers

        from hydro_assets.cli import main as hydro

        sys.argv = ["hydro", *arguments]
        hydro()


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2:])
    except SystemExit as end:
        if end.code:
            raise RuntimeError(f"hydro {sys.argv[1:]} ended with exit code {end.code}") from end
