"""Measure: claim instruments, decide about failures, and turn what drivers returned into observations."""
