"""A simulated greenhouse: several systems, their controllers, and the faults of their probes."""
