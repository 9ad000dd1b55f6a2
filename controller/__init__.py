"""The controller: campaigns, the closed loop, the store and the command line."""

LABWRIGHT_PACKAGE = "labwright"
"""Marks this package as ours; `labwright doctor` looks for it, because the plain name `controller` is used by others too."""
