"""Instruments that are switched off stay off, whatever overlaps with looking: the real store, and a lab that was not begun."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from controller.domain.lab import InstrumentSpec, InterlockSpec, LabSpec, StepSpec
from controller.engine.session import LabSession
from controller.engine.switching import Switching
from controller.store.opening import Store
from controller.store.switches import Switch
from tests.instruments.support import until

HOOD = InterlockSpec(interlock="hood", instrument="hood", action="read", require=("sash <= 10",), hold=("bench",), latch=True)


@dataclass
class Slow:
    """Lets the first look into the store end only when the test says so, with what it saw as it began."""

    store: Store
    has_read: threading.Event = field(default_factory=threading.Event)
    let: threading.Event = field(default_factory=threading.Event)

    def disabled(self, lab: str) -> dict[str, str]:
        found = Store.disabled(self.store, lab)
        if not self.has_read.is_set():
            self.has_read.set()
            assert self.let.wait(10.0)
        return found


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(str(tmp_path / "books.db")) as store:
        yield store


@pytest.fixture
def session(tmp_path: Path) -> LabSession:
    return LabSession(
        LabSpec(
            lab="lab", instruments={name: InstrumentSpec(driver="x") for name in ("bench", "hood")}, simulated=True,
            protocol=(StepSpec(step="s", instrument="bench", action="react"),),
        ),
        tmp_path / "lab", processes=False,
    )  # fmt: skip


async def test_look_that_began_earlier_does_not_undo_a_newer_one(
    store: Store, session: LabSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, switching = Slow(store), Switching(store, {"lab": session})
    monkeypatch.setattr(store, "disabled", slow.disabled)
    earlier = asyncio.create_task(switching.look())
    await asyncio.to_thread(slow.has_read.wait, 10.0)
    await store.switch(Switch("lab", "bench", False, "leaks", "ada", 1.0))
    newer = asyncio.create_task(switching.look())
    await asyncio.sleep(0.1)
    slow.let.set()
    await asyncio.gather(earlier, newer)
    hold = session.hold("bench")
    assert hold is not None
    assert hold.reason == "disabled by ada: leaks"


async def test_latch_that_is_written_down_during_a_look_stays_in_force(
    store: Store, session: LabSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, switching = Slow(store), Switching(store, {"lab": session})
    monkeypatch.setattr(store, "disabled", slow.disabled)
    session.on_latch = lambda instrument, interlock, reason: switching.latch("lab", instrument, interlock, reason)
    looking = asyncio.create_task(switching.look())
    await asyncio.to_thread(slow.has_read.wait, 10.0)
    session._latch(HOOD, "the sash is open")
    await until(lambda: not switching._writing)
    assert Store.disabled(store, "lab").keys() == {"bench"}
    slow.let.set()
    await looking
    assert session.hold("bench") is not None
    await switching.look()
    assert session.hold("bench") is not None
    await store.switch(Switch("lab", "bench", True, "", "ada", 2.0))
    await switching.look()
    assert session.hold("bench") is None
