"""The driver that benchmarks of the wire use: one action that takes no time, so that only Labwright's own work is measured."""

from __future__ import annotations

from instruments.sdk.action import action
from instruments.sdk.context import ActionContext
from instruments.sdk.driver import Driver
from instruments.sdk.quantity import Quantity


class Touching(Driver):
    """A device that answers at once."""

    simulated = True
    twin = None

    @action(duration=(0.0, 60.0), consequence="consumes", returns={"value": Quantity()})
    async def touch(self, ctx: ActionContext, level: float = 0.0) -> dict[str, float]:
        """Return the level."""
        return {"value": level}
