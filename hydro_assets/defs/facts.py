"""Facts of the inner ring as Dagster metadata: schemas with units, lineage, row counts, tables, plots."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl

from hydro_assets.lakehouse import WriteReceipt
from hydro_assets.tables import Table

if TYPE_CHECKING:
    from hydro_assets.report.page import Section


SHOWN_AT_ONCE = 1000
"""Markdown as long as this is a link in Dagster's UI; what is shorter, tables and pictures too, stands on the page."""


def table_schema(table: Table) -> dg.TableSchema:
    """The schema that Dagster's UI shows: type, unit, meaning and range of every column."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                c.name,
                c.type,
                description=c.meaning + (f"; computed from {', '.join(c.sources)}" if c.sources else ""),
                constraints=dg.TableColumnConstraints(
                    nullable=c.nullable, other=[f"range {c.range_text}"] if c.range_text else []
                ),
                tags={"unit": _tag(c.unit)} if c.unit not in ("", "1") else {},
            )
            for c in table.columns
        ]
    )


def _tag(unit: str) -> str:
    # Dagster tags take letters, digits, '-', '_' and '.'.
    return unit.replace("%", "percent_").replace("/", "_per_").replace(" ", "_")


def column_lineage(table: Table, upstream: Mapping[str, dg.AssetKey]) -> dg.TableColumnLineage:
    """Sources of every column. `upstream` maps a table name (`gold.iot_data`) to its asset."""
    return dg.TableColumnLineage(
        {
            c.name: [
                dg.TableColumnDep(asset_key=upstream[name], column_name=column)
                for source in c.sources
                for name, _, column in [source.rpartition(".")]
                if name in upstream
            ]
            for c in table.columns
        }
    )


def definition_facts(table: Table, full_name: str) -> dict[str, Any]:
    """Metadata of an asset definition that stands for a table.

    Its columns are not under Dagster's own key: the UI would open the page with all 222 of them, above every fact.
    """
    return {"dagster/table_name": full_name, "dagster/storage_kind": "deltalake", "columns": table_schema(table)}


def receipt_facts(receipt: WriteReceipt) -> dict[str, Any]:
    """Metadata of a write."""
    return {
        "dagster/row_count": receipt.rows,
        "dagster/uri": receipt.uri,
        "delta_version": receipt.version.version,
        "delta_table_id": receipt.version.table_id,
        "rows_by_day": dg.MetadataValue.json(dict(receipt.rows_by_day)),
    }


def markdown_table(frame: pl.DataFrame) -> str:
    """A small frame to read in the UI, numbers to four significant digits."""
    with pl.Config(
        tbl_formatting="MARKDOWN",
        tbl_hide_column_data_types=True,
        tbl_hide_dataframe_shape=True,
        tbl_rows=-1,
        tbl_cols=-1,
        tbl_width_chars=10_000,
        fmt_str_lengths=1000,
    ):
        numbers = pl.selectors.float().round_sig_figs(4)
        text = str(frame.with_columns(numbers).with_columns(pl.all().cast(pl.String).fill_null("")))
    return re.sub(" {2,}", " ", re.sub("-{4,}", "---", text))


def section_facts(section: Section) -> dict[str, Any]:
    """A section of the report as an asset's first facts: what it says, its numbers, its picture, its tables."""
    from hydro_assets.report.pictures import COLOURS, png, small_svg

    facts: dict[str, Any] = {n.name: n.value if n.amount is None else rounded(n.amount) for n in section.numbers}
    if svg := small_svg(section.trend):
        drawn = ", ".join(f"{name} {colour}" for name, (colour, _) in zip(section.trend, COLOURS, strict=False))
        facts[f"at a glance ({drawn})"] = image(svg.encode(), section.title, "svg+xml")
    for number, frame in enumerate(section.frames, start=1):
        facts |= table_facts(f"table {number}" if number > 1 else "table", frame)
    for number, picture in enumerate(section.pictures, start=1):
        facts[f"picture {number}" if number > 1 else "picture"] = image(png(picture), section.title)
    return facts or {"says": section.says}


def rounded(number: float) -> float:
    """To four significant digits, and still a number that the UI plots."""
    return float(f"{number:.4g}")


def table_facts(name: str, frame: pl.DataFrame) -> dict[str, Any]:
    """The frame, and where that is too long to be shown without a click, its first rows before it."""
    whole = markdown_table(frame)
    facts = {name: dg.MetadataValue.md(whole)}
    if len(whole) < SHOWN_AT_ONCE:
        return facts
    lines = whole.splitlines()
    while len(lines) > 3 and len("\n".join(lines)) >= SHOWN_AT_ONCE:
        lines.pop()
    return {f"{name}, first rows": dg.MetadataValue.md("\n".join(lines)), **facts}


def image(content: bytes, title: str, kind: str = "png") -> dg.MarkdownMetadataValue:
    """A picture inside the UI's metadata."""
    return dg.MetadataValue.md(f"![{title}](data:image/{kind};base64,{base64.b64encode(content).decode()})")
