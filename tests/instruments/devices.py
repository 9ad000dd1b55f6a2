"""Small drivers for tests: a device that lives in a file, so that what it really did outlasts its driver's process."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from instruments.errors import DeviceFaultError
from instruments.sdk.action import action
from instruments.sdk.context import ActionContext
from instruments.sdk.driver import Driver
from instruments.sdk.quantity import Measured, Quantity, Returned
from instruments.sdk.recovery import Recovery


class Bench(Driver):
    """A device with one action of each sort. Every physical act is a line in its log."""

    simulated = True
    twin = None

    def __init__(self, *, log: str = "", fragile: bool = False) -> None:
        self._log = Path(log) if log else None
        self._fragile = fragile
        self.acts: list[tuple[str, str]] = []
        self.stops = 0
        self.safe = 0

    def stop(self) -> None:
        self.stops += 1
        self._note("", "stop")

    def go_safe(self) -> None:
        self.safe += 1

    @action(
        duration=(1.0, 60.0),
        consequence="consumes",
        returns={"yield": Quantity("percent"), "hot": Quantity(kind="bool")},
    )
    async def react(
        self,
        ctx: ActionContext,
        temperature: Annotated[float, Quantity("degC", low=20, high=150)],
        tau: Annotated[float, Quantity("min", low=0.0, high=5)] = 0.0,
    ) -> Mapping[str, Returned]:
        """Heat and wait."""
        self._note(ctx.attempt, "react")
        ctx.progress(0.5, "half")
        await ctx.asleep(tau * 60.0)
        return {"yield": Measured(temperature / 2.0, sem=0.5), "hot": temperature > 100.0}

    @action(duration=(1.0, 60.0), consequence="repeatable", returns={"slept": Quantity("s")})
    def block(self, ctx: ActionContext, seconds: Annotated[float, Quantity("s", low=0, high=60)]) -> dict[str, float]:
        """Block a thread, deaf to every wish to end."""
        self._note(ctx.attempt, "block")
        time.sleep(seconds)
        return {"slept": seconds}

    @action(duration=(1.0, 60.0), consequence="irreversible", returns={"cuts": Quantity(kind="int")})
    def cut(self, ctx: ActionContext, seconds: Annotated[float, Quantity("s", low=0, high=60)] = 0.0) -> dict[str, int]:
        """Cut once; its log can tell afterwards whether it did."""
        self._note(ctx.attempt, "cut")
        ctx.sleep(seconds)
        return {"cuts": 1}

    @cut.recover
    def recover_cut(self, ctx: ActionContext, seconds: float) -> Recovery:
        done = any(attempt == ctx.attempt for attempt, _ in self.read_log())
        return Recovery.finished({"cuts": 1}) if done else Recovery.never_began()

    @action(duration=(1.0, 60.0), consequence="safe", returns={"value": Quantity()})
    async def misbehave(self, ctx: ActionContext, how: str) -> Any:
        """Fail in the way asked for."""
        if how == "nan":
            return {"value": float("nan")}
        if how == "missing":
            return {}
        if how == "device":
            raise DeviceFaultError("pump 2 is blocked", retryable=True)
        if how == "bug":
            raise KeyError("oops")
        if how == "hog":
            time.sleep(2.0)  # noqa: ASYNC251 - an async action that blocks its loop is what is being tested
        if how == "die":
            os._exit(9)
        await asyncio.sleep(0)
        return {"value": 1.0}

    def read_log(self) -> list[tuple[str, str]]:
        """Return (attempt, act) of everything the device ever did."""
        if self._log is None:
            return list(self.acts)
        return read_acts(self._log)

    def _note(self, attempt: str, act: str) -> None:
        self.acts.append((attempt, act))
        if self._log is not None:
            with self._log.open("a") as file:
                file.write(json.dumps([attempt, act]) + "\n")


def read_acts(log: Path) -> list[tuple[str, str]]:
    """Return (attempt, act) of everything in a device's log."""
    if not log.exists():
        return []
    return [(attempt, act) for attempt, act in map(json.loads, log.read_text().splitlines())]
