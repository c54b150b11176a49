"""From feature rows to a trained, measured forecast package."""
