"""What a training hands over to be logged and registered; `registry` knows no more of how it came about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import polars as pl

    from hydro_assets.forecasting.package import ForecastPackage


class Trained(Protocol):
    """The result of one training: the package, and all that a run of MLflow is to hold of it."""

    @property
    def package(self) -> ForecastPackage: ...
    @property
    def metrics(self) -> pl.DataFrame: ...
    @property
    def classification(self) -> pl.DataFrame | None: ...
    @property
    def leaving(self) -> pl.DataFrame | None: ...
    @property
    def leaving_reliability(self) -> pl.DataFrame | None: ...
    @property
    def history(self) -> list[dict[str, Any]]: ...
    @property
    def log(self) -> list[str]: ...
    @property
    def params(self) -> dict[str, Any]: ...
    @property
    def importance(self) -> dict[str, float]: ...
    @property
    def plots(self) -> Any: ...  # dict[str, bytes]: PNG by name, drawn when first asked for
