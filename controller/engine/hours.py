"""How long a campaign has been at work: what `budget.hours` limits.

Counted by a clock that nobody can set, while a controller works on the campaign and it is running; neither a wall clock that jumps
nor days without a controller use the budget up. What was counted is an event now and then, so that the next controller goes on
from there; a kill loses what came after the last one.
"""

from __future__ import annotations

from controller.domain.campaign import Budget
from controller.domain.state import CampaignState
from instruments.clock import Clock

_LEAST_S = 60.0
_SHARE = 1e-3
"""Time is noted every minute [real], or every thousandth of the budget where that is longer: so much a kill can lose of it."""


class Worked:
    """Counts the lab time of one campaign's work. Used from one event loop.

    Args:
        state: Of the campaign; knows what earlier controllers counted.
        clock: Lab time.
    """

    def __init__(self, state: CampaignState, clock: Clock) -> None:
        self._state, self._clock = state, clock
        self._before = state.worked_s
        self._since: float | None = None

    @property
    def seconds(self) -> float:
        """Lab time that the campaign has been at work in all [s]."""
        return self._before + (0.0 if self._since is None else self._clock.monotonic() - self._since)

    def count(self, at_work: bool, budget: Budget) -> float | None:
        """Go on counting, or pause it; return the seconds to note in the books now, None while there is no need.

        Args:
            at_work: Whether it is from now on.
            budget: Of the campaign; without a limit of hours nothing needs to be noted.
        """
        worked = self.seconds
        paused = self._since is not None and not at_work
        self._before, self._since = worked, self._clock.monotonic() if at_work else None
        if budget.hours is None:
            return None
        unnoted = worked - self._state.worked_s
        due = max(_LEAST_S * self._clock.speed, budget.hours * 3600.0 * _SHARE)
        return worked if unnoted >= due or (paused and unnoted > 0.0) else None
