"""What a recover hook may answer, and what becomes of the attempt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from instruments.client import AttemptFinished, InstrumentHub, LinkUp
from instruments.protocol.records import AttemptRecord
from instruments.protocol.values import Faulted, Succeeded
from instruments.sdk.action import action
from instruments.sdk.context import ActionContext
from instruments.sdk.driver import Driver
from instruments.sdk.journal import Journal
from instruments.sdk.quantity import Quantity
from instruments.sdk.recovery import Recovery
from instruments.transport.memory import MemoryNetwork
from tests.instruments.support import next_event, running, serving

pytestmark = pytest.mark.timeout(30)


class Press(Driver):
    """A press whose memory of the attempt is given."""

    def __init__(self, answer: Callable[[], Recovery]) -> None:
        self._answer = answer
        self.pressed = 0

    @action(duration=(1, 60), consequence="irreversible", returns={"force": Quantity("kilonewton")})
    async def press(self, ctx: ActionContext, force: float) -> dict[str, float]:
        self.pressed += 1
        return {"force": force}

    @press.recover
    def recover_press(self, ctx: ActionContext, force: float) -> Recovery:
        assert ctx.started_at == 5.0
        return self._answer()


async def follow() -> dict[str, float]:
    return {"force": 3.0}


def broken() -> Recovery:
    raise OSError("no answer")


@pytest.mark.parametrize(
    ("answer", "result", "pressed"),
    [
        (lambda: Recovery.finished({"force": 2.0}), 2.0, 0),
        (lambda: Recovery.going(follow), 3.0, 0),
        (lambda: Recovery.going(lambda: {"force": 4.0}), 4.0, 0),
        (Recovery.never_began, 1.5, 1),
        (lambda: Recovery.unknown("the display is dark"), "interrupted", 0),
        (broken, "driver_error", 0),
    ],
    ids=["finished", "going", "going plain", "never began", "unknown", "broken"],
)
async def test_answer_decides(answer: Callable[[], Recovery], result: object, pressed: int, tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = Journal(path, instrument="press")
    given = {"force": 1.5}
    journal.write(AttemptRecord("a1", "press", dict(given), dict(given), {}, (1, 60), 60.0, 4.0, {}).started(5.0))
    journal.close()
    network = MemoryNetwork()
    hub = InstrumentHub(network.server())
    events = hub.events()
    driver = Press(answer)
    async with running(hub), serving(driver, network.client("press", "b1"), journal=path):
        await next_event(events, LinkUp)
        outcome = (await next_event(events, AttemptFinished, attempt="a1")).outcome
    if isinstance(outcome, Succeeded):
        assert outcome.values["force"].value == result
        assert outcome.started_at == 5.0
    else:
        assert isinstance(outcome, Faulted)
        assert outcome.code == result
    assert driver.pressed == pressed
