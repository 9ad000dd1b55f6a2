"""Walks a log along its hash chain, page by page, and names the first event that does not fit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from controller.errors import ConflictError
from controller.store.chain import BEGINNING, link
from controller.store.reading import Reader

_SHORTEST_HEAD = 16
_TYPES = {"campaign_sequence": int, "id": str, "kind": str, "at": int | float, "body": str, "chain": str}
"""What the columns of an event hold. SQLite keeps whatever somebody writes there in its place."""


@dataclass(frozen=True)
class Verification:
    """What the chain of one campaign's log says."""

    head: str
    """Hash of the newest event [64 hexadecimal digits]; empty where there is none. It stands for the whole log."""
    n_events: int
    differences: list[str]
    """The first event that does not fit, and a head that is not in the log; empty when the log is as it was written."""
    given_at: int | None = None
    """Position of the event whose hash was given as a head written down earlier; None where none was, or it is not there."""


def verify(reader: Reader, campaign: str, head: str | None = None) -> Verification:
    """Walk the log of a campaign (name or id).

    Args:
        reader: Of the store.
        campaign: Name or id.
        head: A head that was written down earlier, or its first 16 digits or more. The log must still contain it.

    Raises:
        UnknownNameError: If the store holds no such campaign.
        ConflictError: If `head` is no hash.
        StoreError: If the store cannot be read.
    """
    with reader.snapshot():
        key = str(reader.campaign_row(campaign)["id"])
        return walk(key, reader.event_pages(key), head)


def walk(campaign: str, pages: Iterable[Sequence[Mapping[str, Any]]], head: str | None = None) -> Verification:
    """Return what the chain says of a log.

    Args:
        campaign: Its id.
        pages: Its rows in the order of their positions, in pages of any size; at most one page is held at a time.
        head: As in `verify`.

    Raises:
        ConflictError: If `head` is no hash.
    """
    wanted = None if head is None else _checked(head)
    chain, position, expected = BEGINNING, 0, 1
    broken, given_at = "", None
    for page in pages:
        for row in page:
            position = row["campaign_sequence"]
            broken = broken or _fault(campaign, row, chain, expected)
            chain, expected = str(row["chain"]), (position if isinstance(position, int) else expected) + 1
            if wanted is not None and chain.startswith(wanted):
                given_at = position
    differences = [broken] if broken else []
    if wanted is not None and given_at is None:
        differences.append(
            f"no event has the head {head}: the log was cut off or written anew since it was noted (it ends at event {position})"
        )
    return Verification(chain, expected - 1, differences, given_at)


def _fault(campaign: str, row: Mapping[str, Any], previous: str, expected: int) -> str:
    """Say why a row cannot follow an event at position `expected` - 1 with hash `previous`; empty where it can."""
    position = row["campaign_sequence"]
    for column, kind in _TYPES.items():
        if not isinstance(row[column], kind):
            return f"event {position} ({row['kind']}) has {str(row[column])[:80]!r} for its {column}: it was changed"
    if position != expected:
        missing = f"event {expected} is" if position == expected + 1 else f"events {expected} to {position - 1} are"
        return f"{missing} missing: event {position} ({row['kind']}) comes next in the log"
    with suppress(OverflowError):  # a time of hundreds of digits, which no event has
        if row["chain"] == link(previous, campaign, position, row["id"], row["kind"], row["at"], row["body"]):
            return ""
    before = f", or event {position - 1} and its hash were" if position > 1 else ""
    return f"event {position} ({row['kind']}) does not fit the hash chain: it was changed, inserted or moved here{before}"


def _checked(head: str) -> str:
    digits = head.strip().lower()
    if not re.fullmatch(rf"[0-9a-f]{{{_SHORTEST_HEAD},64}}", digits):
        raise ConflictError(
            f"head {head!r} is no hash: expected 64 hexadecimal digits, or the first {_SHORTEST_HEAD} of them or more, as "
            "labwright campaign audit --verify printed them"
        )
    return digits
