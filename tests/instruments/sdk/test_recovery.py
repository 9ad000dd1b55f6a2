"""What a recover hook may answer, and what becomes of the attempt."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from instruments.client import AttemptFinished, InstrumentHub, LinkUp
from instruments.emergency import resume, stop
from instruments.errors import DeviceFaultError
from instruments.protocol.records import AttemptRecord
from instruments.protocol.values import Faulted, Succeeded
from instruments.sdk.action import action
from instruments.sdk.context import ActionContext
from instruments.sdk.driver import Driver
from instruments.sdk.journal import Journal
from instruments.sdk.quantity import Quantity
from instruments.sdk.recovery import Recovery
from instruments.transport.memory import MemoryNetwork
from tests.instruments.support import next_event, running, serving, until

pytestmark = pytest.mark.timeout(30)


class Press(Driver):
    """A press whose memory of the attempt is given."""

    def __init__(self, answer: Callable[[], Recovery]) -> None:
        self._answer = answer
        self.asked = self.pressed = 0

    @action(duration=(1, 60), consequence="irreversible", returns={"force": Quantity("kilonewton")})
    async def press(self, ctx: ActionContext, force: float) -> dict[str, float]:
        self.pressed += 1
        return {"force": force}

    @press.recover
    def recover_press(self, ctx: ActionContext, force: float) -> Recovery:
        assert ctx.started_at == 5.0
        self.asked += 1
        return self._answer()


async def follow() -> dict[str, float]:
    return {"force": 3.0}


def broken() -> Recovery:
    raise OSError("no answer")


def unreachable() -> Recovery:
    raise DeviceFaultError("the press does not answer")


def write_journal(path: Path, *, deadline_s: float = 60.0, held: str | None = None) -> None:
    """Leave what a process leaves that died while it pressed."""
    journal, given = Journal(path, instrument="press"), {"force": 1.5}
    journal.write(AttemptRecord("a1", "press", dict(given), dict(given), {}, (1, 60), deadline_s, 4.0, {}).started(5.0))
    journal.hold(held)
    journal.close()


@pytest.mark.parametrize(
    ("answer", "result", "pressed"),
    [
        (lambda: Recovery.finished({"force": 2.0}), 2.0, 0),
        (lambda: Recovery.going(follow), 3.0, 0),
        (lambda: Recovery.going(lambda: {"force": 4.0}), 4.0, 0),
        (Recovery.never_began, 1.5, 1),
        (lambda: Recovery.unknown("the display is dark"), "interrupted", 0),
        (broken, "interrupted", 0),  # it knows no more than none at all
        (unreachable, "interrupted", 0),
        (lambda: None, "interrupted", 0),
    ],
    ids=["finished", "going", "going plain", "never began", "unknown", "broken", "unreachable", "no answer"],
)
async def test_answer_decides(answer: Callable[[], Recovery], result: object, pressed: int, tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    write_journal(path)
    network = MemoryNetwork()
    hub = InstrumentHub(network.server())
    events = hub.events()
    driver = Press(answer)
    async with running(hub), serving(driver, network.client("press", "b1"), journal=path):
        await next_event(events, LinkUp)
        outcome = (await next_event(events, AttemptFinished, attempt="a1")).outcome
    if isinstance(outcome, Succeeded):
        assert outcome.values["force"].value == result
        assert (outcome.started_at == 5.0) == (pressed == 0)  # what never began begins now
    else:
        assert isinstance(outcome, Faulted)
        assert outcome.code == result
    assert driver.pressed == pressed


async def test_what_never_began_waits_for_a_controller_and_until_the_stop_is_lifted(tmp_path: Path) -> None:
    path, network, driver = tmp_path / "bench" / "journal.db", MemoryNetwork(), Press(Recovery.never_began)
    write_journal(path, held="stop1")
    hub = InstrumentHub(network.server(), heartbeat_s=0.1, resend_s=0.1)
    events = hub.events()
    async with serving(driver, network.client("press", "b1"), journal=path) as server:
        await until(lambda: driver.asked == 1)
        await asyncio.sleep(0.2)
        assert (server.session.state, driver.pressed) == ("stopped", 0)
        (lifted,) = await resume([path.parent])
        assert lifted.confirmed
        await asyncio.sleep(0.2)
        assert driver.pressed == 0, "the controller may have given it up while nobody listened"
        async with running(hub):
            outcome = (await next_event(events, AttemptFinished, attempt="a1")).outcome
            assert isinstance(outcome, Succeeded)
    assert driver.pressed == 1


async def test_what_never_began_is_stopped_with_all_that_waits(tmp_path: Path) -> None:
    path, network, driver = tmp_path / "bench" / "journal.db", MemoryNetwork(), Press(Recovery.never_began)
    write_journal(path)
    async with serving(driver, network.client("press", "b1"), journal=path) as server:
        await until(lambda: driver.asked == 1 and server.session.running == ())
        assert (await stop([path.parent]))[0].confirmed
        record = server._journal.get("a1")
        assert record is not None
        assert isinstance(record.outcome, Faulted)
        assert record.outcome.code == "stopped"
    assert driver.pressed == 0


async def test_hook_that_never_answers_leaves_the_attempt_interrupted(tmp_path: Path) -> None:
    path, network, driver = tmp_path / "journal.db", MemoryNetwork(), Press(lambda: time.sleep(1.5))  # type: ignore[arg-type]
    write_journal(path, deadline_s=0.2)
    async with serving(driver, network.client("press", "b1"), journal=path, grace_s=0.1) as server:
        await until(lambda: server.session.outbox == ("a1",))
        record = server._journal.get("a1")
        assert record is not None
        assert isinstance(record.outcome, Faulted)
        assert record.outcome.code == "interrupted"
    assert driver.pressed == 0
