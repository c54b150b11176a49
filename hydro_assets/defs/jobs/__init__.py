"""Jobs and schedules: what can be started as a whole, and what starts by the clock."""
