from __future__ import annotations

import pytest

from hydro_assets.registry.registration import fitting


@pytest.mark.parametrize(
    ("registry", "length"),
    [
        pytest.param("databricks-uc", 1000, id="Unity Catalog of Databricks"),
        pytest.param("uc:http://127.0.0.1:8080", 1000, id="Unity Catalog elsewhere"),
        pytest.param("sqlite:///mlflow.db", 1500, id="MLflow's own registry"),
    ],
)
def test_tags_of_a_version__are_cut_where_the_registry_takes_no_longer_ones(registry: str, length: int) -> None:
    cut = fitting({"hyper_parameters": "x" * 1500, "kind": "lstm"}, registry)
    assert len(cut["hyper_parameters"]) == length
    assert cut["hyper_parameters"].endswith("..." if length == 1000 else "x")
    assert cut["kind"] == "lstm"
