from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
import requests
from databricks.sdk.errors import InvalidParameterValue

from hydro_assets.errors import SettingsError, TableError
from hydro_assets.lakehouse import sql_warehouse
from hydro_assets.lakehouse.sql_warehouse import DatabricksWarehouse


def test_rows__joins_chunks_and_names_cells() -> None:
    class Api:
        def execute_statement(self, statement: str, warehouse_id: str, wait_timeout: str) -> Any:
            columns = [SimpleNamespace(name="a"), SimpleNamespace(name="b")]
            return SimpleNamespace(
                statement_id="s",
                status=SimpleNamespace(state=SimpleNamespace(value="SUCCEEDED"), error=None),
                manifest=SimpleNamespace(schema=SimpleNamespace(columns=columns)),
                result=SimpleNamespace(data_array=[["1", None]], next_chunk_index=1),
            )

        def get_statement_result_chunk_n(self, statement_id: str, chunk_index: int) -> Any:
            return SimpleNamespace(data_array=[["2", "x"]], next_chunk_index=None)

    rows = DatabricksWarehouse(SimpleNamespace(statement_execution=Api()), "w").rows("SELECT 1")
    assert rows == [{"a": "1", "b": None}, {"a": "2", "b": "x"}]


def test_rows__a_failed_statement_says_why() -> None:
    class Api:
        def execute_statement(self, statement: str, warehouse_id: str, wait_timeout: str) -> Any:
            error = SimpleNamespace(message="no such schema")
            return SimpleNamespace(status=SimpleNamespace(state=SimpleNamespace(value="FAILED"), error=error))

    with pytest.raises(TableError, match="no such schema"):
        DatabricksWarehouse(SimpleNamespace(statement_execution=Api()), "w").rows("SELECT 1")


def test_rows__waits_for_a_warehouse_that_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    states = iter(["PENDING", "PENDING", "SUCCEEDED"])

    class Api:
        def answer(self) -> Any:
            state = next(states)
            return SimpleNamespace(
                statement_id="s",
                status=SimpleNamespace(state=SimpleNamespace(value=state), error=None),
                manifest=SimpleNamespace(schema=SimpleNamespace(columns=[SimpleNamespace(name="a")])),
                result=SimpleNamespace(data_array=[["1"]], next_chunk_index=None),
            )

        def execute_statement(self, statement: str, warehouse_id: str, wait_timeout: str) -> Any:
            return self.answer()

        def get_statement(self, statement_id: str) -> Any:
            return self.answer()

    monkeypatch.setattr(sql_warehouse, "_POLL_SECONDS", 0)
    assert DatabricksWarehouse(SimpleNamespace(statement_execution=Api()), "w").rows("SELECT 1") == [{"a": "1"}]


def test_frame__is_read_from_every_link_without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [pl.DataFrame({"n": [1, 2]}).to_arrow(), pl.DataFrame({"n": [3]}).to_arrow()]

    def link(index: int) -> Any:
        following = index + 1 if index + 1 < len(parts) else None
        links = [SimpleNamespace(external_link=f"https://storage/{index}", next_chunk_index=following)]
        return SimpleNamespace(external_links=links, next_chunk_index=None)

    class Api:
        def execute_statement(self, statement: str, warehouse_id: str, **how: Any) -> Any:
            assert (how["disposition"].value, how["format"].value) == ("EXTERNAL_LINKS", "ARROW_STREAM")
            status = SimpleNamespace(state=SimpleNamespace(value="SUCCEEDED"), error=None)
            return SimpleNamespace(statement_id="s", status=status, result=link(0))

        def get_statement_result_chunk_n(self, statement_id: str, chunk_index: int) -> Any:
            return link(chunk_index)

    def get(address: str, **options: Any) -> Any:
        assert "headers" not in options
        table, sink = parts[int(address[-1])], pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        return SimpleNamespace(content=sink.getvalue().to_pybytes(), raise_for_status=lambda: None)

    monkeypatch.setattr(requests, "get", get)
    frame = DatabricksWarehouse(SimpleNamespace(statement_execution=Api()), "w").frame("SELECT n FROM t")
    assert frame["n"].to_list() == [1, 2, 3]


def test_frame__of_no_rows_has_its_columns() -> None:
    class Api:
        def execute_statement(self, *_: Any, **__: Any) -> Any:
            columns = [SimpleNamespace(name="day", type_text="DATE"), SimpleNamespace(name="ph", type_text="DOUBLE")]
            return SimpleNamespace(
                status=SimpleNamespace(state=SimpleNamespace(value="SUCCEEDED"), error=None),
                manifest=SimpleNamespace(schema=SimpleNamespace(columns=columns)),
                result=SimpleNamespace(external_links=None, next_chunk_index=None),
            )

    frame = DatabricksWarehouse(SimpleNamespace(statement_execution=Api()), "w").frame("SELECT day, ph FROM t")
    assert frame.schema == {"day": pl.Date, "ph": pl.Float64}


def test_warehouse__that_is_not_of_this_workspace_is_one_sentence() -> None:
    class Api:
        def execute_statement(self, *_: Any, **__: Any) -> Any:
            raise InvalidParameterValue("w is not a valid endpoint id")

    with pytest.raises(SettingsError, match=r"SQL warehouse w is not one of this workspace: .* warehouses list"):
        DatabricksWarehouse(SimpleNamespace(statement_execution=Api()), "w").rows("SELECT 1")
