"""What an action gets besides its arguments: lab time, progress, and the wish to end early."""

from __future__ import annotations

import asyncio
import io
import mimetypes
import os
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from instruments.clock import Clock
from instruments.errors import ActionCancelledError, RawFileError
from instruments.protocol.values import MOST_RAW_FILES, RawFile
from instruments.rawfiles import FILES, FileShelf, digest


class ActionContext:
    """Handed to every action as its first argument. Safe to use from the action's thread or coroutine.

    Attributes:
        attempt: The attempt's id.
        clock: Lab time.
        started_at: When the attempt began [lab time]; for a recover hook, when the earlier process began it.
        deadline_s: How long it may take from then on [lab s]; None where nobody says.
    """

    def __init__(
        self,
        attempt: str,
        clock: Clock,
        *,
        started_at: float | None = None,
        deadline_s: float | None = None,
        on_progress: Callable[[float, str], None] | None = None,
        folder: Path | None = None,
    ) -> None:
        self.attempt = attempt
        self.clock = clock
        self.started_at = clock.time() if started_at is None else started_at
        self.deadline_s = deadline_s
        self._on_progress = on_progress
        self._folder = folder
        self._kept: dict[str, RawFile] = {}
        self._keeping = threading.Lock()
        self._cancelled = threading.Event()
        self._why = "cancelled"

    @property
    def cancelled(self) -> bool:
        """Whether the action was asked to end: by a cancellation, a stop or its deadline."""
        return self._cancelled.is_set()

    @property
    def why_cancelled(self) -> str:
        """Why it was asked to end: `cancelled`, `stopped`, or a sentence about its deadline."""
        return self._why

    def check(self) -> None:
        """Raise `ActionCancelledError` if the action was asked to end; call it between steps of a long action."""
        if self._cancelled.is_set():
            raise ActionCancelledError(f"attempt {self.attempt} was asked to end: {self._why}")

    def progress(self, fraction: float, note: str = "") -> None:
        """Tell how far the action has come.

        Args:
            fraction: From 0 to 1.
            note: For people.
        """
        if self._on_progress is not None:
            self._on_progress(float(fraction), note)

    @property
    def kept(self) -> tuple[RawFile, ...]:
        """The raw files that were kept so far."""
        return tuple(self._kept.values())

    def keep(
        self, source: str | os.PathLike[str] | bytes, *, name: str | None = None, media_type: str | None = None
    ) -> RawFile:
        """Keep a spectrum, an image or any other file with what the action measures; it is on the disk when this returns.

        The result carries its name, size and SHA-256, and the controller takes the file over where it is on the same machine. What
        was kept by an action that then fails stays with the driver. In an async action: `await asyncio.to_thread(ctx.keep, ...)`.
        Without a journal on the disk (in a unit test of a driver) a file is only looked at.

        Args:
            source: Path of a file, which is copied, or its content.
            name: For people, such as `spectrum.csv`; the file's own when left out. Each name once in an action.
            media_type: Such as `text/csv`; guessed from the name when left out.

        Returns:
            What stands for the file.

        Raises:
            RawFileError: If there is no such file, it is too large, name or media type cannot be one, or nothing can be written.
        """
        name = name or ("" if isinstance(source, bytes) else Path(source).name)
        try:
            # Checked before anything is written; a file without content has the hash of nothing.
            kind = media_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
            blank = RawFile(name=name, sha256="0" * 64, size=0, media_type=kind)
        except ValidationError as error:
            raise RawFileError(_unfit(name, media_type, str(error.errors()[0]["loc"][0])), retryable=False) from None
        with self._keeping:
            try:
                sha256, size = self._put(source)
            except RawFileError as error:
                raise RawFileError(f"raw file {name!r}: {error}", retryable=False) from None
            except OSError as error:
                raise RawFileError(f"raw file {name!r} cannot be kept: {error}", retryable=False) from error
            made = blank.model_copy(update={"sha256": sha256, "size": size})
            if self._kept.get(name, made) != made:
                raise RawFileError(f"raw file {name!r}: this action has kept another file of that name", retryable=False)
            if name not in self._kept and len(self._kept) >= MOST_RAW_FILES:
                raise RawFileError(f"raw file {name!r}: an action keeps {MOST_RAW_FILES} files at most", retryable=False)
            self._kept[name] = made
        return made

    def _put(self, source: str | os.PathLike[str] | bytes) -> tuple[str, int]:
        if not isinstance(source, bytes) and not stat.S_ISREG(Path(source).stat().st_mode):  # a pipe would be waited for
            raise RawFileError(f"{os.fspath(source)} is no plain file")
        with io.BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb") as stream:
            return digest(stream) if self._folder is None else FileShelf(self._folder / FILES).put(stream)

    def sleep(self, seconds: float) -> None:
        """Block for `seconds` of lab time, in a plain (not async) action.

        Raises:
            ActionCancelledError: At once when the action is asked to end.
        """
        self._cancelled.wait(max(0.0, seconds) / self.clock.speed)
        self.check()

    async def asleep(self, seconds: float) -> None:
        """Wait for `seconds` of lab time, in an async action.

        Raises:
            ActionCancelledError: Soon after the action is asked to end.
        """
        end = time.monotonic() + max(0.0, seconds) / self.clock.speed
        while True:
            self.check()
            left = end - time.monotonic()
            if left <= 0.0:
                return
            await asyncio.sleep(min(left, 0.05))  # the wish comes from another thread: looked for often

    def cancel(self, why: str) -> None:
        """Ask the action to end; the host calls this."""
        self._why = why
        self._cancelled.set()


def _unfit(name: str, media_type: str | None, what: str) -> str:
    if what == "media_type":
        return f"raw file {name[:128]!r}: {media_type!r} is no media type; expected one such as text/csv"
    return (
        f"{name[:200]!r} cannot name a raw file; expected up to 128 letters, digits, spaces and _ . + @ = , ( ) -, "
        "without a folder, beginning with a letter, a digit or _"
    )
