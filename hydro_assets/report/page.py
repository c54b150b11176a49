"""The page: sections of numbers, pictures and tables, as one HTML text that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from importlib.resources import files
from typing import Any

import jinja2
import polars as pl
from matplotlib.figure import Figure

from hydro_assets import __version__
from hydro_assets.report.pictures import svg


@dataclass(frozen=True)
class Number:
    """One figure to read at a glance, its value with the unit. `amount` is the bare number, to be plotted over time."""

    name: str
    value: str
    is_bad: bool = False
    amount: float | None = None


@dataclass(frozen=True)
class Section:
    """What one heading says, shows and lists."""

    title: str
    says: str
    numbers: Sequence[Number] = ()
    pictures: Sequence[Figure] = ()
    frames: Sequence[pl.DataFrame] = ()
    trend: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    """At most two lines by name, to be drawn so small that a page of Dagster shows them without a click."""

    @property
    def anchor(self) -> str:
        return self.title.lower().replace(" ", "-")

    @property
    def tables(self) -> list[dict[str, Any]]:
        return [
            {
                "columns": [name.replace("_", " ") for name in frame.columns],
                "rows": [[cell_text(cell) for cell in row] for row in frame.iter_rows()],
            }
            for frame in self.frames
            if not frame.is_empty()
        ]


def cell_text(cell: Any) -> str:
    """A value to read: four digits of a number, minutes of a time, a dash for what is not known."""
    if cell is None:
        return "–"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return f"{cell:.4g}"
    if isinstance(cell, datetime):
        return f"{cell:%Y-%m-%d %H:%M}"
    return cell.isoformat() if isinstance(cell, date) else f"{cell:,}" if isinstance(cell, int) else str(cell)


def html(title: str, sections: Sequence[Section], made: datetime) -> str:
    """The whole page. Text is escaped; pictures are taken as they are."""
    template = files("hydro_assets.report").joinpath("page.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return environment.from_string(template).render(
        svg=svg, title=title, sections=sections, made=f"{made:%Y-%m-%d %H:%M}", version=__version__
    )
