"""`hydro`: the command line. Each module registers a group of commands; `main` turns errors into one clear sentence."""

from hydro_assets.cli import (
    backtest_command,
    databricks_commands,
    dev_command,
    housekeeping_commands,
    import_commands,
    job_commands,
    model_commands,
    predict_command,
    run_commands,
    serve_command,
    settings_command,
    spark_commands,
    verify_command,
)
from hydro_assets.cli.app import main

__all__ = [
    "backtest_command",
    "databricks_commands",
    "dev_command",
    "housekeeping_commands",
    "import_commands",
    "job_commands",
    "main",
    "model_commands",
    "predict_command",
    "run_commands",
    "serve_command",
    "settings_command",
    "spark_commands",
    "verify_command",
]
