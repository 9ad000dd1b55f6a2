"""Identifiers: UUIDv7, so that ids sort by the time they were made (RFC 9562, section 5.7)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uuid_utils


def _uuid7() -> str:
    return str(uuid_utils.uuid7())


_source: Callable[[], str] = _uuid7


def new_id() -> str:
    """Return a new UUIDv7 as text."""
    return _source()


@contextmanager
def ids_from(source: Callable[[], str]) -> Iterator[None]:
    """Take ids from `source` inside the block, for rehearsals that are to be the same every time."""
    global _source
    before, _source = _source, source
    try:
        yield
    finally:
        _source = before
