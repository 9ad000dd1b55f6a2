"""A lab's session holds instruments back and stops them: the real hub and real driver hosts, over ZeroMQ."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from controller.domain.experiment import AttemptStatus
from controller.domain.lab import InstrumentSpec, InterlockSpec, LabSpec, StepSpec
from controller.domain.state import Attempt
from controller.engine.session import LabSession
from controller.measure.interlock import Interlock
from instruments.client import (
    AttemptRejected,
    AttemptReported,
    AttemptStarted,
    HubEvent,
    InstrumentStateChanged,
    LinkDown,
    LinkUp,
)
from instruments.emergency import stop
from instruments.protocol.outputs import Emit
from instruments.transport.zeromq import ZeroMQClient
from simulators.devices.sensor import SensorDriver
from tests.instruments.devices import Bench
from tests.instruments.support import serving, until


@dataclass
class Campaign:
    """What the session needs of a campaign's loop: it keeps what it hears, and sends what was never heard of, as the loop does."""

    session: LabSession
    attempts: dict[str, Attempt] = field(default_factory=dict)
    heard: list[HubEvent] = field(default_factory=list)

    def post(self, event: HubEvent) -> None:
        self.heard.append(event)
        if isinstance(event, AttemptReported) and event.status == "never_heard":
            self.session.send(self.attempts[event.attempt], deadline_factor=3.0)

    def wake(self) -> None:
        return

    def concerns(self, attempt: str) -> bool:
        return attempt in self.attempts

    def doing(self) -> dict[str, Any]:
        return {"campaign": "a test", "doing": "", "running": []}

    def open_attempts(self, instrument: str) -> list[Attempt]:
        return [a for a in self.attempts.values() if a.instrument == instrument]

    def commit(self, key: str, instrument: str) -> Attempt:
        attempt = self.attempts[key] = Attempt(
            id=key, experiment="e", step="s", ordinal=1, instrument=instrument, action="react",
            arguments={"temperature": 50.0, "tau": 5.0}, units={}, status=AttemptStatus.COMMITTED, committed_at=0.0,
        )  # fmt: skip
        return attempt

    def started(self) -> list[str]:
        return [event.attempt for event in self.heard if isinstance(event, AttemptStarted)]


@asynccontextmanager
async def lab(
    folder: Path, *interlocks: InterlockSpec, n: int = 2
) -> AsyncIterator[tuple[LabSession, list[Bench], SensorDriver]]:
    """A lab of `n` benches and a sensor, linked and ready."""
    names = [f"bench-{i}" for i in range(n)]
    spec = LabSpec(
        lab="lab", instruments={name: InstrumentSpec(driver="x") for name in [*names, "hood"]}, interlocks=interlocks,
        protocol=(StepSpec(step="s", instrument="bench-0", action="react"),), simulated=True,
    )  # fmt: skip
    session = LabSession(spec, folder, processes=False)
    benches, sensor = [Bench() for _ in names], SensorDriver(values={"sash": 2.0}, file=str(folder / "sensor.json"))
    async with AsyncExitStack() as stack:
        await session.start()
        stack.push_async_callback(session.close, patience_s=0.0)
        for name, driver in zip([*names, "hood"], [*benches, sensor], strict=True):
            transport = ZeroMQClient(str(folder / "rendezvous.json"), instrument=name, boot_id="boot1")
            await stack.enter_async_context(serving(driver, transport, journal=folder / "labs" / name / "journal.db"))
        await until(lambda: all(i["state"] == "ready" for i in session.instruments()))
        yield session, benches, sensor


async def test_every_busy_instrument_confirms_a_stop_over_the_wire(tmp_path: Path) -> None:
    async with lab(tmp_path, n=8) as (session, benches, _):
        campaign = Campaign(session)
        session.join(campaign)
        names = [f"bench-{i}" for i in range(8)]
        for name in names:
            session.send(campaign.commit(f"a-{name}", name), deadline_factor=3.0)
        await until(lambda: len(campaign.started()) == 8 and all(b.acts for b in benches))
        answers = await session.stop(names, mode="now", timeout_s=5.0)
        assert [(a.instrument, a.confirmed) for a in answers] == [(name, True) for name in names]
        assert sorted(a.took_s for a in answers)[4] < 1.0, "the bar is 0.25 s; a busy machine is allowed more here"
        assert [b.stops for b in benches] == [1] * 8
        assert not any(session.accepts(name) for name in names)
        hold = session.hold("bench-3")
        assert hold is not None
        assert "labwright instrument resume bench-3 --lab lab" in hold.reason
        assert all(a.confirmed for a in await session.resume(names, timeout_s=5.0))
        assert session.hold("bench-3") is None
        again = await session.resume(["bench-3"], timeout_s=5.0)
        assert [(a.confirmed, a.message) for a in again] == [(True, "was not stopped")]


async def test_stop_that_finishes_is_confirmed_when_the_action_has_ended(tmp_path: Path) -> None:
    async with lab(tmp_path, n=1) as (session, _, _):
        campaign = Campaign(session)
        session.join(campaign)
        session.send(campaign.commit("a", "bench-0"), deadline_factor=3.0)
        await until(lambda: campaign.started() == ["a"])
        waiting = asyncio.create_task(session.stop(["bench-0"], mode="finish", timeout_s=0.5))
        (answer,) = await waiting
        assert not answer.confirmed
        assert "has not confirmed in time" in answer.message
        (answer,) = await session.stop(["bench-0"], mode="now", timeout_s=5.0)
        assert answer.confirmed


async def test_instrument_without_a_driver_is_named(tmp_path: Path) -> None:
    step = StepSpec(step="s", instrument="bench", action="react")
    spec = LabSpec(lab="lab", instruments={"bench": InstrumentSpec(driver="x")}, protocol=(step,), simulated=True)
    session = LabSession(spec, tmp_path, processes=False)
    await session.start()
    try:
        stopped = await session.stop(["bench"], mode="now", timeout_s=1.0)
        for answers in (stopped, await session.resume(["bench"], timeout_s=1.0)):
            assert [(a.confirmed, a.message) for a in answers] == [(False, "no driver is connected")]
    finally:
        await session.close(patience_s=0.0)


async def test_attempt_committed_before_a_hold_leaves_when_the_hold_is_lifted(tmp_path: Path) -> None:
    async with lab(tmp_path) as (session, benches, _):
        campaign = Campaign(session)
        session.join(campaign)
        session.disable({"bench-0": "disabled by ada: leaks"})
        session.send(campaign.commit("a", "bench-0"), deadline_factor=3.0)
        session.send(campaign.commit("b", "bench-1"), deadline_factor=3.0)
        await until(lambda: campaign.started() == ["b"])
        await asyncio.sleep(0.3)
        assert benches[0].acts == []
        session.disable({})
        await until(lambda: sorted(campaign.started()) == ["a", "b"])
        assert benches[0].acts == [("a", "react")]


async def test_instrument_that_came_back_stopped_is_asked_again_when_it_is_released(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with lab(tmp_path) as (session, _, _):
        session.join(Campaign(session))
        asked: list[str] = []
        monkeypatch.setattr(session, "_inquire", lambda instrument, owner: asked.append(instrument))
        link = session.link("bench-0")
        assert link is not None
        assert link.hello is not None
        session._reports.put(LinkUp("bench-0", link.hello.model_copy(update={"state": "stopped"})))
        await until(lambda: "bench-0" in asked)  # late reports of the links themselves may be routed in between: they ask too
        session._reports.put(InstrumentStateChanged("bench-0", "ready"))
        await until(lambda: asked.count("bench-0") >= 2)


async def test_stop_past_the_controller_is_held_here_too(tmp_path: Path) -> None:
    async with lab(tmp_path) as (session, _, _):
        changes = session.hold_changes
        assert (await stop([tmp_path / "labs" / "bench-0"]))[0].confirmed
        await until(lambda: session.hold("bench-0") is not None)
        assert session.hold_changes > changes
        assert not session.accepts("bench-0")
        assert session.accepts("bench-1")


async def test_interlock_holds_what_it_guards_and_nothing_else(tmp_path: Path) -> None:
    guard = InterlockSpec(interlock="hood", instrument="hood", action="read", require=("sash <= 5",), hold=("bench-0",), every=0.2)
    async with lab(tmp_path, guard) as (session, _, _):
        await until(lambda: session.accepts("bench-0"))
        (tmp_path / "sensor.json").write_text('{"sash": 9.0}')
        await until(lambda: not session.accepts("bench-0"))
        assert session.accepts("bench-1")
        hold = session.hold("bench-0")
        assert hold is not None
        assert (hold.reason, hold.alarming) == ("interlock hood: sash is 9, required is sash <= 5", True)
        (tmp_path / "sensor.json").unlink()
        await until(lambda: session.accepts("bench-0"))


async def test_latched_interlock_disables_once_and_is_told_to_be_written_down(tmp_path: Path) -> None:
    guard = InterlockSpec(
        interlock="hood", instrument="hood", action="read", require=("sash <= 5",), hold=("bench-0",), every=0.2, latch=True
    )
    async with lab(tmp_path, guard) as (session, _, _):
        told: list[tuple[Any, ...]] = []
        session.on_latch = lambda *what: told.append(what)
        await until(lambda: session.accepts("bench-0"))
        (tmp_path / "sensor.json").write_text('{"sash": 9.0}')
        await until(lambda: told != [])
        (tmp_path / "sensor.json").unlink()
        await asyncio.sleep(0.8)
        assert not session.accepts("bench-0")
        assert told == [("bench-0", "hood", "interlock hood: sash is 9, required is sash <= 5")]
        session.disable({})
        await until(lambda: session.accepts("bench-0"))


async def test_reading_that_breaks_in_our_own_hands_holds_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = InterlockSpec(interlock="hood", instrument="hood", action="read", require=("sash <= 5",), hold=("bench-0",), every=0.2)
    async with lab(tmp_path, guard) as (session, _, _):
        await until(lambda: session.accepts("bench-0"))
        with monkeypatch.context() as broken:
            broken.setattr(Interlock, "take", lambda *_: 1 / 0)
            await until(lambda: not session.accepts("bench-0"))
            hold = session.hold("bench-0")
            assert hold is not None
            assert "its reading cannot be told: ZeroDivisionError" in hold.reason
        with monkeypatch.context() as broken:
            broken.setattr(Interlock, "due", lambda *_: 1 / 0)
            await until(lambda: "it cannot be read: ZeroDivisionError" in (session.hold("bench-0") or hold).reason)
        await until(lambda: session.accepts("bench-0"))


async def test_driver_that_comes_and_goes_in_one_breath_does_not_make_the_lab_deaf(tmp_path: Path) -> None:
    async with lab(tmp_path) as (session, _, _):
        campaign = Campaign(session)
        session.join(campaign)
        campaign.commit("a", "bench-0")
        link = session.link("bench-0")
        assert link is not None
        assert link.hello is not None
        for event in session._hub._sessions["bench-0"].cut("its farewell came with its hello"):
            assert isinstance(event, Emit)
            session._reports.put(LinkUp("bench-0", link.hello))
            session._reports.put(event.event)
        await until(lambda: any(isinstance(event, LinkDown) for event in campaign.heard))


async def test_driver_that_comes_back_still_stopped_confirms_no_resume(tmp_path: Path) -> None:
    async with lab(tmp_path) as (session, _, _):
        assert (await session.stop(["bench-0"], mode="now", timeout_s=5.0))[0].confirmed
        link = session.link("bench-0")
        assert link is not None
        assert link.hello is not None
        still, free = (LinkUp("bench-0", link.hello.model_copy(update={"held": held})) for held in ("r", None))
        session._hub._sessions["bench-0"].resume = lambda now: []  # type: ignore[method-assign]  # it is lost on its way
        for event, confirmed in ((still, False), (free, True)):
            waiting = asyncio.create_task(session.resume(["bench-0"], timeout_s=0.3))
            await asyncio.sleep(0)
            for stream in session._hub._streams:
                stream.put(event)
            (answer,) = await waiting
            assert answer.confirmed == confirmed


async def test_lab_that_could_not_be_begun_is_free_for_the_next_try(tmp_path: Path) -> None:
    spec = LabSpec(
        lab="lab", instruments={"bench": InstrumentSpec(driver="x")}, simulated=True,
        protocol=(StepSpec(step="s", instrument="bench", action="react"),),
    )  # fmt: skip
    (tmp_path / "rendezvous.json").mkdir()  # it cannot be written, as on a full disk
    failed = LabSession(spec, tmp_path, processes=False)
    with pytest.raises(OSError, match="rendezvous"):
        await failed.start()
    (tmp_path / "rendezvous.json").rmdir()
    session = LabSession(spec, tmp_path, processes=False)
    await session.start()
    await session.close(patience_s=0.0)
    assert failed._hub is not session._hub


async def test_command_that_cannot_travel_is_refused_as_its_driver_would(tmp_path: Path) -> None:
    async with lab(tmp_path, n=1) as (session, benches, _):
        campaign = Campaign(session)
        session.join(campaign)
        campaign.commit("long", "bench-0").arguments["method"] = "x" * 3000
        many = campaign.commit("many", "bench-0")
        many.arguments = {f"step_{i}": "\N{SNOWMAN}" * 2000 for i in range(198)}
        for key in ("long", "many"):
            session.send(campaign.attempts[key], deadline_factor=3.0)
        refused = {event.attempt: event for event in campaign.heard if isinstance(event, AttemptRejected)}
        assert refused["long"].code == "invalid_command"
        assert refused["long"].message.startswith("the command cannot be sent: arguments.method: ")
        assert "String should have at most 2000 characters" in refused["long"].message
        assert "the wire takes 1048576; send fewer values" in refused["many"].message
        assert benches[0].acts == []
