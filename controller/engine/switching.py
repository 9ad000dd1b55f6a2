"""Instruments that people, or latched interlocks, have switched off: what the store says of it is honoured in every lab at work."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.errors import LabwrightError
from controller.store.switches import Switch

if TYPE_CHECKING:
    from controller.engine.session import LabSession
    from controller.store.opening import Store

log = logging.getLogger(__name__)


@dataclass
class _Latch:
    """That an interlock has disabled an instrument, until a look into the store has shown it."""

    why: str
    stored: bool = False


class Switching:
    """Disables and enables the instruments of the labs of one store.

    Args:
        store: Says what people have switched off.
        labs: The labs at work, by name; it may change.
    """

    def __init__(self, store: Store, labs: Mapping[str, LabSession]) -> None:
        self._store, self._labs = store, labs
        self._latches: dict[str, dict[str, _Latch]] = {}
        """Lab -> instrument -> its latch."""
        self._turn = asyncio.Lock()
        self._writing: set[asyncio.Task[None]] = set()

    async def look(self) -> None:
        """Honour what the store says now. Raises `StoreError`."""
        async with self._turn:  # a look that began earlier and ends later would undo what a newer one has seen
            for lab, session in list(self._labs.items()):
                latches = self._latches.setdefault(lab, {})
                shown = [(name, latch) for name, latch in latches.items() if latch.stored]  # before this look, so it shows them
                disabled = await asyncio.to_thread(self._store.disabled, lab)
                for name, latch in shown:
                    if latches.get(name) is latch:
                        del latches[name]
                session.disable(disabled | {name: latch.why for name, latch in latches.items()})

    def latch(self, lab: str, instrument: str, interlock: str, reason: str) -> None:
        """Write down that an interlock has disabled an instrument; until it is written, and seen, every look takes it as said."""
        by = f"interlock {interlock}"
        latch = self._latches.setdefault(lab, {})[instrument] = _Latch(f"disabled by {by}: {reason}")

        async def write() -> None:
            try:
                await self._store.switch(Switch(lab, instrument, False, reason, by, time.time()))
            except LabwrightError:
                log.exception("that %s disabled %s could not be written down; it holds until this controller ends", by, instrument)
                return
            latch.stored = True

        task = asyncio.create_task(write(), name=f"{by} disables {instrument}")
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
