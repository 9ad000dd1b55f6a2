"""Three devices to be treated badly: one that remembers what it began, one that forgets, and one that only looks.

Loaded by path in driver processes of its own, so it imports nothing of the tests.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any, ClassVar

from instruments.clock import SystemClock
from instruments.sdk.action import action
from instruments.sdk.context import ActionContext
from instruments.sdk.driver import Driver
from instruments.sdk.quantity import Quantity
from instruments.sdk.recovery import Recovery

LONGEST_S = 120.0


def jump_with(whose: str) -> None:
    """Let the wall clock of this process follow a file in the folder `CHAOS_CLOCKS`, as somebody setting it would."""
    file = Path(os.environ.get("CHAOS_CLOCKS", "/nowhere")) / whose

    def jumping(clock: SystemClock) -> float:
        try:
            return time.time() + float(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return time.time()

    SystemClock.time = jumping  # type: ignore[method-assign]


if "CHAOS_CLOCKS" in os.environ and Path(sys.argv[0]).parent.name == "instruments":
    jump_with("drivers")


def overtake(sender: type, share: int) -> None:
    """Let one frame in `share` of a transport be overtaken by the next one on its way, as no single connection of TCP would."""
    send, kept = sender.send, {}  # type: ignore[attr-defined]
    count = itertools.count(1)

    def overtaking(self: object, to: object, frame: bytes) -> bool:
        before = kept.pop((id(self), to), None)
        if before is None and next(count) % share == 0:
            kept[id(self), to] = frame
            return True
        sent = bool(send(self, to, frame))
        if before is not None:
            send(self, to, before)
        return sent

    sender.send = overtaking  # type: ignore[attr-defined]


if "CHAOS_OVERTAKE" in os.environ and Path(sys.argv[0]).parent.name == "instruments":
    from instruments.transport.zeromq import ZeroMQClient

    overtake(ZeroMQClient, int(os.environ["CHAOS_OVERTAKE"]))


class DeviceLog:
    """What a device itself writes down, `device.jsonl`: no driver may change it, no controller can reach it.

    Each line stands between two newlines, so that a torn one stands alone. A real device keeps its memory on a disk of its own:
    while ours is full it waits, and the action with it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, event: str, attempt: str) -> None:
        line = ("\n" + json.dumps({"event": event, "attempt": attempt, "at": time.time()}) + "\n").encode()
        while True:
            try:
                with self._path.open("ab", buffering=0) as file:
                    size = file.seek(0, os.SEEK_END)
                    if file.write(line) == len(line):
                        os.fsync(file.fileno())
                        return
                    file.truncate(size)
            except OSError:
                pass
            time.sleep(0.05)

    def began_at(self, attempt: str) -> float | None:
        """Return when the device began an attempt [s since the Unix epoch], None if it never did."""
        return next((line["at"] for line in read_log(self._path) if line["event"] == "began" and line["attempt"] == attempt), None)


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a device's log."""
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            lines.append(json.loads(text))
        except ValueError:
            continue
    return lines


class _Device(Driver):
    simulated: ClassVar[bool] = True

    def __init__(self, *, seconds: float = 0.1) -> None:
        self.seconds = seconds

    @property
    def log(self) -> DeviceLog:
        assert self.folder is not None
        return DeviceLog(self.folder / "device.jsonl")

    def carry_out(self, ctx: ActionContext) -> None:
        self.log.note("began", ctx.attempt)
        ctx.sleep(self.seconds)
        self.log.note("ended", ctx.attempt)


class Reactor(_Device):
    """Uses matter up, goes on by itself when its driver dies, and can tell afterwards."""

    @action(duration=(0.1, LONGEST_S), consequence="consumes", returns={"heat": Quantity()})
    def react(self, ctx: ActionContext, x: Annotated[float, Quantity(low=0, high=1)]) -> dict[str, float]:
        self.carry_out(ctx)
        return {"heat": 1.0 - x}

    @react.recover
    def recover_react(self, ctx: ActionContext, x: float) -> Recovery:
        began = self.log.began_at(ctx.attempt)
        if began is None:
            return Recovery.never_began()

        def follow() -> dict[str, float]:
            ctx.sleep(began + self.seconds - time.time())
            self.log.note("ended", ctx.attempt)
            return {"heat": 1.0 - x}

        return Recovery.going(follow)


class Mill(_Device):
    """Cuts, which nobody can undo, and cannot be asked what it did."""

    @action(duration=(0.1, LONGEST_S), consequence="irreversible", returns={"cut": Quantity()})
    def cut(self, ctx: ActionContext, depth: Annotated[float, Quantity(low=0, high=1)]) -> dict[str, float]:
        self.carry_out(ctx)
        return {"cut": depth}


class Scale(_Device):
    """Weighs, which may be done again."""

    @action(duration=(0.1, LONGEST_S), consequence="repeatable", returns={"weight": Quantity()})
    def weigh(self, ctx: ActionContext, x: float, y: float) -> dict[str, float]:
        self.carry_out(ctx)
        return {"weight": x - (y - 0.3) ** 2}
