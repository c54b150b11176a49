"""The report of a farm: what tables and registry say, as one page. A section without data says what makes them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from hydro_assets.errors import HydroError, TableError
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.report_forecasts import accuracy, forecasts, models, outlook, promotions
from hydro_assets.pipeline.report_readings import coverage, drift, health, quality
from hydro_assets.report.page import Section, html
from hydro_assets.tables import names


def write_report(lakehouse: Lakehouse, now: datetime, path: Path | None = None) -> Path:
    """Write the page to `path`, by default `report.html` in the home, and return where it lies.

    Raises TableError when Gold has no reading.
    """
    if not lakehouse.exists(names.IOT_DATA) or not lakehouse.days(names.IOT_DATA):
        raise TableError("There is nothing to report: Gold holds no reading", "Import an export first, or hydro demo")
    path = path or lakehouse.settings.root / "report.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(html(f"Farm report: {lakehouse.settings.catalog}", sections(lakehouse, now), now), encoding="utf-8")
    return path


def sections(lakehouse: Lakehouse, now: datetime) -> list[Section]:
    """Every section, in the order in which a farm's engineer asks."""
    made: list[tuple[str, Callable[[Lakehouse, datetime], Section]]] = [
        ("Farm health", health),
        ("Coverage", coverage),
        ("Outlook", outlook),
        ("Forecast against actuals", forecasts),
        ("Models beside the baselines", models),
        ("Errors by day", accuracy),
        ("Drift", drift),
        ("Versions and promotions", promotions),
        ("Data quality", quality),
    ]
    return [section(title, make, lakehouse, now) for title, make in made]


def section(title: str, make: Callable[[Lakehouse, datetime], Section], lakehouse: Lakehouse, now: datetime) -> Section:
    """The section, or one that says what is missing."""
    try:
        return make(lakehouse, now)
    except HydroError as error:  # no table or no version yet: the section says so and the others follow
        return Section(title, str(error))
