"""hydro_assets on Databricks: what a cluster needs, and the same flow as plain jobs without Dagster."""
