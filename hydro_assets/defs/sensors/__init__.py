"""Sensors: notice new Gold data, ask for trainings, end abandoned ones, send alerts."""
