"""Instruments: the wire protocol, the driver SDK and the drivers of real devices. Knows no model and no store."""

from __future__ import annotations

LABWRIGHT_PACKAGE = "labwright"
"""Marker read by `labwright doctor`: other distributions also install packages with this import name."""
