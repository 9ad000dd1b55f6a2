"""The HTTP API: a process beside the daemon, by which people and programs look at campaigns and steer them."""
