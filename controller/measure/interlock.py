"""One interlock as a pure state machine: when to read, and what a reading, or the lack of one, means.

Fail safe: before the first good reading, after a failed one and when the last one has grown old, dispatch is held.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from controller.domain.constraint import LinearConstraint, parse_constraint
from controller.domain.lab import InterlockSpec
from instruments.protocol.values import Outcome, Scalar, Succeeded

SHORTEST_PAUSE_S = 0.2
"""Never read more often than this, however fast the lab's clock runs [real s]."""
SHORTEST_PATIENCE_S = 2.0
"""The wire and the driver's journal take real time, however fast the lab's clock runs [real s]."""

State = Literal["unread", "good", "bad", "failed", "stale"]


class Interlock:
    """What is known of one interlock. Times are real monotonic [s].

    Args:
        spec: The interlock.
        speed: Lab seconds per real second.
        now: When it began to be watched.
    """

    def __init__(self, spec: InterlockSpec, speed: float, now: float) -> None:
        self.spec = spec
        self.pause_s = max(spec.every / speed, SHORTEST_PAUSE_S)
        self.patience_s = max((spec.patience or 3.0 * spec.every) / speed, SHORTEST_PATIENCE_S, 2.0 * self.pause_s)
        self.tripped = False
        """Whether the last reading that came was a bad one."""
        self.values: dict[str, Scalar] = {}
        """The last reading."""
        self._conditions = [parse_constraint(text) for text in spec.require]
        self._asked_at: float | None = None
        self._next_at = now
        self._read_at = now
        self._state: State = "unread"
        self._why = "it has not been read yet"

    def due(self, now: float) -> bool:
        """Say whether it should be read now; a reading without an answer is given up after the patience."""
        if self._asked_at is not None and now - self._asked_at < self.patience_s:
            return False
        return now >= self._next_at

    def asked(self, now: float) -> None:
        """Note that a reading is under way."""
        self._asked_at = now
        self._next_at = now + self.pause_s

    def take(self, outcome: Outcome, now: float) -> bool:
        """Take a reading in.

        Args:
            outcome: What the action returned.
            now: Real monotonic time [s].

        Returns:
            Whether it is a bad one and none was bad before: the interlock has just tripped.
        """
        if not isinstance(outcome, Succeeded):
            self.fail(f"it cannot be read: {outcome.message}", now)
            return False
        self._asked_at, self._read_at = None, now
        self.values = {name: measured.value for name, measured in outcome.values.items()}
        wrong = next((why for c in self._conditions if (why := _violated(c, self.values)) is not None), None)
        self._state, self._why = ("good", "") if wrong is None else ("bad", wrong)
        just_now = wrong is not None and not self.tripped
        self.tripped = wrong is not None
        return just_now

    def fail(self, why: str, now: float) -> None:
        """Note that it could not be read."""
        self._asked_at = None
        self._next_at = max(self._next_at, now + self.pause_s)
        if self._state != "unread" or now - self._read_at > self.patience_s:
            self._state = "failed"
        self._why = why

    def state(self, now: float) -> State:
        """Return how it stands."""
        if self._state in ("good", "unread") and now - self._read_at > self.patience_s:
            return "stale"
        return self._state

    def reason(self, now: float) -> str | None:
        """Return why dispatch is held, or None while the last reading is good and fresh."""
        state = self.state(now)
        if state == "good":
            return None
        if state == "stale" and self._state == "good":
            return f"interlock {self.spec.interlock}: no reading for {self.patience_s:.3g} s"
        return f"interlock {self.spec.interlock}: {self._why}"

    def alarming(self, now: float) -> bool:
        """Say whether a person should hear of it: not while the first reading is still to come."""
        return self.state(now) != "unread"


def _violated(condition: LinearConstraint, values: Mapping[str, Scalar]) -> str | None:
    """Return why a condition does not hold, None if it does; no tolerance: a limit is a limit."""
    names = [name for name, _ in condition.coefficients]
    missing = [name for name in names if name not in values]
    if missing:
        return f"the reading has no {', '.join(missing)}, which {condition.text} needs"
    words = [name for name in names if isinstance(values[name], str)]
    if words:
        return f"{words[0]} is {values[words[0]]!r}, {condition.text} needs a number"
    if condition.allows(values, tolerance=0.0):
        return None
    return ", ".join(f"{name} is {_shown(values[name])}" for name in names) + f", required is {condition.text}"


def _shown(value: Scalar) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
