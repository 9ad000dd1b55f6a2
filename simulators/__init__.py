"""Simulated labs: drivers of devices that are not there, on the same wire as real ones."""

LABWRIGHT_PACKAGE = "labwright"
"""Marks this package as ours; `labwright doctor` looks for it."""
