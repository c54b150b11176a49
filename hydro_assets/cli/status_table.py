"""The closing table of a run: what there is, how good it is, which version says so."""

from __future__ import annotations

from rich.table import Table

from hydro_assets.cli.app import console
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.status import ModelErrors, model_errors, table_counts
from hydro_assets.settings import Settings


def print_status(settings: Settings) -> None:
    """Print counts of every table and the errors of every serving model on standard output."""
    out = console()
    counts = Table(title="Tables", title_justify="left")
    for heading in ("table", "rows", "days", "Delta version"):
        counts.add_column(heading, no_wrap=True)
    found = table_counts(Lakehouse(settings))
    if not found:
        out.print(f"There is no table under {settings.root} yet: hydro demo, or hydro import FILE and then hydro run")
        return
    for row in found:
        counts.add_row(row.name, f"{row.rows:,}", row.days, str(row.version))
    out.print(counts)
    for errors in model_errors(settings):
        out.print(_errors_table(errors))
    out.print(f"[bold]Everything lies under[/bold] {settings.root}", soft_wrap=True)
    out.print("[bold]Open the UI:[/bold] make dev  (or: hydro dev)")


def _errors_table(errors: ModelErrors) -> Table:
    title = f"MAE of {errors.target} ({errors.unit}): each serving model beside the baselines"
    table = Table(
        "model",
        "version",
        "horizon",
        "part",
        "n",
        "model",
        "persistence",
        "short mean",
        title=title,
        title_justify="left",
    )
    for e in errors.rows:
        cells = ("" if v is None else f"{v:.4g}" for v in (e.mae, e.persistence, e.short_mean))
        table.add_row(e.kind, e.version, e.horizon, e.split, f"{e.n:,}", *cells)
    return table
