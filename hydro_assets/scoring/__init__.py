"""Forecast feature rows with the serving models: one system, many days, and the outlook that follows."""
