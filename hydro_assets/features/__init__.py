"""From readings to feature rows: the regular time grid, its windows, and which days are older than their readings."""
