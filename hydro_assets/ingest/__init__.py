"""Raw exports of loggers and dashboards to rows of Gold: nothing is guessed, nothing is dropped silently.

`export.py` is the whole way: `sources` (a file as a table of text) -> `names` and `presets` (which column is what)
-> `timestamps` -> `values` and `units` -> `merge` (one row per instant) -> Gold's columns. `profile.py` holds the
options of a reading, `report.py` what is shown before anything is written, `journal.py` the numbered imports.
"""
