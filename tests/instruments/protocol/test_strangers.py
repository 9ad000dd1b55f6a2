"""Strangers among the honest: whatever they say, to the controller's hub or to a driver, nothing that counts changes."""

from __future__ import annotations

import json
import logging
import random
import time
import tracemalloc
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from instruments.errors import ProtocolError
from instruments.protocol.codec import decode_from_controller, encode
from instruments.protocol.messages import (
    Acknowledge,
    Cancel,
    Farewell,
    Finished,
    Heartbeat,
    Hello,
    Inquire,
    Message,
    Ping,
    Progress,
    Rejected,
    Report,
    Resume,
    Started,
    StateChanged,
    Stopped,
)
from instruments.protocol.values import FaultCode, Faulted, MeasuredValue, Succeeded
from instruments.transport.base import Peer
from tests.fuzz.frames import mutated
from tests.instruments.protocol.hub_world import ABSENT, INSTRUMENT, HubWorld, hub_world
from tests.instruments.protocol.world import CAPABILITIES

pytestmark = pytest.mark.timeout(180)

FORGED = 666.0
CHANNELS = st.sampled_from(["data", "control"])
STRANGERS = st.builds(
    Peer, st.sampled_from([INSTRUMENT, INSTRUMENT, INSTRUMENT, ABSENT, "nowhere"]), st.sampled_from(["s1", "s2", "s3"]), CHANNELS
)


def forged(kind: int, attempt: str) -> Message:
    """Return a valid message that claims something about an attempt, or about the instrument."""
    outcome = Succeeded(values={"n": MeasuredValue(value=FORGED)}, started_at=0.0, finished_at=1.0)
    fault = Faulted(code=FaultCode.cancelled, message="forged")
    kinds: list[Message] = [
        Finished(attempt=attempt, outcome=outcome),
        Finished(attempt=attempt, outcome=fault),
        Rejected(attempt=attempt, code="busy", message="forged"),
        Report(attempt=attempt, status="never_heard"),
        Report(attempt=attempt, status="finished", outcome=outcome),
        Started(attempt=attempt, at=0.0),
        Progress(attempt=attempt, fraction=0.5),
        Heartbeat(state="stopped", running=(attempt,), uptime_s=1.0, held="forged", echo=0.0),
        StateChanged(state="stopped"),
        Stopped(request="forged"),
        Farewell(reason="forged"),
    ]
    return kinds[kind % len(kinds)]


def hello(instrument: str, boot_id: str, journal_id: str) -> Hello:
    return Hello(
        instrument=instrument, driver="d", version="1", boot_id=boot_id, journal_id=journal_id, simulated=True, lease_s=5.0,
        capabilities=CAPABILITIES, state="ready",
    )  # fmt: skip


class Strangers(RuleBasedStateMachine):
    """Honest work, whose network may lose, double and reorder, with strangers of every sort in between."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.world: HubWorld = self.stack.enter_context(hub_world())
        self.rng = random.Random(0)

    def teardown(self) -> None:
        try:
            world = self.world
            world.settle()
            assert world.settled, "a result never arrived, or the outbox never emptied"
            self.nothing_that_counts_is_wrong()
            for attempt, result in world.store.items():
                if isinstance(result, Succeeded):
                    assert world.device[attempt] == 1
                if result == "rejected":
                    assert world.device[attempt] == 0
        finally:
            self.stack.close()

    @initialize(seed=st.integers(0, 2**16))
    def seeded(self, seed: int) -> None:
        self.rng = random.Random(seed)

    # --- the honest -------------------------------------------------------------------------------------------------

    @rule()
    def commit(self) -> None:
        self.world.commit()

    @rule()
    def finish(self) -> None:
        self.world.finish_one()

    @rule(direction=st.sampled_from(["to_driver", "to_controller"]), index=st.integers(0, 3), keep=st.booleans())
    def deliver(self, direction: str, index: int, keep: bool) -> None:
        self.world.deliver(direction, index, keep=keep)

    @rule(direction=st.sampled_from(["to_driver", "to_controller"]), index=st.integers(0, 3))
    def lose(self, direction: str, index: int) -> None:
        self.world.lose(direction, index)

    @rule(seconds=st.sampled_from([0.1, 0.6, 1.1]))
    def advance(self, seconds: float) -> None:
        self.world.advance(seconds)
        self.world.flow()

    @rule(what=st.sampled_from(["stop", "finish", "resume", "cancel"]))
    def ask(self, what: str) -> None:
        self.world.ask(what)

    # --- strangers at the controller's door -------------------------------------------------------------------------

    def _comes(self, peer: Peer | None, frame: bytes) -> None:
        """A stranger's frame changes nothing that the controller knows of the honest driver, and nothing in the books."""
        world = self.world
        before, store, waiting = world.controller_state(), dict(world.store), len(world.to_driver)
        world.tell_controller(world.front.take(peer, frame))
        assert world.controller_state() == before
        assert world.store == store
        assert len(world.to_driver) == waiting, "the honest driver was told something because of a stranger"

    @property
    def linked(self) -> bool:
        """Whether the honest driver is linked: without keys, the first who claims a free place has it."""
        return self.world.front.connected

    def _attempt(self) -> str:
        return self.rng.choice([*self.world.store, "unheard"])

    @precondition(lambda self: self.linked)
    @rule(peer=STRANGERS, kind=st.integers(0, 10))
    def stranger_claims(self, peer: Peer, kind: int) -> None:
        self._comes(peer, encode(forged(kind, self._attempt())))

    @precondition(lambda self: self.linked)
    @rule(peer=STRANGERS)
    def stranger_replays(self, peer: Peer) -> None:
        if self.world.said:
            self._comes(peer, self.rng.choice(self.world.said))

    @precondition(lambda self: self.linked)
    @rule(peer=STRANGERS, boot=st.sampled_from(["s1", "s2", "honest"]))
    def stranger_introduces_itself(self, peer: Peer, boot: str) -> None:
        said = hello(peer.instrument, self.world.boot_id if boot == "honest" else boot, "another-journal")
        self._comes(peer, encode(said))

    @precondition(lambda self: self.linked)
    @rule(peer=STRANGERS, version=st.sampled_from([0, 2, 99, -1, True, None, "1", 1.0, 10**30]))
    def stranger_speaks_another_version(self, peer: Peer, version: object) -> None:
        content = {**json.loads(encode(hello(peer.instrument, peer.boot_id, "another-journal"))), "protocol": version, "more": 1}
        self._comes(peer, json.dumps(content).encode())

    @precondition(lambda self: self.linked)
    @rule(peer=st.none() | STRANGERS, noise=st.binary(max_size=60))
    def stranger_talks_nonsense(self, peer: Peer | None, noise: bytes) -> None:
        self._comes(peer, noise)
        if self.world.said:
            self._comes(peer, mutated(self.rng.choice(self.world.said), self.rng))

    @precondition(lambda self: self.linked)
    @rule()
    def garbage_under_the_honest_name(self) -> None:
        """What does not decode changes nothing, whoever sent it."""
        if self.world.said:
            frame = b"]" + mutated(self.rng.choice(self.world.said), self.rng)
            self._comes(Peer(INSTRUMENT, self.world.boot_id, "data"), frame)

    # --- strange frames at the driver -------------------------------------------------------------------------------

    @rule()
    def driver_hears_again(self) -> None:
        """Anything that a controller ever said comes once more, at any time."""
        if self.world.heard and self.world.driver is not None:
            frame = self.rng.choice(self.world.heard)
            self.world.tell_driver(self.world.driver.handle(decode_from_controller(frame), self.world.now))

    @rule(kind=st.integers(0, 6))
    def driver_hears_wrong_tokens(self, kind: int) -> None:
        world, driver = self.world, self.world.driver
        if driver is None:
            return
        running = driver.running[0] if driver.running else "unheard"
        wrong = [
            Resume(request="forged"), Acknowledge(attempt="unheard"), Acknowledge(attempt=running), Cancel(attempt="unheard"),
            Inquire(attempts=("unheard", running)), Ping(sent_at=-1e300), Cancel(attempt="x" * 64),
        ][kind]  # fmt: skip
        before = self._driver_state()
        world.tell_driver(driver.handle(wrong, world.now))
        assert self._driver_state() == before

    @rule()
    def driver_hears_nonsense(self) -> None:
        if self.world.heard:
            before = self._driver_state()
            with pytest.raises(ProtocolError):
                decode_from_controller(b"]" + mutated(self.rng.choice(self.world.heard), self.rng))
            assert self._driver_state() == before

    def _driver_state(self) -> dict[str, Any]:
        world, driver = self.world, self.world.driver
        assert driver is not None
        honest = {attempt: record for attempt, record in world.journal.items() if attempt in world.store}
        return {
            "journal": honest, "held": world.held, "device": dict(world.device), "running": driver.running,
            "outbox": driver.outbox, "state": driver.state, "linked": driver.linked,
        }  # fmt: skip

    # --- always -----------------------------------------------------------------------------------------------------

    @invariant()
    def nothing_that_counts_is_wrong(self) -> None:
        world = self.world
        assert max(world.device.values(), default=0) <= 1, "carried out twice"
        assert set(world.device) <= set(world.store), "carried out without having been decided"
        assert world.contradictions == []
        assert not any("666" in str(result) or "forged" in str(result) for result in world.store.values())
        assert set(world.front.hub.links()) == {INSTRUMENT, ABSENT}


def test_strangers_change_nothing_that_counts() -> None:
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        Strangers,
        settings=settings(max_examples=150, stateful_step_count=50, deadline=None, suppress_health_check=checks),
    )


def test_strangers_cost_the_controller_no_memory_and_few_log_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    rng = random.Random(1)
    with hub_world() as world:
        for _ in range(20):
            world.commit()
            world.flow()
            world.finish_one()
            world.advance(0.2)
            world.flow()
        said = list(world.said)
        state, lines = world.controller_state(), len(caplog.records)

        def strangers(n: int) -> None:
            for i in range(n):
                instrument = rng.choice((INSTRUMENT, ABSENT, f"x{i}"))  # names without end
                peer = Peer(instrument, f"b{i}", "data")
                frame = encode(forged(i, f"a{i}")) if i % 3 == 0 else rng.choice(said)
                world.front.take(peer, frame if i % 3 < 2 else mutated(frame, rng))

        strangers(20_000)  # until the cache of texts in pydantic is full
        tracemalloc.start()
        strangers(500)
        before = tracemalloc.get_traced_memory()[0]
        begun = time.monotonic()
        strangers(20_000)
        minutes = 2 + (time.monotonic() - begun) / 60.0
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        assert grown < 200_000, f"{grown} bytes"
        assert set(world.front.hub.links()) == {INSTRUMENT, ABSENT}
        assert world.controller_state() == {**state}
        assert len(caplog.records) - lines <= 5 * minutes  # one of each kind and minute, and what was left out


def test_wrong_tokens_cost_the_driver_no_memory() -> None:
    with hub_world() as world:
        world.commit()
        world.flow()
        driver = world.driver
        assert driver is not None
        (attempt,) = driver.running

        def strange(n: int) -> None:
            for i in range(n):
                driver.handle(Resume(request=f"r{i}"), world.now)
                for stranger in (f"a-{i}", attempt):
                    driver.handle(Acknowledge(attempt=stranger), world.now)
                driver.handle(Inquire(attempts=tuple(f"i{i}-{j}" for j in range(20))), world.now)

        strange(2000)  # until the cache of texts in pydantic is full
        tracemalloc.start()
        strange(100)
        before = tracemalloc.get_traced_memory()[0]
        strange(5000)
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        assert grown < 50_000, f"{grown} bytes"
        assert driver.running == (attempt,)
