"""The flight recorder: what it keeps, that it replays, that it never fills the disk, and that it never holds anybody up."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from controller.engine import recorder as recording
from controller.engine import ring as room
from controller.engine.recorder import FlightRecorder, read_flight
from controller.engine.ring import Ring, extent, read_lines, segments
from instruments.client import AttemptFinished, AttemptReported, Expected, InstrumentHub, LinkUp
from instruments.errors import RecordingError
from instruments.protocol.messages import Command
from instruments.protocol.recording import Step
from instruments.protocol.replay import replay
from instruments.transport.memory import MemoryNetwork
from tests.instruments.devices import Bench
from tests.instruments.support import attempt_id, next_event, running, serving

MB = 1_000_000


@asynccontextmanager
async def recorded(folder: Path, network: MemoryNetwork, most: int = 4 * MB) -> AsyncIterator[tuple[InstrumentHub, FlightRecorder]]:
    """Run a hub whose every step is taken down."""
    recorder = FlightRecorder(folder, most)
    expected = {"bench": Expected(simulated=True, limits={"temperature": (20.0, 100.0)})}
    hub = InstrumentHub(
        network.server(), expected=expected, heartbeat_s=0.1, lease_s=1.5, resend_s=0.1, recorder=recorder
    )
    recorder.start(hub.chapter)
    try:
        async with running(hub):
            yield hub, recorder
    finally:
        recorder.close()


async def live_a_little(hub: InstrumentHub, network: MemoryNetwork, n: int = 5) -> None:
    """Let a driver carry out actions, be stopped, resumed, started anew and shut down."""
    events = hub.events()
    async with serving(Bench(), network.client("bench", "boot1")):
        await next_event(events, LinkUp)
        for _ in range(n):
            attempt = attempt_id()
            hub.command("bench", Command(attempt=attempt, action="react", arguments={"temperature": 50.0}))
            await next_event(events, AttemptFinished, attempt=attempt)
            hub.acknowledge("bench", attempt)
        hub.inquire("bench", (attempt, attempt_id()))
        await next_event(events, AttemptReported)
        hub.stop("bench")
        await asyncio.sleep(0.3)
        hub.resume("bench")
        await asyncio.sleep(0.2)
        hub.cancel("bench", attempt_id())
    async with serving(Bench(), network.client("bench", "boot2")):
        await next_event(events, LinkUp)
        hub.shutdown("bench")
        await asyncio.sleep(0.2)


async def test_recording_replays_without_a_difference(tmp_path: Path) -> None:
    network = MemoryNetwork()
    async with recorded(tmp_path, network) as (hub, recorder):
        await live_a_little(hub, network)
    assert recorder.dropped == 0
    lines = list(read_flight(tmp_path))
    said = {line["what"] for line in lines}
    assert said >= {"chapter", "heard", "tick", "command", "acknowledge", "inquire", "stop", "resume", "cancel", "shutdown"}
    messages = {line["given"]["type"] for line in lines if line["what"] == "heard"}
    assert messages >= {"hello", "accepted", "started", "finished", "report", "stopped", "heartbeat"}
    replayed = replay(lines)
    assert replayed.difference is None
    assert replayed.steps == len(lines) - replayed.chapters > 50


async def test_recording_of_a_wire_that_loses_and_doubles_replays_without_a_difference(tmp_path: Path) -> None:
    chance = random.Random(5)
    network = MemoryNetwork(lambda *_: [0.05 * chance.random() for _ in range(chance.choice([0, 1, 1, 1, 2]))])
    async with recorded(tmp_path, network) as (hub, _):
        events = hub.events()
        async with serving(Bench(), network.client("bench", "boot1")):
            await next_event(events, LinkUp)
            for _ in range(10):
                attempt = attempt_id()
                hub.command("bench", Command(attempt=attempt, action="react", arguments={"temperature": 50.0}))
                await next_event(events, AttemptFinished, attempt=attempt)
                hub.acknowledge("bench", attempt)
    assert replay(read_flight(tmp_path)).difference is None


@pytest.mark.parametrize("change", ["answer", "message", "order"])
async def test_first_difference_of_a_changed_recording_is_shown(tmp_path: Path, change: str) -> None:
    network = MemoryNetwork()
    async with recorded(tmp_path, network) as (hub, _):
        await live_a_little(hub, network, n=2)
    lines = list(read_flight(tmp_path))
    at = next(i for i, line in enumerate(lines) if line["what"] == "heard" and line["given"]["type"] == "finished")
    if change == "answer":
        lines[at]["out"][0]["attempt"] = "another"
    elif change == "message":
        lines[at]["given"]["attempt"] = "another"
    else:  # the driver's first word is missing
        del lines[next(i for i, line in enumerate(lines) if line["what"] == "heard" and line["given"]["type"] == "hello")]
    difference = replay(lines).difference
    assert difference is not None
    assert difference.replayed != difference.record["out"]
    if change != "order":
        assert difference.record is lines[at]


def test_line_that_is_none_is_refused_with_its_place() -> None:
    with pytest.raises(RecordingError, match="line 2 of the recording"):
        replay([{"what": "decided", "at": 0.0}, {"what": "chapter", "at": 0.0, "session": "s"}])


async def test_every_chapter_can_be_replayed_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = MemoryNetwork()
    async with recorded(tmp_path, network, most=80_000) as (hub, recorder):  # a new chapter every 10 kB
        await live_a_little(hub, network, n=60)
        assert recorder.dropped == 0
    files = segments(tmp_path)
    assert len(files) >= 3
    assert files[0].stem != "00000001"  # the oldest are gone
    for file in files:
        lines = [json.loads(line) for line in file.read_bytes().splitlines()]
        assert lines[0]["what"] == "chapter"
        assert replay(lines).difference is None
    assert sum(file.stat().st_size for file in files) <= 80_000


async def test_window_brings_what_its_replay_needs(tmp_path: Path) -> None:
    network = MemoryNetwork()
    async with recorded(tmp_path, network) as (hub, _):
        await live_a_little(hub, network, n=2)
        await asyncio.sleep(0.2)
        since = time.time()
        async with serving(Bench(), network.client("bench", "boot3")):
            await next_event(hub.events(), LinkUp)
    lines = list(read_flight(tmp_path, since=since))
    assert lines[0]["what"] == "chapter"
    assert lines[0]["before"]
    shown = [line for line in lines if "before" not in line]
    assert all(line["at"] >= since for line in shown)
    assert "hello" in {line["given"]["type"] for line in shown if line["what"] == "heard"}
    assert replay(lines).difference is None
    assert list(read_flight(tmp_path, since=time.time() + 1.0)) == []


def step(given: bytes = b"{}") -> Step:
    return Step(time.time(), time.monotonic(), "bench", "heard", given, [], "boot")


class NoHub:
    """Stands where a hub would be asked for its state."""

    def __init__(self) -> None:
        self.asked = 0

    def chapter(self) -> Any:
        self.asked += 1
        return InstrumentHub(MemoryNetwork().server()).chapter()


def test_ring_never_grows_beyond_its_size_whatever_comes(tmp_path: Path) -> None:
    recorder = FlightRecorder(tmp_path, MB)
    recorder.start(NoHub().chapter)
    for number in range(400):
        recorder.took(step(json.dumps({"n": number, "filling": "x" * 20_000}).encode()))
        if number % 10 == 0:
            time.sleep(2 * recording.GATHER_S)
            assert sum(p.stat().st_size for p in segments(tmp_path)) <= MB
    recorder.close()
    numbers = [line["given"]["n"] for line in read_flight(tmp_path) if line["what"] == "heard"]
    assert numbers[-1] == 399
    assert numbers == sorted(numbers)
    assert numbers[0] > 300


def test_slow_disk_holds_nobody_up_and_bounds_what_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder, hub = FlightRecorder(tmp_path, 64 * MB), NoHub()
    append = Ring.append

    def slow(ring: Ring, data: bytes) -> bool:
        time.sleep(0.5)
        return append(ring, data)

    monkeypatch.setattr(Ring, "append", slow)
    monkeypatch.setattr(recording, "MOST_WAITING", MB)
    recorder.start(hub.chapter)
    before = time.monotonic()
    for _ in range(5000):
        recorder.took(step(b'"' + b"x" * 1000 + b'"'))
    assert time.monotonic() - before < 0.5  # the disk would have taken longer for the first piece alone
    assert recorder.dropped > 3000
    recorder.close()


def test_full_disk_loses_steps_and_goes_on_with_a_new_chapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "AGAIN_S", 0.05)
    recorder, hub = FlightRecorder(tmp_path, MB), NoHub()
    recorder.start(hub.chapter)
    recorder.took(step(b'"first"'))
    time.sleep(3 * recording.GATHER_S)
    full = {"is": True}
    append = Ring.append
    monkeypatch.setattr(Ring, "append", lambda ring, data: not full["is"] and append(ring, data))
    for _ in range(20):
        recorder.took(step(b'"lost"'))
        time.sleep(0.02)
    lost = recorder.dropped
    assert lost > 0
    full["is"] = False
    deadline = time.monotonic() + 10
    while recorder.dropped >= lost and time.monotonic() < deadline:
        recorder.took(step(b'"last"'))
        time.sleep(0.02)
        if any(line["what"] == "heard" and line["given"] == "last" for line in read_flight(tmp_path)):
            break
    recorder.close()
    lines = [line for line in read_flight(tmp_path) if line["what"] in ("heard", "chapter")]
    assert lines[1]["given"] == "first"
    assert lines[-1]["given"] == "last"
    assert max(line["dropped"] for line in lines if line["what"] == "chapter") >= lost


def test_ring_is_not_written_when_little_room_is_left_on_the_disk(tmp_path: Path) -> None:
    ring = Ring(tmp_path, MB, least_free=2**62)
    assert ring.begin()
    assert not ring.append(b"a line\n")
    assert list(read_lines(tmp_path)) == []
    ring.close()


def test_torn_end_is_dropped_and_never_continued(tmp_path: Path) -> None:
    ring = Ring(tmp_path, MB)
    ring.begin()
    ring.append(b'{"what": "x", "at": 1.0}\n')
    ring.close()
    with segments(tmp_path)[0].open("ab") as file:
        file.write(b'{"what": "torn", "a')
    ring = Ring(tmp_path, MB)
    ring.begin()
    ring.append(b'{"what": "y", "at": 2.0}\n')
    ring.close()
    assert [line["what"] for line in read_flight(tmp_path)] == ["x", "y"]
    assert segments(tmp_path)[0].stat().st_mode & 0o077 == 0


def test_extent_passes_over_what_is_removed_while_it_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert extent(tmp_path) == (None, None, 0)
    ring = Ring(tmp_path, MB)
    for at in (1.0, 2.0):
        ring.begin()
        ring.append(b'{"what": "x", "at": %.1f}\n' % at)
    ring.close()
    found = segments(tmp_path)
    monkeypatch.setattr(room, "segments", lambda folder: found)
    assert (extent(tmp_path).first, extent(tmp_path).n_bytes) == (1.0, 50)
    found[0].unlink()
    assert extent(tmp_path) == (2.0, found[1].stat().st_mtime, 25)
