"""Identifiers: UUIDv7, so that ids sort by the time they were made (RFC 9562, section 5.7)."""

from __future__ import annotations

import uuid_utils


def new_id() -> str:
    """Return a new UUIDv7 as text."""
    return str(uuid_utils.uuid7())
