"""How one step becomes one Databricks run: code archive, staging, launcher (host) and entry (cluster)."""
