"""A bounded ring of segment files: lines are appended, the oldest files go when there would be too much."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from instruments.bounded import from_json

SEGMENTS = 8
"""The ring turns when a segment has reached this share of it; so that much less is kept at times."""
LEAST_FREE = 256 * 1024 * 1024
"""The ring is not written while the disk has less room than this [bytes]: what remains is for the store and the journals."""
MAX_LINE = 16 * 1024 * 1024
"""Longest line that is read [bytes]; a step holds a few frames of one mebibyte at most."""
_SUFFIX = ".jsonl"


class Ring:
    """Appends to the newest of its files. Used from one thread, by one process at a time.

    Nothing is flushed to the disk: what was appended survives the death of the process, and all but the last seconds of it a power
    cut. No file is ever taken up again, so a torn line can only be a file's last.

    Args:
        folder: Where the files are; made, for its user alone, when it is first needed.
        most_bytes: All files together never hold more [bytes].
        least_free: See `LEAST_FREE`.
    """

    def __init__(self, folder: Path, most_bytes: int, *, least_free: int = LEAST_FREE) -> None:
        self.folder = folder
        self._most = most_bytes
        self._least_free = least_free
        self._file: int | None = None
        self._size = 0

    @property
    def is_due(self) -> bool:
        """Whether the next segment should be begun."""
        return self._file is None or self._size >= self.turn_bytes

    @property
    def turn_bytes(self) -> int:
        """Size at which the next segment should be begun [bytes]; the hard limit is twice that."""
        return self._most // SEGMENTS

    def begin(self) -> bool:
        """Begin the next segment, and remove the oldest until there is room for it; False if that cannot be done now."""
        self.close()
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = segments(self.folder)
            sizes = [path.stat().st_size for path in found]
            while found and sum(sizes) > self._most - self._longest:
                found.pop(0).unlink()
                sizes.pop(0)
            number = int(found[-1].stem) + 1 if found else 1
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            self._file, self._size = os.open(self.folder / f"{number:08d}{_SUFFIX}", flags, 0o600), 0
        except (OSError, ValueError):
            return False
        return True

    @property
    def _longest(self) -> int:
        return 2 * self.turn_bytes

    def append(self, data: bytes) -> bool:
        """Append whole lines; False if nothing of them was written: the disk is full, or the segment longer than it may be."""
        if self._file is None or self._size + len(data) > self._longest:
            return False
        try:
            room = os.fstatvfs(self._file)
            if room.f_bavail * room.f_frsize < self._least_free:
                return False
            written = os.write(self._file, data)
        except OSError:
            return False
        if written != len(data):
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)
            self.close()  # and if that failed, what is torn is at least the end of its file
            return False
        self._size += written
        return True

    def close(self) -> None:
        """Close the newest file; it is not taken up again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def segments(folder: Path) -> list[Path]:
    """Return the files of a ring, oldest first."""
    return sorted((p for p in folder.glob(f"*{_SUFFIX}") if p.stem.isdecimal()), key=lambda path: int(path.stem))


class Extent(NamedTuple):
    """What a ring holds; moments [s since the Unix epoch] are None where it is empty."""

    first: float | None
    """Of the first line."""
    last: float | None
    """Of the last writing."""
    n_bytes: int


def extent(folder: Path) -> Extent:
    """Return what a ring holds; as in `read_lines` a file that is removed meanwhile is passed over."""
    first, last, n_bytes = None, None, 0
    for path in segments(folder):
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            if line := file.readline(MAX_LINE):
                first = _moment(line) if last is None else first
                status = os.fstat(file.fileno())
                last, n_bytes = status.st_mtime, n_bytes + status.st_size
    return Extent(first, last, n_bytes)


def _moment(line: bytes) -> float | None:
    try:
        return float(from_json(line)["at"])
    except (ValueError, KeyError, TypeError):
        return None


def read_lines(folder: Path) -> Iterator[bytes]:
    """Return every whole line of a ring, oldest first; a torn last line of a file is dropped.

    A ring may be read while it is written: a file that is removed meanwhile is passed over.
    """
    for path in segments(folder):
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            while line := file.readline(MAX_LINE):
                if line.endswith(b"\n"):
                    yield line
