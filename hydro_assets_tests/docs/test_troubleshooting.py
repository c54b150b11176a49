"""Sentences of docs/troubleshooting.md are those that the code says."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SENTENCES = re.findall(r'^\| "([^"]+)"', (ROOT / "docs" / "troubleshooting.md").read_text(), re.M)
OF_THE_SYSTEM = {"Address already in use"}


@cache
def texts() -> str:
    """Every string of the package, with what is filled in as `...`."""
    found = []
    for path in sorted((ROOT / "hydro_assets").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                found.append("".join(v.value if isinstance(v, ast.Constant) else "..." for v in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(found)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_sentence__is_said_by_the_code(sentence: str) -> None:
    parts = [part.strip(" ?") for part in re.split(r"\.\.\.|\d+|[:;] ", sentence)]
    unknown = [part for part in parts if part and part not in texts() and part not in OF_THE_SYSTEM]
    assert unknown == []


def test_page__has_sentences() -> None:
    assert len(SENTENCES) >= 9
