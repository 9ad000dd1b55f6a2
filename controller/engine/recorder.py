"""The flight recorder: every step of every session of a lab and every event of its campaigns, in a bounded ring on disk.

The loop only appends to a list in memory; a thread writes. When it cannot keep up, or the disk is full, steps are dropped and
counted, never waited for. Secrets do not come here: options of drivers and keys never travel as messages.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from controller.engine.ring import Ring, read_lines
from instruments.bounded import from_json
from instruments.protocol.recording import Chapter, Step

if TYPE_CHECKING:
    from controller.domain.event import Event

FOLDER = "flight"
"""In a lab's folder."""
GATHER_S = 0.05
"""Steps are written so long after they happened; what a kill can lose [real s]."""
MOST_WAITING = 16 * 1024 * 1024
"""Steps wait for the thread up to this estimate of their size [bytes]."""
AGAIN_S = 1.0
"""After a loss a new chapter is begun, but not more often than this [real s]."""
_BULKY = frozenset({"proposal", "observations", "measurements"})
"""Fields of events that are in the store anyway, and large."""
log = logging.getLogger(__name__)
_Entry: TypeAlias = "Step | Chapter | tuple[float, str, Event]"


class FlightRecorder:
    """Takes down what a lab's hub and its campaigns do.

    Args:
        folder: Of the ring.
        most_bytes: Of the ring [bytes].
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._ring = Ring(folder, most_bytes)
        self._chapter: Callable[[], Chapter] | None = None
        self._last_chapter = 0.0
        self._queue: deque[_Entry] = deque()
        # Each of these numbers is changed by one side alone: the loop's, and the thread's.
        self._put, self._got, self._put_before = 0, 0, 0
        self._lost_here, self._lost_there = 0, 0
        self._gap = False
        """Whether something was lost: nothing can be replayed across it, so nothing is taken down until the next chapter."""
        self._due = False
        """Whether the segment is long enough."""
        self._wake = threading.Event()
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def dropped(self) -> int:
        """How many steps could not be taken down."""
        return self._lost_here + self._lost_there

    def start(self, chapter: Callable[[], Chapter]) -> None:
        """Begin to take down.

        Args:
            chapter: Returns the state of every session; called on the loop.
        """
        self._chapter = chapter
        self._thread = threading.Thread(target=self._work, name="flight recorder", daemon=True)
        self._thread.start()
        self._begin_chapter()

    def close(self) -> None:
        """Write what waits, and end."""
        if self._thread is not None:
            self._end.set()
            self._wake.set()
            self._thread.join(5.0)
            self._thread = None

    def took(self, step: Step) -> None:
        """Take down what a session took and answered. Returns at once and raises nothing."""
        if self._thread is None:
            return
        size = _size(step)
        full = self._put - self._got + size > MOST_WAITING
        if self._gap or full:
            self._gap = True
            self._lost_here += 1
            if not full and time.monotonic() - self._last_chapter > AGAIN_S:
                self._begin_chapter()
        else:
            self._queue.append(step)
            self._put += size
            # What was put is counted too, since a burst may be longer than a segment before the thread has seen any of it.
            if self._due or self._put - self._put_before > self._ring.turn_bytes:
                self._begin_chapter()
        self._wake.set()

    def decided(self, campaign: str, events: Iterable[Event]) -> None:
        """Take down events of a campaign, as they are decided, before they are committed."""
        if self._thread is None or self._put - self._got > MOST_WAITING:
            return
        now = time.time()
        for event in events:
            entry = (now, campaign, event)
            self._queue.append(entry)
            self._put += _size(entry)
        self._wake.set()

    def _begin_chapter(self) -> None:
        assert self._chapter is not None  # noqa: S101 - started
        self._gap = self._due = False
        self._last_chapter, self._put_before = time.monotonic(), self._put
        chapter = replace(self._chapter(), dropped=self.dropped)
        self._queue.append(chapter)
        self._put += _size(chapter)

    # --- the thread -------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while not self._end.is_set():
            self._wake.wait()
            self._end.wait(GATHER_S)
            self._wake.clear()
            self._write_what_waits()
        self._write_what_waits()
        self._ring.close()

    def _write_what_waits(self) -> None:
        lines: list[bytes] = []
        while self._queue:
            entry = self._queue.popleft()
            self._got += _size(entry)
            if isinstance(entry, Chapter):
                self._append(lines)
                lines = []
                self._ring.begin()  # if it cannot, the chapter is lost below
            try:
                lines.append(_line(entry))
            except Exception:  # the recorder must never take anything else down
                log.exception("flight recorder: a step is lost")
                self._lost_there += 1
                self._gap = True
        self._append(lines)
        self._due = self._ring.is_due

    def _append(self, lines: list[bytes]) -> None:
        if lines and not self._ring.append(b"".join(lines)):
            self._lost_there += len(lines)
            self._gap = True


def _size(entry: _Entry) -> int:
    """Return about how much memory an entry takes."""
    return 400 + (len(entry.given) if isinstance(entry, Step) and isinstance(entry.given, bytes) else 0)


def _line(entry: _Entry) -> bytes:
    if not isinstance(entry, tuple):
        return entry.to_line()
    at, campaign, event = entry
    content = event.model_dump(mode="json", exclude=set(_BULKY), exclude_defaults=True)
    record = {"what": "decided", "at": at, "campaign": campaign, "event": event.kind, "given": content, "out": []}
    return json.dumps(record).encode() + b"\n"


def read_flight(folder: Path, *, since: float = 0.0, until: float = float("inf")) -> Iterator[dict[str, Any]]:
    """Return the lines of a recording between two moments, oldest first.

    A chapter that began before `since` is returned as well when something of it follows, so that a window can be replayed: all of a
    chapter's steps belong to it, so those before the window come too, marked `"before": true`.

    Args:
        folder: Of the ring.
        since: First moment [s since the Unix epoch].
        until: Last moment.
    """
    return window(_records(folder), since, until)


def _records(folder: Path) -> Iterator[dict[str, Any]]:
    for line in read_lines(folder):
        try:
            record = from_json(line)
            float(record["at"]), record["what"]
        except (ValueError, KeyError, TypeError):
            continue  # torn by a power cut
        yield record


def window(records: Iterable[dict[str, Any]], since: float, until: float) -> Iterator[dict[str, Any]]:
    """Return the records between two moments [s since the Unix epoch], and those before that a replay needs; see `read_flight`."""
    held: list[dict[str, Any]] = []
    for record in records:
        at = float(record["at"])
        if record["what"] == "chapter":
            held = []
        if at < since:
            held.append({**record, "before": True})
        elif at <= until:
            yield from held
            held = []
            yield record
