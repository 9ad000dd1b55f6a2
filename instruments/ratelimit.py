"""Log lines about untrusted input, few enough that a flood of garbage cannot fill a disk."""

from __future__ import annotations

import logging
import time
from collections import Counter
from typing import Any


class RateLimitedLog:
    """Passes on at most `per_minute` lines of each kind in each minute and counts the others.

    The kind of a line is its text before values are filled in, so that a flood of one kind hides no other, and so that the
    number of kinds is that of the places in the code.

    Args:
        log: Where lines go.
        per_minute: How many.
    """

    def __init__(self, log: logging.Logger, *, per_minute: int = 1) -> None:
        self._log = log
        self._per_minute = per_minute
        self._minute = 0
        self._said: Counter[str] = Counter()

    def warning(self, text: str, *values: Any) -> None:
        """Log a warning, if there is room for it."""
        if self._admit(text):
            self._log.warning(text, *values)

    def exception(self, text: str, *values: Any) -> None:
        """Log the exception being handled, if there is room for it."""
        if self._admit(text):
            self._log.exception(text, *values)

    def _admit(self, kind: str) -> bool:
        minute = int(time.monotonic() // 60)
        if minute != self._minute:
            said, self._minute, self._said = self._said, minute, Counter()
            for earlier, n in said.items():
                if n > self._per_minute:
                    self._log.warning("%d more lines like this were left out: %s", n - self._per_minute, earlier)
        self._said[kind] += 1
        return self._said[kind] <= self._per_minute
