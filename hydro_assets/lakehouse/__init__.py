"""Delta tables: the only storage layer, on any Spark."""

from hydro_assets.lakehouse.commits import WriteReceipt
from hydro_assets.lakehouse.lakehouse import Lakehouse
from hydro_assets.lakehouse.tables import TableVersion

__all__ = ["Lakehouse", "TableVersion", "WriteReceipt"]
