"""Virtual time: an event loop that never waits, and a clock that only moves when everything waits.

A schedule of minutes takes milliseconds, and the same seed gives the same schedule, for nothing happens in threads and no
real clock is read.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import selectors
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar
from unittest import mock

from controller.domain.ids import ids_from

T = TypeVar("T")
_EPOCH = 1_700_000_000.0


class VirtualTime:
    """Seconds that pass only while the loop has nothing to do."""

    def __init__(self) -> None:
        self._now = 1000.0
        self._offset = _EPOCH

    def monotonic(self) -> float:
        """Return seconds since an arbitrary moment."""
        return self._now

    def time(self) -> float:
        """Return what a clock on the wall shows [s since the Unix epoch]."""
        return self._now + self._offset

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self._now += max(0.0, seconds)

    def jump(self, seconds: float) -> None:
        """Set the clock on the wall forward or back, as an administrator or a time server does."""
        self._offset += seconds


class _Selector(selectors.SelectSelector):
    def __init__(self, clock: VirtualTime) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("everything waits for something that will never come")
        if not ready and timeout:
            self._clock.pass_by(timeout)
        return ready


class _Loop(asyncio.SelectorEventLoop):
    """What would run in a thread runs where it stands."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]  # Any for its type variables
        """See `asyncio.loop.run_in_executor`."""
        del executor
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # whoever waits for it gets it
            future.set_exception(error)
        return future


@contextlib.contextmanager
def _as_if(clock: VirtualTime, rng: random.Random) -> Iterator[None]:
    def uuid4() -> uuid.UUID:
        return uuid.UUID(int=rng.getrandbits(128), version=4)

    def id_by_time() -> str:
        return str(uuid.UUID(int=(int(clock.time() * 1000) << 80) | rng.getrandbits(80)))

    with (
        mock.patch.multiple(time, time=clock.time, monotonic=clock.monotonic, sleep=clock.pass_by),
        mock.patch.object(uuid, "uuid4", uuid4),
        ids_from(id_by_time),
    ):
        yield


def run(make: Callable[[VirtualTime], Coroutine[Any, Any, T]], rng: random.Random) -> T:
    """Run a coroutine in virtual time and return its result.

    Meanwhile the process's own `time.time`, `time.monotonic`, `time.sleep`, `uuid.uuid4` and ids are virtual as well, so nothing
    else may run in the process.

    Args:
        make: Makes the coroutine, given the clock.
        rng: Where ids come from.
    """
    clock = VirtualTime()
    with _as_if(clock, rng):
        loop = _Loop(_Selector(clock))
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            return runner.run(make(clock))
