"""Notes that say which process is at work. Each is locked (`flock`) as long as that process lives, however it ends.

The number of a process says nothing by itself: after a power cut it belongs to a stranger, whom nobody must take for a daemon, let
alone end. So what a note says counts only while its lock is held.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from instruments.bounded import MAX_SMALL, from_json

_MOST_STATUS = 16 * 1024 * 1024
"""Larger than what a controller publishes of a thousand instruments [bytes]."""


class Presence:
    """A note of this process at `path`; a context manager that takes it back.

    It does not keep others from leaving theirs in its place: that is what locks are for (`store/locking.py`).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def show(self, content: str) -> None:
        """Leave the note, or put another in place of it; who reads it finds either, and never one that is not locked.

        Raises:
            OSError: If it cannot be written; an earlier one then stands.
        """
        draft = self._path.with_name(f"{self._path.name}.{os.getpid()}.draft")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # nobody knows the draft yet
            with open(descriptor, "w", encoding="utf-8", closefd=False) as out:
                out.write(content)
            draft.replace(self._path)
        except BaseException:
            os.close(descriptor)
            draft.unlink(missing_ok=True)
            raise
        earlier, self._descriptor = self._descriptor, descriptor
        if earlier is not None:
            os.close(earlier)

    def withdraw(self) -> None:
        """Remove the note, unless another process has put its own in place of it; does nothing where there is none."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(descriptor), self._path.stat()):
                self._path.unlink()
        os.close(descriptor)

    def leave_behind(self) -> None:
        """Let go of the note and leave it there, for what else it says."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.withdraw()


def present(path: Path, most: int = MAX_SMALL) -> str | None:
    """Return what the note at `path` says, `most` bytes of it at most, while the process that left it lives, else None."""
    try:
        while True:
            with path.open("rb") as stream:
                try:
                    # Shared: those who look on do not see each other. Its owner has locked it before it was there to be found.
                    fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return stream.read(most).decode()
                if os.path.samestat(os.fstat(stream.fileno()), path.stat()):
                    return None
            # Another was put in its place since it was opened: look again.
    except (OSError, ValueError):
        return None


def published(lab: Path) -> dict[str, Any]:
    """Return what the controller at work in a lab (its folder) published last, empty when none is."""
    # A controller that was killed left its last word behind; only one that lives holds on to it.
    note = present(lab / "status.json", _MOST_STATUS)
    try:
        return dict(from_json(note or "{}"))
    except (ValueError, TypeError):  # nonsense: a stop must go on
        return {}
