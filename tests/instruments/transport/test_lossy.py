"""The real hub and the real server over a network that loses, doubles and delays."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest

from instruments.client import AttemptFinished, AttemptRejected, AttemptReported, Command, InstrumentHub, LinkUp
from instruments.protocol.values import Outcome, Succeeded
from instruments.transport.base import Peer
from instruments.transport.memory import Direction, MemoryNetwork
from tests.instruments.devices import Bench
from tests.instruments.support import next_event, running, serving

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize("seed", range(3))
async def test_every_command_is_carried_out_once_and_every_result_arrives(seed: int) -> None:
    chance = random.Random(seed)

    def disturb(direction: Direction, peer: Peer, frame: bytes) -> Sequence[float]:
        del direction, peer, frame
        if chance.random() < 0.25:
            return []
        return [chance.choice([0.0, 0.0, 0.01, 0.05]) for _ in range(chance.choice([1, 1, 1, 2]))]

    network = MemoryNetwork(disturb)
    hub = InstrumentHub(network.server(), heartbeat_s=0.1, lease_s=1.0, resend_s=0.05)
    events = hub.events()
    wanted = {f"a{i}": 20.0 + i for i in range(25)}
    outcomes: dict[str, Outcome] = {}
    bench = Bench()

    def send(attempt: str) -> None:
        hub.command("bench", Command(attempt=attempt, action="react", arguments={"temperature": wanted[attempt]}))

    async def follow() -> None:
        async for event in events:
            match event:
                case LinkUp():
                    hub.inquire("bench", [attempt for attempt in wanted if attempt not in outcomes])
                case AttemptReported(status="never_heard"):
                    send(event.attempt)
                case AttemptReported(outcome=Succeeded() as outcome) | AttemptFinished(outcome=outcome):
                    outcomes[event.attempt] = outcome
                    hub.acknowledge("bench", event.attempt)
                case AttemptRejected():
                    raise AssertionError(event)
                case _:
                    pass

    async with running(hub), serving(bench, network.client("bench", "b1")) as server:
        following = asyncio.create_task(follow())
        async with asyncio.timeout(30.0):
            while len(outcomes) < len(wanted) or server.session.outbox:
                assert not following.done()
                await asyncio.sleep(0.02)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        network.disturb = lambda direction, peer, frame: (0.0,)
    for attempt, temperature in wanted.items():
        outcome = outcomes[attempt]
        assert isinstance(outcome, Succeeded)
        assert outcome.values["yield"].value == temperature / 2.0
    assert sorted(attempt for attempt, act in bench.acts if act == "react") == sorted(wanted)


@pytest.mark.parametrize(("policy", "safe", "code"), [("go_safe", 1, "stopped"), ("finish_and_hold", 0, None)])
async def test_driver_does_what_it_declared_when_the_controller_is_silent(
    policy: str, safe: int, code: str | None
) -> None:
    class Declared(Bench):
        on_lost_controller = policy  # type: ignore[assignment]

    network = MemoryNetwork()
    bench = Declared()
    hub = InstrumentHub(network.server(), heartbeat_s=0.1, lease_s=0.5, resend_s=0.05)
    events = hub.events()
    async with running(hub), serving(bench, network.client("bench", "b1")) as server:
        async with asyncio.timeout(10.0):
            await next_event(events, LinkUp)
            hub.command("bench", Command(attempt="a1", action="react", arguments={"temperature": 50.0, "tau": 0.03}))
            while not server.session.running:
                await asyncio.sleep(0.01)
            network.disturb = lambda direction, peer, frame: ()  # nobody hears anybody
            while not server.session.lost or server.session.running:
                await asyncio.sleep(0.02)
            assert server.session.state == "holding"
            network.disturb = lambda direction, peer, frame: (0.0,)
            finished = await next_event(events, AttemptFinished)
        assert bench.safe == safe
        assert getattr(finished.outcome, "code", None) == code
