"""How it is known that people carry a campaign out by plans; light, for commands that only look."""

from __future__ import annotations

BY_HAND = "carried out by hand"
"""How the reason of the pause begins in which they do: daemons leave the campaign alone until it is run."""


def is_by_hand(status: str, reason: str) -> bool:
    """Say whether a campaign that stands there for this reason is with people."""
    return status == "paused" and reason.startswith(BY_HAND)
