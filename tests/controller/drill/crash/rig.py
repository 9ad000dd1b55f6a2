"""A device to be treated badly: it takes a while, notes what it began, and goes on when its driver dies."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from instruments.protocol.capabilities import Consequence
from instruments.sdk.action import Action
from instruments.sdk.context import ActionContext
from instruments.sdk.driver import Driver
from instruments.sdk.quantity import Quantity
from instruments.sdk.recovery import Recovery

SECONDS = 2.0
"""How long an action takes [virtual s]; by a clock that nobody can set, as in a real device."""
INSTRUMENT = "rig"
ACTION = "act"


class DeviceLog:
    """What the device itself writes down: when it began each attempt. A torn line stands alone between its newlines."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def begin(self, attempt: str, action: str, arguments: Mapping[str, Any], decide: Any) -> None:
        """Note that an attempt is begun; the rehearsal puts itself in front of this to look on."""
        del arguments, decide
        with self._path.open("ab") as file:
            file.write(("\n" + json.dumps({"attempt": attempt, "action": action, "at": time.monotonic()}) + "\n").encode())

    def began_at(self, attempt: str) -> float | None:
        """Return when an attempt was begun [virtual s], None if it never was."""
        for line in self._path.read_bytes().splitlines() if self._path.exists() else ():
            try:
                noted = json.loads(line)
            except ValueError:
                continue
            if noted["attempt"] == attempt:
                return float(noted["at"])
        return None


class Rig(Driver):
    """Does one thing, of any consequence.

    Args:
        consequence: What repeating an interrupted action would mean.
    """

    simulated: ClassVar[bool] = True

    def __init__(self, *, consequence: Consequence) -> None:
        self._consequence: Consequence = consequence
        self._memory: DeviceLog | None = None

    @property
    def memory(self) -> DeviceLog:
        """What the device remembers."""
        if self._memory is None:
            assert self.folder is not None
            self._memory = DeviceLog(self.folder / "device.jsonl")
        return self._memory

    def actions(self) -> Mapping[str, Action]:
        """Return the one action; its `recover` hook asks the device."""

        async def act(ctx: ActionContext, x: float) -> dict[str, float]:
            self.memory.begin(ctx.attempt, ACTION, {"x": x}, None)
            await ctx.asleep(SECONDS)
            return {"y": 1.0 - x}

        def recover(ctx: ActionContext, x: float) -> Recovery:
            began = self.memory.began_at(ctx.attempt)
            if began is None:
                return Recovery.never_began()

            async def follow() -> dict[str, float]:
                await ctx.asleep(began + SECONDS - time.monotonic())
                return {"y": 1.0 - x}

            return Recovery.going(follow)

        x, y = {"x": Quantity(low=0, high=1)}, {"y": Quantity()}
        return {ACTION: Action(ACTION, act, x, y, (SECONDS, 10 * SECONDS), self._consequence, recover)}
