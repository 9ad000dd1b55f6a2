"""The list of keys, as JSON data."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from controller.verbs.stores import show_url

if TYPE_CHECKING:
    from controller.store.reading import Reader


def list_keys(opened: Sequence[tuple[str, Reader]]) -> list[dict[str, Any]]:
    """Return the public keys of some stores (URL and reader of each), oldest first, each with its status."""
    from controller.store.reading import iso

    now = time.time()
    rows: list[dict[str, Any]] = []
    for url, reader in opened:
        for row in reader.access_key_rows():
            ends = row["revoked_at"]
            status = "valid" if ends is None else "revoked" if ends <= now else "expiring"
            times = {"created_at": iso(row["created_at"]), "revoked_at": iso(ends)}
            rows.append({**row, **times, "instruments": json.loads(row["instruments"]), "status": status, "store": show_url(url)})
    return rows
