"""The forecast: read `model.py` first. All that a registered artifact needs to predict, and nothing that trains it."""
