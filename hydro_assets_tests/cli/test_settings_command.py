"""`hydro settings`: every setting is explained, and the sample is a file that may be used."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hydro_assets.cli.app import app
from hydro_assets.cli.settings_command import fields, sample_toml
from hydro_assets.settings import Settings
from hydro_assets.settings_sources import load_settings


@pytest.mark.parametrize("name", [name for name, _ in fields()])
def test_setting__has_a_description(name: str) -> None:
    assert len(dict(fields())[name].description or "") > 1


def test_sample__with_every_line_in_force_gives_the_defaults(tmp_path: Path) -> None:
    lines = [line.removeprefix("# ") if " = " in line and not line.endswith("=") else line for line in _lines()]
    text = "\n".join(line for line in lines if not line.startswith("# home") and not line.startswith("home"))
    (tmp_path / "hydro.toml").write_text(text)
    assert len(tomllib.loads(text)) > 20
    given = load_settings(home=tmp_path)
    assert given.model_dump(exclude={"home"}) == Settings(home=tmp_path).model_dump(exclude={"home"})
    assert given.model_dump(exclude={"home"}) == load_settings(home=tmp_path / "new").model_dump(exclude={"home"})


def _lines() -> list[str]:
    """The sample without its explanations: what follows `# ` is a setting only when its name is known."""
    known = {name.rpartition(".")[2] for name, _ in fields()}
    kept = []
    for line in sample_toml().splitlines():
        if line.startswith("[") or line.removeprefix("# ").partition(" =")[0] in known:
            kept.append(line)
    return kept


def test_settings__shows_what_is_set_and_where_and_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hydro.toml").write_text("[recurrent]\nepochs = 7\n")
    monkeypatch.setenv("HYDRO_HOME", str(tmp_path))
    monkeypatch.setenv("HYDRO_CATALOG", "farm_7")
    monkeypatch.setenv("HYDRO_WEBHOOK_URL", "https://example.org/token-123")
    out = CliRunner().invoke(app, ["settings"]).output
    rows = {words[0]: words for line in out.splitlines() if len(words := line.strip("│ ").split()) > 2}
    assert rows["catalog"][2:] == ["farm_7", "│", "HYDRO_CATALOG"]
    assert rows["recurrent.epochs"][2:] == ["7", "│", "hydro.toml"]
    assert "seed" not in rows
    assert "token-123" not in out
