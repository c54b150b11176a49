"""What stands under `hydro COMMAND --help`: lines to copy. Every command has one; a test parses them all."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, ...]] = {
    "backtest": (
        "hydro backtest --farms quiet,jumps --models lightgbm",
        "hydro backtest --csv export.csv --targets ph_level --lead-times 1h,6h --folds 3",
    ),
    "batch-inference": (
        "hydro batch-inference --start 2024-01-01 --end 2024-01-31",
        "hydro batch-inference --start 2024-01-31 --as-of 2024-01-31T12:00:00 --output then.parquet",
    ),
    "clean": ("hydro clean --versions 3 --days 7",),
    "databricks setup": ("hydro databricks setup --check",),
    "demo": ("hydro demo", "hydro demo --systems 1 --days 3 --epochs 5"),
    "dev": ("hydro dev --port 3001",),
    "feature-store": ("hydro feature-store --new", "hydro feature-store --start 2024-01-01 --end 2024-01-31"),
    "forget": ("hydro forget 3",),
    "import": (
        "hydro import --dry-run export.csv",
        "hydro import export.csv --system north",
        "hydro import feeds.csv --system north --map pH=field1,TDS=field2 --unit EC=uS/cm",
    ),
    "imports": ("hydro imports",),
    "predict": (
        "hydro predict --system north --lead-time 1h --format json",
        "hydro predict --csv - --system north < logger.csv",
    ),
    "promote": ("hydro promote lstm", "hydro promote lstm --version 4"),
    "repair": ("hydro repair gold.iot_data",),
    "report": ("hydro report --output farm.html",),
    "rollback": ("hydro rollback lstm",),
    "run": ("hydro run", "hydro run --target air_temperature", "hydro run --step 5min --rebuild"),
    "serve": (
        "hydro serve --port 8080",
        "curl -X POST 127.0.0.1:8080/readings "
        """--json '{"timestamp_key": "2026-01-31T12:00:00", "ph_level": 6.1}'""",
    ),
    "settings": ("hydro settings --all", "hydro settings --sample > .hydro/hydro.toml"),
    "spark-server": ("hydro spark-server --port 15002",),
    "status": ("hydro status",),
    "train": ("hydro train gru", "hydro train gru --set recurrent.epochs=20 --set recurrent.hidden_size=32"),
    "verify": ("hydro verify", "hydro verify --environment databricks"),
}


def epilog(command: str) -> str | None:
    """The examples as the last lines of the help; paragraphs of one line, because typer joins the lines of one."""
    found = EXAMPLES.get(command, ())
    if not found:
        return None
    return "\n\n".join(("Examples:" if found[1:] else "Example:", *(line.replace("[", r"\[") for line in found)))
