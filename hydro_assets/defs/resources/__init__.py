"""Resources of every asset, per environment."""
