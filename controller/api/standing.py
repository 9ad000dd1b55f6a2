"""How everything stands: read once for all who ask at the same moment, and compared to see what has changed."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from controller.presence import published
from controller.settings import folder_of
from controller.store.reading import Reader

CAMPAIGNS, INSTRUMENTS, REQUESTS, TASKS = "campaigns", "instruments", "requests", "tasks"
OPEN_TASKS = "labs/*/*/tasks/open/*"
"""Where tasks wait for people, in the folder of a store (`instruments/tasks/folder.py`)."""

T = TypeVar("T")


@dataclass(frozen=True)
class Place:
    """Where a campaign is, and how it stands."""

    url: str
    id: str
    name: str
    end: int
    """Position of its newest event."""
    how: str
    """Changes with whatever its overview tells, but for the time."""


@dataclass(frozen=True)
class Standing:
    """How everything stands at one moment."""

    campaigns: Mapping[str, Place]
    """By id."""
    topics: Mapping[str, str]
    """`campaigns`, `instruments`, `requests`, `tasks` -> a text that changes with what is told of them."""

    def find(self, campaign: str) -> Place | None:
        """Return the one campaign of this name or id, None where there is none or are several."""
        found = [place for place in self.campaigns.values() if campaign in (place.id, place.name)]
        return found[0] if len(found) == 1 else None


def read_standing(opened: Sequence[tuple[str, Reader]]) -> Standing:
    """Return how some stores (URL and reader of each), and the labs beside them, stand."""
    campaigns: dict[str, Place] = {}
    asked, switched, labs, tasks = [], [], [], []
    for url, reader in opened:
        with reader.snapshot():
            rows = reader.log_ends()
            asked.append(reader.requests_end())
            waiting = [row["campaign"] for row in reader.request_rows(pending=True)]
            switched.append(reader.instrument_rows())
        told = _published(folder_of(url))
        labs.append(told)
        for row in rows:
            at_work = [lab for lab in told if any(c[0] == row["name"] for c in lab[-1])]
            how = _digest([row["status"], row["end"], waiting.count(row["id"]), at_work])
            campaigns[row["id"]] = Place(url, row["id"], row["name"], row["end"], how)
        tasks += _changed(folder_of(url).glob(OPEN_TASKS))
    topics = {
        CAMPAIGNS: _digest([[place.id, place.end] for place in campaigns.values()]), REQUESTS: _digest(asked),
        INSTRUMENTS: _digest([switched, labs]), TASKS: _digest(tasks),
    }  # fmt: skip
    return Standing(campaigns, topics)


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, default=str).encode()).hexdigest()[:24]


def _published(folder: Path) -> list[list[Any]]:
    """Return lab, instruments, interlocks and campaigns of each controller at work, but for what moves all the time."""
    found = []
    for note in sorted(folder.glob("labs/*/status.json")):
        said = published(note.parent)
        try:
            campaigns = [
                [c["campaign"], c["doing"], [[r["experiment"], r["step"], r["status"]] for r in c["running"]]]
                for c in said.get("campaigns", ())
            ]
            found.append([note.parent.name, said.get("instruments"), said.get("interlocks"), campaigns])
        except (TypeError, KeyError, AttributeError):  # another version's
            found.append([note.parent.name, []])
    return found


def _changed(paths: Iterable[Path]) -> list[tuple[str, int]]:
    """Return names and times of change; what has just been moved away is left out."""
    found = []
    for path in paths:
        with contextlib.suppress(OSError):
            found.append((path.name, path.stat().st_mtime_ns))
    return sorted(found)


class Shared(Generic[T]):
    """A reading that is made once for all who ask while another is under way: never one that began before they asked.

    Args:
        read: Makes it.
    """

    def __init__(self, read: Callable[[], Awaitable[T]]) -> None:
        self._read = read
        self._turn = asyncio.Lock()
        self._next: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """Return what it gave."""
        if self._next is None:
            self._next = asyncio.create_task(self._make())
            self._next.add_done_callback(_look_at)
        return await asyncio.shield(self._next)

    async def _make(self) -> T:
        async with self._turn:
            self._next = None
            return await self._read()


def _look_at(task: asyncio.Task[Any]) -> None:
    """Look at what a task raised, should everybody who asked have gone away."""
    if not task.cancelled():
        task.exception()
