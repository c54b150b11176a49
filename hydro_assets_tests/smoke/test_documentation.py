"""The snippets of docs/predictions.md, run as they stand on a farm that has run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hydro_assets_tests.smoke.conftest import Farm

pytestmark = pytest.mark.smoke
PAGE = Path(__file__).parents[2] / "docs" / "predictions.md"
_SNIPPET = re.compile(r"^## ([^\n]+)\n(?:(?!^## ).)*?```python\n(.*?)```", re.S | re.M)
SNIPPETS = {title.strip(): code for title, code in _SNIPPET.findall(PAGE.read_text())}


@pytest.mark.parametrize("title", SNIPPETS)
def test_snippet__runs_and_prints_rows(
    farm: Farm, title: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if "duckdb" in SNIPPETS[title]:
        pytest.importorskip("duckdb")
    monkeypatch.setenv("HYDRO_HOME", str(farm.settings.root))
    exec(compile(SNIPPETS[title], f"{PAGE.name}, {title}", "exec"), {"LAKEHOUSE": farm.settings.table_root})
    out = capsys.readouterr().out
    assert "system_1" in out or "2026-03-0" in out


def test_page__has_a_snippet_for_each_reader() -> None:
    assert list(SNIPPETS) == ["polars", "pandas", "DuckDB and SQL", "Spark"]
