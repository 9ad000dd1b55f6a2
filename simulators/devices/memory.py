"""What a simulated device itself remembers: which attempts it began, what comes of them, and when.

Hardware goes on when the process that speaks for it is killed. So a simulated device has a log of its own, `device.jsonl`, beside
the driver's journal: append-only, every line on the disk before anything is believed. The number of its `began` lines is what was
really carried out.
"""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from simulators.errors import DeviceLogError

Scalar = bool | int | float | str
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


class DeviceMemory:
    """The log of one device, read at start and appended to; safe to use from several threads.

    Args:
        path: The log; made with its folder at the first line. None for a device that forgets when its process ends.

    Raises:
        DeviceLogError: If a line other than a torn last one cannot be read.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._begun: dict[str, Begun] = {}
        self._ended: dict[str, str] = {}
        self._times: Counter[tuple[str, SettingKey]] = Counter()
        if path is not None and path.exists():
            self._load(path)

    def begun(self, attempt: str) -> Begun | None:
        """Return the attempt as it began, or None when it never did."""
        return self._begun.get(attempt)

    def aborted(self, attempt: str) -> bool:
        """Say whether the attempt was ended before its time."""
        return self._ended.get(attempt) == "aborted"

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
        setting = (action, setting_key(arguments))
        with self._lock:
            if attempt in self._begun:
                raise DeviceLogError(
                    f"{self.path}: attempt {attempt} was begun before; a device carries out each attempt once"
                )
            entry = decide(self._times[setting], len(self._begun))
            self._append({"event": "began", **{name: getattr(entry, name) for name in Begun.__dataclass_fields__}})
            self._begun[attempt] = entry
            self._times[setting] += 1
        return entry

    def end(self, attempt: str, at: float) -> None:
        """Write down that an attempt ran its course; more than once changes nothing."""
        self._close(attempt, "ended", at)

    def abort(self, attempt: str, at: float) -> None:
        """Write down that an attempt was ended before its time; one that had run its course by then ended by itself."""
        begun = self._begun.get(attempt)
        if begun is not None and begun.ends_at is not None and at >= begun.ends_at:
            self.end(attempt, begun.ends_at)
        else:
            self._close(attempt, "aborted", at)

    def _close(self, attempt: str, event: str, at: float) -> None:
        with self._lock:
            if attempt in self._begun and attempt not in self._ended:
                self._append({"event": event, "attempt": attempt, "at": at, "values": self._begun[attempt].values})
                self._ended[attempt] = event

    def _append(self, entry: dict[str, object]) -> None:
        if self.path is None:
            return
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
            _sync_folder(self.path.parent)

    def _load(self, path: Path) -> None:
        data = path.read_bytes()
        whole, newline, torn = data.rpartition(b"\n")
        if torn:
            # A crash between write and fsync: the action had not begun, for it begins after the line is on the disk.
            os.truncate(path, len(whole) + len(newline))
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                self._take(json.loads(line))
            except (ValueError, KeyError, TypeError) as error:
                raise DeviceLogError(
                    f"{path}:{number}: not a line of a device log ({error!r}); move the file away to start with a new device"
                ) from error

    def _take(self, entry: dict[str, object]) -> None:
        event, attempt = str(entry.pop("event")), str(entry["attempt"])
        if event == "began":
            begun = Begun(**entry)  # type: ignore[arg-type]
            self._begun[attempt] = begun
            self._times[begun.action, setting_key(begun.arguments)] += 1
        elif event in ("ended", "aborted"):
            self._ended[attempt] = event
        else:
            raise ValueError(f"unknown event {event!r}")


def _sync_folder(folder: Path) -> None:
    """Make the name of a new file durable as well as its content."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def setting_key(setting: Mapping[str, Scalar]) -> SettingKey:
    """Return what makes two settings the same: numbers to nine significant digits, text as it is, in order of the names."""
    return tuple((name, scalar_key(setting[name])) for name in sorted(setting))


def scalar_key(value: Scalar) -> str:
    """Return the text that equal values share: `1`, `1.0` and 0.99999999999 are equal, the text "1" is equal to none of them."""
    if isinstance(value, str):
        return f"text {value}"
    # Adding zero turns -0.0 into 0.0.
    return f"{float(f'{float(value):.9g}') + 0.0!r}"
