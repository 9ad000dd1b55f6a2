"""Ground truth: pure functions of conditions, units stated."""
