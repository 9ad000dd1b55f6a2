"""What an action gets besides its arguments: lab time, progress, and the wish to end early."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

from instruments.clock import Clock
from instruments.errors import ActionCancelledError


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
    ) -> None:
        self.attempt = attempt
        self.clock = clock
        self.started_at = clock.time() if started_at is None else started_at
        self.deadline_s = deadline_s
        self._on_progress = on_progress
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
