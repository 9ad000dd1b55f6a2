"""How much of anything one may ask for, and how long it may take. Each bound holds for strangers as well as for honest clients."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

MOST_CONNECTIONS = 256
"""Open at once; for one more, the oldest that has no whole request yet is cut off."""
REQUEST_S = 10.0
"""A request, with its body, must have arrived so long after its connection or its first byte [real s]."""
IDLE_S = 5
"""A connection is kept so long for a next request [real s]."""
READING_S = 20.0
"""A client that takes no more of an answer for so long is cut off [real s]."""
MOST_HEAD = 16 * 1024
"""Longest request line with headers [bytes]."""
MOST_BODY = 1024 * 1024
"""Longest body [bytes]: a campaign with its lab; everything else is short."""
MOST_FILE, FILES_AT_ONCE = 16 * 1024 * 1024, 4
"""Longest body that is a file [bytes], a photo that a task asks for; and how many of them are taken at the same moment."""
MOST_ROWS = 1000
"""Rows of a list in one answer."""
LOOKING_S = 60.0
"""Patience with what is read from a store [real s]."""
COMPUTING_S = 310.0
"""Patience with what models are asked: a little more than with the process that asks them [real s]."""
PER_SECOND, AT_ONCE = 50.0, 200.0
"""Requests of one token; stops of instruments are not counted."""
STRANGERS_PER_SECOND, STRANGERS_AT_ONCE = 20.0, 60.0
"""Requests without a valid token, all together."""
PAGE_PER_SECOND, PAGE_AT_ONCE = 200.0, 1000.0
"""Files of the page, for all together: it is some forty of them, and a browser keeps them."""
MOST_STREAMS, MOST_STREAMS_EACH = 100, 20
"""Streams of news at once, of all and of one token: the other connections stay free for a stop."""


@dataclass
class Bucket:
    """Admits `at_once` requests, and `per_second` more with time (a token bucket)."""

    per_second: float
    at_once: float
    _filled: float = field(default=-1.0, init=False)
    _at: float = field(default=0.0, init=False)

    def wait_s(self, now: float | None = None) -> float:
        """Admit one, and return 0; or admit none, and return after how long the next may be asked for [s]."""
        now = time.monotonic() if now is None else now
        filled = self.at_once if self._filled < 0.0 else min(self.at_once, self._filled + (now - self._at) * self.per_second)
        self._at = now
        if filled >= 1.0:
            self._filled = filled - 1.0
            return 0.0
        self._filled = filled
        return (1.0 - filled) / self.per_second
