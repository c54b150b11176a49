"""The closing table of a run: what there is, how good it is, which version says so."""

from __future__ import annotations

from rich.table import Table

from hydro_assets.cli.app import console
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.status import ModelErrors, model_errors, next_step, table_counts
from hydro_assets.settings import Settings

_EMPTY = """\
There is no table under {home} yet. Begin with one of these:
  hydro demo                           a simulated farm with models and forecasts, in about 5 minutes
  hydro import --dry-run FILE          how an export of your own is read; nothing is written
  hydro import FILE --system north     the same into Gold; then hydro run
Gold that a lakehouse has already is read where HYDRO_LAKEHOUSE_URI says."""


def print_status(settings: Settings) -> None:
    """Print counts of every table and the errors of every serving model on standard output."""
    out = console()
    counts = Table(title="Tables", title_justify="left")
    for heading in ("table", "rows", "days", "Delta version"):
        counts.add_column(heading, no_wrap=True)
    found = table_counts(Lakehouse(settings))
    if not found:
        out.print(_EMPTY.format(home=settings.root), soft_wrap=True, highlight=False)
        return
    for row in found:
        counts.add_row(row.name, f"{row.rows:,}", row.days, str(row.version))
    out.print(counts)
    for errors in model_errors(settings):
        out.print(_errors_table(errors))
    out.print(f"[bold]Everything lies under[/bold] {settings.root}", soft_wrap=True)
    out.print(f"[bold]Next:[/bold] {next_step(Lakehouse(settings))}", soft_wrap=True, highlight=False)


def _errors_table(errors: ModelErrors) -> Table:
    unit = f" ({errors.unit})" if errors.unit else ""
    title = f"MAE of {errors.target}{unit} on the holdout: each serving model beside the best baseline"
    headings = ("lead time", "model", "version", "n", "MAE", "best baseline", "its MAE", "skill")
    table = Table(*headings, title=title, title_justify="left")
    for e in errors.rows:
        skill = "" if e.skill is None else f"{e.skill:+.2f}"
        numbers = (f"{e.mae:.4g}", e.baseline.replace("_", " "), f"{e.baseline_mae:.4g}", skill)
        table.add_row(e.lead_time, e.kind, e.version, f"{e.n:,}", *numbers)
    return table
