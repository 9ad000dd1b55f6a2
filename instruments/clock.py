"""Clocks: lab time for actions and deadlines, which a simulated lab may let run faster than real time."""

from __future__ import annotations

import asyncio
import math
import time
from typing import Protocol, runtime_checkable

from instruments.errors import ClockError


@runtime_checkable
class Clock(Protocol):
    """Lab time. Everything that waits for the lab takes one of these.

    Wire timing (heartbeats, leases) does not: processes are real, whatever the lab pretends.
    """

    @property
    def speed(self) -> float:
        """Lab seconds that pass in one real second."""
        ...

    def time(self) -> float:
        """Return lab time [s since the Unix epoch]."""
        ...

    def monotonic(self) -> float:
        """Return lab seconds since an arbitrary moment; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of lab time without blocking the loop."""
        ...

    def sleep_sync(self, seconds: float) -> None:
        """Block the calling thread for `seconds` of lab time."""
        ...

    def to_text(self) -> str:
        """Return the form that `clock_from_text` reads, for another process's command line."""
        ...


class SystemClock:
    """Lab time is real time."""

    @property
    def speed(self) -> float:
        """Lab seconds that pass in one real second: one."""
        return 1.0

    def time(self) -> float:
        """Return lab time [s since the Unix epoch]."""
        return time.time()

    def monotonic(self) -> float:
        """Return lab seconds since an arbitrary moment; never goes back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` without blocking the loop."""
        await asyncio.sleep(max(0.0, seconds))

    def sleep_sync(self, seconds: float) -> None:
        """Block the calling thread for `seconds`."""
        time.sleep(max(0.0, seconds))

    def to_text(self) -> str:
        """Return `system`."""
        return "system"


class ScaledClock:
    """Lab time that runs `speed` times faster than real time.

    Processes that share the three numbers share one lab time.

    Args:
        speed: Lab seconds per real second, above zero.
        epoch_real: The real moment [s since the Unix epoch] at which lab time was `epoch_lab`; now when left out.
        epoch_lab: Lab time at that moment [s since the Unix epoch]; the same number when left out.

    Raises:
        ClockError: If `speed` is not a positive finite number.
    """

    def __init__(self, speed: float, epoch_real: float | None = None, epoch_lab: float | None = None) -> None:
        if not 0.0 < speed < float("inf"):
            raise ClockError(f"a clock needs a speed above zero, got {speed=}; 1.0 is real time")
        self._speed = float(speed)
        self._epoch_real = time.time() if epoch_real is None else float(epoch_real)
        self._epoch_lab = self._epoch_real if epoch_lab is None else float(epoch_lab)

    @property
    def speed(self) -> float:
        """Lab seconds that pass in one real second."""
        return self._speed

    def time(self) -> float:
        """Return lab time [s since the Unix epoch]."""
        return self._epoch_lab + (time.time() - self._epoch_real) * self._speed

    def monotonic(self) -> float:
        """Return lab seconds since an arbitrary moment; never goes back."""
        return time.monotonic() * self._speed

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of lab time without blocking the loop."""
        await asyncio.sleep(max(0.0, seconds) / self._speed)

    def sleep_sync(self, seconds: float) -> None:
        """Block the calling thread for `seconds` of lab time."""
        time.sleep(max(0.0, seconds) / self._speed)

    def to_text(self) -> str:
        """Return `speed@epoch_real@epoch_lab`."""
        return f"{self._speed!r}@{self._epoch_real!r}@{self._epoch_lab!r}"


def clock_from_text(text: str) -> Clock:
    """Read a clock from its text form.

    Args:
        text: `system`, `speed`, or `speed@epoch_real@epoch_lab`.

    Returns:
        The clock.

    Raises:
        ClockError: If the text is none of these.
    """
    if text in ("", "system"):
        return SystemClock()
    parts = text.split("@")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if not all(map(math.isfinite, numbers)):
        numbers = []
    if len(numbers) == 1:
        return ScaledClock(numbers[0])
    if len(numbers) == 3:
        return ScaledClock(numbers[0], numbers[1], numbers[2])
    raise ClockError(f"cannot read clock {text[:80]!r}: expected 'system', 'SPEED' or 'SPEED@EPOCH_REAL@EPOCH_LAB'")
