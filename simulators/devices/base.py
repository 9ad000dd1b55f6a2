"""The base of every simulated driver: a device with its own memory and its own bad days."""

from __future__ import annotations

import math
import os
import random
import signal
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

from instruments.errors import ActionCancelledError, DeviceFaultError
from instruments.protocol.capabilities import Consequence
from instruments.sdk.action import Action, Duration
from instruments.sdk.context import ActionContext
from instruments.sdk.driver import Driver
from instruments.sdk.quantity import Quantity
from instruments.sdk.recovery import Recovery
from simulators.devices.memory import Begun, DeviceMemory, Scalar, setting_key
from simulators.faults import FaultPlan, decide, seeded

Values = dict[str, Scalar]
Respond = Callable[[Mapping[str, Scalar], random.Random], Values]
"""Returns what an action measures, from its arguments and the attempt's own generator; raises `DeviceFaultError` where the device
would report a fault."""

_LOOK_S = 0.1
"""How often a waiting action looks whether the device was stopped [real s]."""


def spare_time(typical: float) -> float:
    """Return how much longer than `typical` an action may take before it counts as late [lab s]."""
    # The floor is for the host: its disk and a busy processor take real time, however short the simulated action is.
    return max(0.25 * typical, 30.0)


class SimulatedDriver(Driver):
    """Speaks for a device that is not there.

    What comes of an attempt is decided when the device begins it, from the seed, the setting and how often that setting was carried
    out before, and is written to the device's log before anything else happens. So the driver's process may be killed at any
    moment: the restarted one asks the device, and follows the attempt to the same end.

    Args:
        seed: Of noise and faults; two instruments of one lab should differ in it.
        faults: How often what goes wrong, see `FaultPlan`; none when left out.
        log: The device's own log; `device.jsonl` beside the driver's journal when left out. Without either the device forgets
            when its process ends.
    """

    simulated: ClassVar[bool] = True

    def __init__(self, *, seed: int = 0, faults: FaultPlan | None = None, log: str | None = None) -> None:
        self.seed = seed
        # Also as plain data, so that the class can be made straight from a lab file's options.
        self.faults = FaultPlan.model_validate(faults or {})
        self._log = Path(log) if log else None
        self._memory: DeviceMemory | None = None
        self._running: dict[str, ActionContext] = {}
        self._lock = threading.Lock()

    @property
    def memory(self) -> DeviceMemory:
        """What the device remembers; read from its log at the first use, so that making a driver touches no file.

        Raises:
            DeviceLogError: If the log is damaged.
        """
        with self._lock:
            if self._memory is None:
                beside = None if self.folder is None else self.folder / "device.jsonl"
                self._memory = DeviceMemory(self._log or beside)
            return self._memory

    def setup(self) -> None:
        """Read the device's log; a damaged one keeps the instrument from being ready, with the reason."""
        _ = self.memory

    def stop(self) -> None:
        """End whatever the device does."""
        with self._lock:
            running = list(self._running.items())
        for attempt, ctx in running:
            self.memory.abort(attempt, ctx.clock.time())

    def simulated_action(
        self,
        name: str,
        respond: Respond,
        *,
        arguments: Mapping[str, Quantity],
        returns: Mapping[str, Quantity],
        duration: Duration,
        consequence: Consequence,
        description: str = "",
    ) -> Action:
        """Return an action that the device carries out by itself once begun.

        Args:
            name: Its name.
            respond: What it measures.
            arguments: What it takes.
            returns: What it returns.
            duration: (typical, longest) [lab s], or a function of the arguments.
            consequence: What repeating it would mean.
            description: For people.
        """

        async def handler(ctx: ActionContext, **given: Scalar) -> Values:
            # A process killed between the device's log and its own journal sends the device what it has begun already.
            begun = self.memory.begun(ctx.attempt) or self.memory.begin(
                ctx.attempt,
                name,
                given,
                lambda times, before: self._decide(ctx, action, given, respond, times, before),
            )
            return await self._follow(ctx, begun, may_crash=True)

        def recover(ctx: ActionContext, **given: Scalar) -> Recovery:
            del given
            begun = self.memory.begun(ctx.attempt)
            if begun is None:
                return Recovery.never_began()
            return Recovery.going(lambda: self._follow(ctx, begun, may_crash=False))

        action = Action(name, handler, arguments, returns, duration, consequence, recover, description)
        return action

    def _decide(
        self,
        ctx: ActionContext,
        action: Action,
        arguments: Mapping[str, Scalar],
        respond: Respond,
        times: int,
        before: int,
    ) -> Begun:
        """Decide at its beginning what comes of an attempt."""
        identity = (self.seed, type(self).__name__, action.name, setting_key(arguments), times)
        fate = decide(self.faults, seeded("faults", *identity), before)
        fault: str | None = None
        values: dict[str, Scalar | None] | None = None
        if fate.fails:
            fault = f"{action.name}: simulated fault (repeat {times + 1} of this setting)"
        else:
            try:
                values = dict(respond(arguments, seeded("values", *identity)))
            except DeviceFaultError as error:
                fault = str(error)
        if values is not None:
            for key, value in values.items():
                if isinstance(value, float):
                    spoilt = fate.is_nan or not math.isfinite(value)
                    values[key] = None if spoilt else value * fate.gain
        at = ctx.clock.time()
        lasts = action.duration_for(arguments)[0] * fate.slowdown
        return Begun(
            attempt=ctx.attempt,
            action=action.name,
            arguments=dict(arguments),
            at=at,
            ends_at=None if fate.hangs else at + lasts,
            values=values,
            fault=fault,
            retryable=fate.fails,
            crashes_at=at + 0.5 * lasts if fate.crashes else None,
        )

    async def _follow(self, ctx: ActionContext, begun: Begun, *, may_crash: bool) -> Values:
        """Wait for the end of an attempt, and say what came of it."""
        with self._lock:
            self._running[begun.attempt] = ctx
        try:
            await self._wait(ctx, begun, may_crash=may_crash)
        except ActionCancelledError:
            self.memory.abort(begun.attempt, ctx.clock.time())
            raise
        finally:
            with self._lock:
                self._running.pop(begun.attempt, None)
        self.memory.end(begun.attempt, begun.ends_at if begun.ends_at is not None else ctx.clock.time())
        if begun.values is None:
            raise DeviceFaultError(begun.fault or "simulated fault", retryable=begun.retryable)
        return {name: math.nan if value is None else value for name, value in begun.values.items()}

    async def _wait(self, ctx: ActionContext, begun: Begun, *, may_crash: bool) -> None:
        told = begun.at
        while True:
            if self.memory.aborted(begun.attempt):
                raise ActionCancelledError(f"{begun.action}: the device was stopped")
            now = ctx.clock.time()
            if may_crash and begun.crashes_at is not None and now >= begun.crashes_at:
                os.kill(os.getpid(), signal.SIGKILL)
            if begun.ends_at is not None and now >= begun.ends_at:
                return
            wake = now + _LOOK_S * ctx.clock.speed
            for moment in (begun.ends_at, begun.crashes_at if may_crash else None):
                wake = wake if moment is None else min(wake, moment)
            if begun.ends_at is not None and now - told >= max(ctx.clock.speed, 0.05 * (begun.ends_at - begun.at)):
                told = now
                ctx.progress((now - begun.at) / (begun.ends_at - begun.at))
            await ctx.asleep(wake - now)
