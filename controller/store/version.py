"""Which schema this version of Labwright reads and writes; imported by commands that must start at once."""

from __future__ import annotations

import re

from controller.errors import StoreError

SCHEMA_VERSION = "0006"
"""The newest file in `migrations/versions`."""

VERSION_TABLE = "labwright_schema"
"""The table that says which schema a database holds (Alembic's, under a name that tells whose it is)."""


def check_version(found: str | None, where: str) -> bool:
    """Say whether a store with schema `found` must be upgraded before it can be used.

    Args:
        found: The version the store holds; None where its table is empty.
        where: The store, for messages, without a password.

    Raises:
        StoreError: If the store was written by a newer Labwright, or is none of ours.
    """
    if found is not None and not re.fullmatch(r"\d{4}", found):
        raise StoreError(f"store {where}: schema version {found!r} is not one of Labwright's; name another store")
    if found is not None and found > SCHEMA_VERSION:
        raise StoreError(
            f"store {where} has schema {found}, this version of Labwright knows schemas up to {SCHEMA_VERSION}; upgrade Labwright"
        )
    return found is None or found < SCHEMA_VERSION
