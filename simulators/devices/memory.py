"""What a simulated device itself remembers: which attempts it began, what comes of them, and when.

Hardware goes on when the process that speaks for it is killed. So a simulated device has a log of its own, `device.jsonl`, beside
the driver's journal: append-only, every line on the disk before anything is believed. The number of its `began` lines is what was
really carried out.
"""

from __future__ import annotations

import json
import os
import threading
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from pydantic import TypeAdapter

from instruments.bounded import from_json
from instruments.durable import flush
from instruments.protocol.values import shorten
from simulators.errors import DeviceLogError

Scalar = bool | int | float | str
_LONGEST_LINE = 4 * 1024 * 1024
"""An attempt and its values come in frames of one mebibyte at most [bytes]."""
_REMEDY = "move the file away to start with a new device"

SettingKey = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Begun:
    """An attempt that the device began; its result was decided then.

    Attributes:
        attempt: The controller's id of it.
        action: Name of the action.
        arguments: As they were carried out.
        at: When it began [s since 1970-01-01 UTC, lab time].
        ends_at: When it ends by itself; None when it hangs.
        values: What it returns; None when the device will report `fault`. A None among them is a value that is not a number.
        fault: What the device will report instead of values.
        retryable: Whether the fault may pass by itself.
        crashes_at: When the driver's process dies of it [lab time]; None for an attempt without a crash.
    """

    attempt: str
    action: str
    arguments: Mapping[str, Scalar]
    at: float
    ends_at: float | None
    values: Mapping[str, Scalar | None] | None
    fault: str | None = None
    retryable: bool = False
    crashes_at: float | None = None


_BEGUN: TypeAdapter[Begun] = TypeAdapter(Begun)


class DeviceMemory:
    """The log of one device, read at start and appended to; safe to use from several threads.

    What has ended is looked up in the log when somebody asks: in memory some twenty bytes are left of it, so that a device may be
    at work for years.

    Args:
        path: The log; made with its folder at the first line. None for a device that forgets when its process ends.

    Raises:
        DeviceLogError: If a line other than a torn last one cannot be read.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._open: dict[str, Begun] = {}
        self._aborted: set[str] = set()
        self._unwritten: dict[str, Begun] = {}
        """What has ended, where there is no log."""
        self._lines = _Index()
        self._settings = _Index()
        if path is not None and path.exists():
            self._load(path)

    def begun(self, attempt: str) -> Begun | None:
        """Return the attempt as it began, or None when it never did.

        Raises:
            DeviceLogError: If the log cannot be read any more.
        """
        with self._lock:  # the index is out of step while another thread enters what it begins
            found = self._open.get(attempt) or self._unwritten.get(attempt)
            lines = () if found is not None else self._lines.of(attempt)
        for begun in (self._read(at) for at in lines):
            if begun.attempt == attempt:
                return begun
        return found

    def aborted(self, attempt: str) -> bool:
        """Say whether the attempt was ended before its time."""
        return attempt in self._aborted

    def begin(
        self, attempt: str, action: str, arguments: Mapping[str, Scalar], decide: Callable[[int, int], Begun]
    ) -> Begun:
        """Begin an attempt: what comes of it is decided, and on the disk, before this returns.

        Args:
            attempt: Its id.
            action: Name of the action.
            arguments: Of the action.
            decide: Called with how often this very setting was begun before and how many attempts were begun in all.

        Returns:
            What `decide` returned.

        Raises:
            DeviceLogError: If the device began this attempt before: nothing may be carried out twice.
        """
        with self._lock:
            if self.begun(attempt) is not None:
                raise DeviceLogError(
                    f"{self.path}: attempt {attempt} was begun before; a device carries out each attempt once"
                )
            entry = decide(len(self._settings.of((action, setting_key(arguments)))), len(self._settings))
            fields = {name: getattr(entry, name) for name in Begun.__dataclass_fields__}
            self._begin(entry, self._append({"event": "began", **fields}))
        return entry

    def end(self, attempt: str, at: float) -> None:
        """Write down that an attempt ran its course; more than once changes nothing."""
        self._close(attempt, "ended", at)

    def abort(self, attempt: str, at: float) -> None:
        """Write down that an attempt was ended before its time; one that had run its course by then ended by itself."""
        begun = self._open.get(attempt)
        if begun is not None and begun.ends_at is not None and at >= begun.ends_at:
            self.end(attempt, begun.ends_at)
        else:
            self._close(attempt, "aborted", at)

    def _close(self, attempt: str, event: str, at: float) -> None:
        with self._lock:
            if attempt in self._open:
                self._append({"event": event, "attempt": attempt, "at": at, "values": self._open[attempt].values})
                self._end(attempt, event)

    def _begin(self, begun: Begun, line: int) -> None:
        self._open[begun.attempt] = begun
        self._settings.add((begun.action, setting_key(begun.arguments)), 0)
        if self.path is not None:
            self._lines.add(begun.attempt, line)

    def _end(self, attempt: str, event: str) -> None:
        begun = self._open.pop(attempt, None)
        if event == "aborted":
            self._aborted.add(attempt)
        if self.path is None and begun is not None:
            self._unwritten[attempt] = begun

    def _read(self, at: int) -> Begun:
        assert self.path is not None  # noqa: S101 - only what is in the log has a place there
        try:
            with self.path.open("rb") as stream:
                stream.seek(at)
                entry = from_json(stream.readline(_LONGEST_LINE))
                del entry["event"]
                return _BEGUN.validate_python(entry)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DeviceLogError(f"{self.path}: what was written at byte {at} cannot be read again ({error!r})") from error

    def _append(self, entry: dict[str, object]) -> int:
        """Write one line and return where it begins [byte]."""
        if self.path is None:
            return 0
        line = (json.dumps(entry, allow_nan=False, ensure_ascii=False, separators=(",", ":")) + "\n").encode()
        is_new = not self.path.exists()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab", buffering=0) as stream:
            size = stream.tell()
            try:
                written = stream.write(line)
                os.fsync(stream.fileno())
            except OSError as error:
                stream.truncate(size)
                raise DeviceLogError(f"{self.path}: cannot be written ({error.strerror}); is the disk full?") from error
            if written != len(line):
                stream.truncate(size)
                raise DeviceLogError(
                    f"{self.path}: only {written} of {len(line)} bytes could be written; is the disk full?"
                )
        if is_new:
            flush(self.path.parent)
        return size

    def _load(self, path: Path) -> None:
        at = 0
        with path.open("rb") as stream:
            for number in count(1):
                line = stream.readline(_LONGEST_LINE)
                if not line.endswith(b"\n"):
                    break
                try:
                    self._take(from_json(line), at)
                except (ValueError, KeyError, TypeError, ArithmeticError) as error:
                    why = shorten(" ".join(repr(error).split()), 200)
                    raise DeviceLogError(f"{path}:{number}: not a line of a device log ({why}); {_REMEDY}") from error
                at += len(line)
        if len(line) == _LONGEST_LINE:
            raise DeviceLogError(f"{path}:{number}: longer than any line of a device log ({_LONGEST_LINE} bytes); {_REMEDY}")
        if line:
            # A crash between write and fsync: the action had not begun, for it begins after the line is on the disk.
            os.truncate(path, at)

    def _take(self, entry: object, at: int) -> None:
        if not isinstance(entry, dict):
            raise TypeError(f"{type(entry).__name__} instead of an object")
        event, attempt = str(entry.pop("event")), str(entry["attempt"])
        if event == "began":
            self._begin(_BEGUN.validate_python(entry), at)
        elif event in ("ended", "aborted"):
            self._end(attempt, event)
        else:
            raise ValueError(f"unknown event {event!r}")


class _Index:
    """Numbers by keys, sixteen bytes for each: of a key only its hash is kept, so the number of another may be among them."""

    def __init__(self) -> None:
        self._hashes = array("q")
        self._numbers = array("q")

    def __len__(self) -> int:
        return len(self._hashes)

    def add(self, key: object, number: int) -> None:
        """Keep another number of `key`."""
        hashed = hash(key)
        at = bisect_right(self._hashes, hashed)
        self._hashes.insert(at, hashed)
        self._numbers.insert(at, number)

    def of(self, key: object) -> Sequence[int]:
        """Return the numbers of `key`, oldest first."""
        hashed = hash(key)
        return self._numbers[bisect_left(self._hashes, hashed) : bisect_right(self._hashes, hashed)]


def setting_key(setting: Mapping[str, Scalar]) -> SettingKey:
    """Return what makes two settings the same: numbers to nine significant digits, text as it is, in order of the names."""
    return tuple((name, scalar_key(setting[name])) for name in sorted(setting))


def scalar_key(value: Scalar) -> str:
    """Return the text that equal values share: `1`, `1.0` and 0.99999999999 are equal, the text "1" is equal to none of them."""
    if isinstance(value, str):
        return f"text {value}"
    # Adding zero turns -0.0 into 0.0.
    return f"{float(f'{float(value):.9g}') + 0.0!r}"
