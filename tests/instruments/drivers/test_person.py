"""People as an instrument: a task waits in its folder, is asked once and answered once, whoever is killed or stopped meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from instruments.client import (
    AttemptFinished,
    Command,
    EventStream,
    InstrumentHub,
    LinkUp,
    StopConfirmed,
)
from instruments.clock import SystemClock
from instruments.drivers.person import PersonDriver
from instruments.errors import ActionCancelledError, DriverOptionsError
from instruments.protocol.values import FaultCode, Faulted, Succeeded
from instruments.sdk.context import ActionContext
from instruments.sdk.driver import describe_driver
from instruments.sdk.options import build_driver
from instruments.tasks.folder import Posted, TaskFolder
from instruments.tasks.form import read_form
from instruments.tasks.task import Answer
from instruments.testing import check_driver
from instruments.transport.memory import MemoryNetwork
from instruments.transport.zeromq import ZeroMQServer
from tests.instruments.processes import driver_process
from tests.instruments.support import next_event, running, serving, until

pytestmark = pytest.mark.timeout(90)
LONG = 40.0
COAT: dict[str, Any] = {
    "instructions": "Coat it at {speed:g} rpm.",
    "arguments": {"speed": {"unit": "rpm", "low": 500, "high": 6000}},
    "returns": {"thickness": {"unit": "nm", "low": 10, "high": 2000}, "colour": {"choices": ["yellow", "brown"]}},
    "duration": [600, 3600],
    "consequence": "consumes",
}
OPTIONS: dict[str, Any] = {"actions": {"coat": COAT}}


def made(by: str = "ada", **said: Any) -> Answer:
    """Return an answer as the terminal and the page make it."""
    driver = build_driver(PersonDriver, OPTIONS)
    values, faults = read_form(driver._declared["coat"].returns, {"thickness": 350, "colour": "brown", **said})
    assert faults == []
    return Answer(kind="values", values=values, note="streaks", by=by, at=1.7e9)


def command(attempt: str = "a1", **more: Any) -> Command:
    return Command(attempt=attempt, action="coat", arguments={"speed": 2000.0}, **more)


async def waiting(folder: Path, n: int = 1) -> list[Posted]:
    """Wait until so many tasks wait, and return them."""
    tasks = TaskFolder(folder)
    await until(lambda: len(list(tasks.waiting())) == n, timeout=LONG)
    return list(tasks.waiting())


@asynccontextmanager
async def here(folder: Path) -> AsyncIterator[tuple[InstrumentHub, EventStream]]:
    """Serve the driver in this process."""
    network = MemoryNetwork()
    hub = InstrumentHub(network.server(), heartbeat_s=0.2, lease_s=5.0)
    events = hub.events()
    driver = build_driver(PersonDriver, OPTIONS)
    async with running(hub), serving(driver, network.client("people", boot_id="b1"), journal=folder / "j.db"):
        await next_event(events, LinkUp)
        await until(lambda: hub.links()["people"].state == "ready")
        yield hub, events


async def finished(events: EventStream, attempt: str = "a1") -> Succeeded | Faulted:
    return (await next_event(events, AttemptFinished, attempt=attempt, timeout=LONG)).outcome


async def test_answer_is_a_measurement_with_who_and_when(tmp_path: Path) -> None:
    async with here(tmp_path) as (hub, events):
        hub.command("people", command())
        (posted,) = await waiting(tmp_path)
        assert posted.task.instructions == "Coat it at 2000 rpm."
        assert posted.task.due_at - posted.task.asked_at == 3600.0
        TaskFolder(tmp_path).answer("a1", made(thickness="0.35 ± 0.01 um"))
        outcome = await finished(events)
    assert isinstance(outcome, Succeeded)
    values = {name: (value.value, value.unit, value.sem) for name, value in outcome.values.items()}
    assert values == {
        "thickness": (350.0, "nm", 10.0), "colour": ("brown", None, None), "note": ("streaks", None, None),
        "answered_by": ("ada", None, None), "answered_at": ("2023-11-14T22:13:20Z", None, None),
    }  # fmt: skip


@pytest.mark.parametrize(("kind", "code"), [("failed", FaultCode.device_fault), ("skipped", FaultCode.cancelled)])
async def test_what_was_not_done_ends_the_attempt_with_its_reason(tmp_path: Path, kind: Any, code: FaultCode) -> None:
    async with here(tmp_path) as (hub, events):
        hub.command("people", command())
        await waiting(tmp_path)
        TaskFolder(tmp_path).answer("a1", Answer(kind=kind, reason="no substrate left", by="ada", at=1.0))
        outcome = await finished(events)
    assert isinstance(outcome, Faulted)
    assert (outcome.code, outcome.retryable) == (code, False)
    assert "ada: no substrate left" in outcome.message


async def test_stop_and_cancel_withdraw_tasks_and_late_answers_are_kept(tmp_path: Path) -> None:
    async with here(tmp_path) as (hub, events):
        hub.command("people", command("a1"))
        hub.command("people", command("a2"))
        await waiting(tmp_path, 2)
        hub.cancel("people", "a2")
        cancelled = await finished(events, "a2")
        asked = time.monotonic()
        hub.stop("people")
        await next_event(events, StopConfirmed)
        assert time.monotonic() - asked < 5.0
        stopped = await finished(events, "a1")
    assert [getattr(o, "code", None) for o in (cancelled, stopped)] == [FaultCode.cancelled, FaultCode.stopped]
    assert await waiting(tmp_path, 0) == []
    late = TaskFolder(tmp_path).answer("a2", made())
    assert (late.stage, late.end and late.end.why) == ("late", "the attempt was cancelled")


async def test_task_that_nobody_answers_ends_at_its_deadline(tmp_path: Path) -> None:
    async with here(tmp_path) as (hub, events):
        hub.command("people", command(deadline_s=1.0))
        outcome = await finished(events)
    assert isinstance(outcome, Faulted)
    assert outcome.code is FaultCode.timeout
    posted = TaskFolder(tmp_path).look("a1")
    assert posted is not None
    assert posted.stage == "overdue"


async def test_rubbish_is_put_aside_until_somebody_answers(tmp_path: Path) -> None:
    async with here(tmp_path) as (hub, events):
        hub.command("people", command())
        await waiting(tmp_path)
        (tmp_path / "tasks" / "open" / "a1" / "answer.json").write_text("{")
        await until(lambda: (tmp_path / "tasks" / "open" / "a1" / "refused-1.json").exists())
        TaskFolder(tmp_path).answer("a1", made())
        assert isinstance(await finished(events), Succeeded)


async def test_killed_driver_asks_nobody_twice(tmp_path: Path) -> None:
    hub = InstrumentHub(ZeroMQServer("tcp://127.0.0.1:0"), heartbeat_s=0.2, lease_s=30.0, resend_s=0.2)
    events = hub.events()
    place: dict[str, Any] = {"driver": "instruments.drivers.person:PersonDriver", "instrument": "people", "options": OPTIONS}
    async with running(hub) as address:
        with driver_process(tmp_path, address, **place) as process:
            await next_event(events, LinkUp, timeout=LONG)
            for attempt in ("waits", "answered"):
                hub.command("people", command(attempt))
            before = {p.task.id: p.task for p in await waiting(tmp_path, 2)}
            os.kill(process.pid, signal.SIGKILL)
            process.wait(10)
        TaskFolder(tmp_path).answer("answered", made("bob"))  # there is no driver at all
        with driver_process(tmp_path, address, **place):
            outcome = await finished(events, "answered")
            assert isinstance(outcome, Succeeded)
            assert outcome.values["answered_by"].value == "bob"
            (left,) = await waiting(tmp_path)
            assert left.task == before["waits"], "the task stands as it was asked, its deadline too"
            TaskFolder(tmp_path).answer("waits", made("ada"))
            outcome = await finished(events, "waits")
            assert isinstance(outcome, Succeeded)
            assert outcome.started_at == before["waits"].asked_at


async def test_driver_killed_after_a_withdrawal_does_not_wait_for_ever(tmp_path: Path) -> None:
    # As if killed between the folder and the journal: the task is withdrawn there, and still under way here.
    driver = build_driver(PersonDriver, OPTIONS)
    driver.folder = tmp_path
    driver.setup()
    context = ActionContext("a1", SystemClock())
    context.cancel("stopped")
    action = driver.actions()["coat"]
    with pytest.raises(ActionCancelledError):
        await action.handler(context, speed=2000.0)
    assert action.recover is not None
    answer = await action.recover(ActionContext("a1", SystemClock()), speed=2000.0)
    assert (answer.kind, answer.message) == ("unknown", "its task was withdrawn: the attempt was stopped")


@pytest.mark.parametrize(("content", "name"), [(b"\xff\xd8\xff\xe0 film", "photo.jpg"), (b"anything", "photo"), (None, None)])
async def test_photo_of_an_answer_becomes_a_raw_file(tmp_path: Path, content: bytes | None, name: str | None) -> None:
    coat = {**COAT, "returns": {**COAT["returns"], "photo": {"kind": "file", "optional": True}}}
    driver = build_driver(PersonDriver, {"actions": {"coat": coat}})
    driver.folder = tmp_path
    driver.setup()
    context = ActionContext("a1", SystemClock(), folder=tmp_path)
    asked = asyncio.ensure_future(driver.actions()["coat"].handler(context, speed=2000.0))
    tasks = TaskFolder(tmp_path)
    await until(lambda: tasks.look("a1") is not None)
    # An answer may name a file that nobody sent: it counts all the same.
    value = f"sha256:{'0' * 64}" if content is None else tasks.attach("a1", BytesIO(content))
    values, faults = read_form(driver._declared["coat"].returns, {"thickness": 350, "colour": "brown", "photo": value})
    assert faults == []
    tasks.answer("a1", Answer(kind="values", values=values, note="", by="ada", at=1.7e9))
    returned = await asyncio.wait_for(asked, 30.0)
    assert returned["photo"].value == value
    assert [file.name for file in context.kept] == ([] if name is None else [name])
    if content is not None:
        assert context.kept[0].sha256 == value.removeprefix("sha256:")


def test_every_value_is_announced_with_its_unit() -> None:
    described = describe_driver(build_driver(PersonDriver, OPTIONS)).actions["coat"]
    assert {name: value.unit for name, value in described.returns.items() if value.unit} == {"thickness": "nm"}
    assert list(described.returns) == ["thickness", "colour", "answered_by", "answered_at", "note"]
    assert described.checkable


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"instructions": "Coat {it}."}, r"instructions: template 'Coat \{it\}.' uses unknown \['it'\]"),
        ({"instructions": ""}, "actions.coat.instructions"),
        ({"returns": {"note": {"kind": "str"}}}, "returns 'note', which every answer has"),
        ({"returns": {"y": {"unit": "parsnip"}}}, "parsnip"),
        ({"returns": {"y": {"optional": True}}}, "a number cannot be optional"),
        ({"duration": [10, 5]}, "typical is longer"),
        ({"prize": 1}, "actions.coat.prize"),
    ],
)
def test_wrong_options_are_refused(change: dict[str, Any], match: str) -> None:
    with pytest.raises(DriverOptionsError, match=match):
        build_driver(PersonDriver, {"actions": {"coat": {**COAT, **change}}})


def test_driver_keeps_the_contract_without_anybody_being_asked() -> None:
    results = check_driver(lambda: build_driver(PersonDriver, OPTIONS))
    assert [result for result in results if not result.passed] == []
