"""Whether the campaign's models deserve trust: looked at after every result, and said, or acted upon, as its file asks."""

from __future__ import annotations

from controller.domain.campaign import CampaignStatus
from controller.domain.state import DISTRUST
from controller.engine.ledger import Ledger
from controller.learn.coverage import distrust

_WHAT_TO_DO = (
    "look at labwright campaign calibration, at the instruments, and at the results that it did not expect;"
    " retract those that are wrong"
)


class Trusting:
    """Compares what was predicted with what was measured.

    The alarm itself, in the log, says that what came before it is dealt with: after a crash as after a resumed pause, only
    experiments proposed since then count.

    Args:
        ledger: The campaign's books.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._seen: tuple[int, ...] = ()

    async def look(self) -> None:
        """Raise an alarm, and pause the campaign where it asks for that, when results lie outside what was predicted too often."""
        state, policy = self._ledger.state, self._ledger.definition.failures.distrust
        numbers = tuple(number for number, _ in state.judged if not state.history.is_retracted(number))
        if policy == "ignore" or numbers == self._seen:
            return
        self._seen = numbers
        reason = distrust(state.judged_results())
        if reason is None:
            return
        if policy == "pause" and state.status is CampaignStatus.RUNNING:
            await self._ledger.move_campaign(CampaignStatus.PAUSED, reason)
        await self._ledger.alarm(DISTRUST, f"{reason}: {_WHAT_TO_DO}")
