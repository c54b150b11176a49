"""SQL statements where there is no Spark: a SQL warehouse of Databricks, through its statement execution API."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import polars as pl

from hydro_assets.errors import SettingsError, TableError
from hydro_assets.lakehouse.tables import POLARS_TYPES

_STATEMENT_SECONDS = 50  # the longest that the API waits for a statement
_START_SECONDS = 100  # beyond that: Dagster gives a sensor's look 180 seconds
_POLL_SECONDS = 2.0
_DOWNLOAD_SECONDS = 120
_NO_TABLE = ("TABLE_OR_VIEW_NOT_FOUND", "SCHEMA_NOT_FOUND", "DELTA_MISSING_DELTA_TABLE")


class Warehouse(Protocol):
    """Runs a SQL statement; TableError when it fails."""

    def rows(self, statement: str) -> Sequence[Mapping[str, str | None]]:
        """What it tells, as text cells by column name."""
        ...

    def frame(self, statement: str) -> pl.DataFrame:
        """What it selects, typed."""
        ...


def is_absence(error: TableError) -> bool:
    """Whether a statement failed because there is no such table."""
    return any(text in str(error) for text in _NO_TABLE)


@dataclass(frozen=True)
class DatabricksWarehouse:
    """A SQL warehouse. `client`: a `databricks.sdk.WorkspaceClient`, which renews its credentials by itself.

    Raises SettingsError when there is no such warehouse.
    """

    client: Any
    warehouse_id: str

    def rows(self, statement: str) -> Sequence[Mapping[str, str | None]]:
        done = self._run(statement)
        names = [c.name for c in done.manifest.schema.columns]
        return [dict(zip(names, row, strict=True)) for part in self._parts(done) for row in part.data_array or []]

    def frame(self, statement: str) -> pl.DataFrame:
        """Through links to Arrow streams: rows in the answer itself are text, and 25 MiB of them at most."""
        import pyarrow as pa
        import requests
        from databricks.sdk.service.sql import Disposition, Format

        done = self._run(statement, disposition=Disposition.EXTERNAL_LINKS, format=Format.ARROW_STREAM)
        tables = []
        for part in self._parts(done):
            for link in part.external_links or []:
                # A signed address of the cloud's storage: credentials of the workspace must not go there.
                answer = requests.get(link.external_link, timeout=_DOWNLOAD_SECONDS)
                answer.raise_for_status()
                tables.append(pa.ipc.open_stream(answer.content).read_all())
        if not tables:  # no link is given of no rows
            return pl.DataFrame(
                schema={c.name: POLARS_TYPES[c.type_text.lower()] for c in done.manifest.schema.columns}
            )
        return pl.DataFrame(pl.from_arrow(pa.concat_tables(tables)))

    def _run(self, statement: str, **how: Any) -> Any:
        api = self.client.statement_execution
        with self._known():
            done = api.execute_statement(statement, self.warehouse_id, wait_timeout=f"{_STATEMENT_SECONDS}s", **how)
        deadline = time.monotonic() + _START_SECONDS
        while done.status.state.value in ("PENDING", "RUNNING") and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)  # a warehouse that slept takes minutes to start
            done = api.get_statement(done.statement_id)
        state = done.status.state.value
        if state != "SUCCEEDED":
            if state in ("PENDING", "RUNNING"):
                api.cancel_execution(done.statement_id)
            waited = f"it was still {state} after {_STATEMENT_SECONDS + _START_SECONDS} s"
            raise self._no_answer(statement, done.status.error.message if done.status.error else waited)
        return done

    def _parts(self, done: Any) -> Iterator[Any]:
        """The chunks of a result, in order. A chunk of links says in its links which one follows."""
        part = done.result
        while part is not None:
            yield part
            following = part.next_chunk_index
            if following is None and getattr(part, "external_links", None):
                following = part.external_links[-1].next_chunk_index
            api = self.client.statement_execution
            part = None if following is None else api.get_statement_result_chunk_n(done.statement_id, following)

    @contextmanager
    def _known(self) -> Iterator[None]:
        from databricks.sdk.errors import InvalidParameterValue, NotFound

        try:
            yield
        except (InvalidParameterValue, NotFound) as error:
            raise SettingsError(
                f"SQL warehouse {self.warehouse_id} is not one of this workspace: {' '.join(str(error).split())[:200]}",
                "Set HYDRO_SQL_WAREHOUSE_ID to an id that `databricks warehouses list` shows",
            ) from error

    def _no_answer(self, statement: str, reason: str) -> TableError:
        return TableError(
            f"SQL warehouse {self.warehouse_id} did not answer `{statement}`: {reason}",
            "Check HYDRO_SQL_WAREHOUSE_ID, that the warehouse may start, and that this principal may use it and read "
            "the table",
        )


def databricks_warehouse(warehouse_id: str) -> DatabricksWarehouse:
    """The warehouse of the workspace that the environment signs in to."""
    from databricks.sdk import WorkspaceClient

    return DatabricksWarehouse(WorkspaceClient(), warehouse_id)


@dataclass(frozen=True)
class SparkStatements:
    """The same statements where there is a Spark: in a launched step or the task of a job."""

    spark: Any

    def rows(self, statement: str) -> Sequence[Mapping[str, str | None]]:
        found = self.spark.sql(statement).collect()
        return [{k: None if v is None else str(v) for k, v in row.asDict().items()} for row in found]

    def frame(self, statement: str) -> pl.DataFrame:
        return pl.DataFrame(pl.from_arrow(self.spark.sql(statement).toArrow()))
