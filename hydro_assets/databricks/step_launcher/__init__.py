"""How one step becomes one Databricks run: payload, staging, launcher (host) and entry (cluster)."""
