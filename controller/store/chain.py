"""The hash chain over a campaign's log: what is changed, removed, inserted or reordered later no longer fits.

Each event carries the SHA-256 of its own content together with the hash before it, as the timestamps of Haber and Stornetta
do ("How to time-stamp a digital document", Journal of Cryptology 3, 1991). The last hash, the *head*, so stands for the whole log.
Whoever can write the store can compute a new chain: only a head that was written down elsewhere tells that apart, and
tells a log whose newest events were cut off.
"""

from __future__ import annotations

import hashlib
import json

BEGINNING = ""
"""What stands before the first event of a log."""


def link(previous: str, campaign: str, sequence: int, event: str, kind: str, at: float, body: str) -> str:
    """Return the hash that an event carries [64 hexadecimal digits]; how it is computed can never change.

    Args:
        previous: The hash of the event before, or `BEGINNING`.
        campaign: Id of the campaign.
        sequence: Position in the campaign's log: 1, 2, 3 …
        event: Id of the event.
        kind: Its kind.
        at: Its lab time [s since 1970-01-01 UTC].
        body: Its content, character by character as it is stored.
    """
    content = json.dumps([previous, campaign, sequence, event, kind, float(at), body], separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()
