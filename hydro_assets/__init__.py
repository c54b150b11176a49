"""hydro_assets: from Gold sensor readings to forecasts a farm can trust, as Dagster assets."""

__version__ = "0.1.0"
