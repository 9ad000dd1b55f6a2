"""Log lines about untrusted input, few enough that a flood of garbage cannot fill a disk."""

from __future__ import annotations

import logging
import time
from typing import Any


class RateLimitedLog:
    """Passes on at most `per_minute` lines in each minute and counts the others.

    Args:
        log: Where lines go.
        per_minute: How many.
    """

    def __init__(self, log: logging.Logger, *, per_minute: int) -> None:
        self._log = log
        self._per_minute = per_minute
        self._minute = 0
        self._said = 0
        self._suppressed = 0

    def warning(self, text: str, *values: Any) -> None:
        """Log a warning, if there is room for it."""
        if self._admit():
            self._log.warning(text, *values)

    def exception(self, text: str, *values: Any) -> None:
        """Log the exception being handled, if there is room for it."""
        if self._admit():
            self._log.exception(text, *values)

    def _admit(self) -> bool:
        minute = int(time.monotonic() // 60)
        if minute != self._minute:
            if self._suppressed:
                self._log.warning("%d more lines like these were left out", self._suppressed)
            self._minute, self._said, self._suppressed = minute, 0, 0
        self._said += 1
        if self._said > self._per_minute:
            self._suppressed += 1
            return False
        return True
