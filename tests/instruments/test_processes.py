"""Drivers as real processes over tcp: killed, doubled, orphaned, stopped, and shouted at."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import zmq

from instruments.client import (
    AttemptAccepted,
    AttemptFinished,
    AttemptReported,
    AttemptStarted,
    Command,
    EventStream,
    InstrumentHub,
    LinkDown,
    LinkUp,
    StopConfirmed,
)
from instruments.protocol.values import FaultCode, Faulted, Succeeded
from instruments.transport.rendezvous import write_rendezvous
from instruments.transport.zeromq import ZeroMQServer
from tests.instruments.devices import read_acts
from tests.instruments.processes import driver_process
from tests.instruments.support import next_event, running, until

pytestmark = pytest.mark.timeout(60)
LONG = 40.0


@asynccontextmanager
async def _hub(
    address: str = "tcp://127.0.0.1:0", lease_s: float = 1.5
) -> AsyncIterator[tuple[InstrumentHub, EventStream, str]]:
    hub = InstrumentHub(ZeroMQServer(address), heartbeat_s=0.2, lease_s=lease_s, resend_s=0.2)
    events = hub.events()
    async with running(hub) as bound:
        yield hub, events, bound


async def test_driver_killed_in_the_middle_answers_from_its_journal(tmp_path: Path) -> None:
    log = tmp_path / "device.jsonl"
    options = {"log": str(log)}
    async with _hub(lease_s=30.0) as (hub, events, address):
        with driver_process(tmp_path, address, options=options) as process:
            await next_event(events, LinkUp, timeout=LONG)
            hub.command("bench", Command(attempt="done", action="react", arguments={"temperature": 60.0}))
            await next_event(events, AttemptFinished, attempt="done")  # not acknowledged: must be offered again
            hub.command("bench", Command(attempt="a1", action="react", arguments={"temperature": 50.0, "tau": 1.0}))
            hub.command("bench", Command(attempt="a2", action="react", arguments={"temperature": 70.0}))
            await next_event(events, AttemptStarted, attempt="a1")
            await next_event(events, AttemptAccepted, attempt="a2")
            await until(lambda: ("a1", "react") in read_acts(log))
            process.send_signal(signal.SIGKILL)
            process.wait(5)
        with driver_process(tmp_path, address, options=options):
            # The lease is long: the same journal under a new start proves the old process dead.
            await next_event(events, LinkUp, timeout=LONG)
            hub.inquire("bench", ["done", "a1", "a2", "a3"])
            found: dict[str, str] = {}
            outcomes = {}
            async with asyncio.timeout(10.0):
                async for event in events:
                    if isinstance(event, AttemptReported):
                        found[event.attempt] = event.status
                    elif isinstance(event, AttemptFinished):
                        outcomes[event.attempt] = event.outcome
                        hub.acknowledge("bench", event.attempt)
                    if len(found) == 4 and len(outcomes) == 3:
                        break
            assert found["done"] in ("finished", "acknowledged")
            assert found["a1"] in ("interrupted", "acknowledged")
            assert found["a3"] == "never_heard"
            interrupted = outcomes["a1"]
            assert isinstance(interrupted, Faulted)
            assert interrupted.code is FaultCode.interrupted
            assert isinstance(
                outcomes["a2"], Succeeded
            )  # it had not begun, so it was carried out by the second process
        assert [act for act in read_acts(log) if act[1] == "react"] == [
            ("done", "react"),
            ("a1", "react"),
            ("a2", "react"),
        ]


async def test_killed_action_with_a_check_is_found_finished(tmp_path: Path) -> None:
    log = tmp_path / "device.jsonl"
    options = {"log": str(log)}
    async with _hub() as (hub, events, address):
        with driver_process(tmp_path, address, options=options) as process:
            await next_event(events, LinkUp, timeout=LONG)
            hub.command("bench", Command(attempt="a1", action="cut", arguments={"seconds": 30.0}))
            await until(lambda: ("a1", "cut") in read_acts(log))
            process.send_signal(signal.SIGKILL)
        with driver_process(tmp_path, address, options=options):
            await next_event(events, LinkUp, timeout=LONG)
            finished = await next_event(events, AttemptFinished, attempt="a1")
            assert isinstance(finished.outcome, Succeeded)
        assert [attempt for attempt, act in read_acts(log) if act == "cut"] == ["a1"]


async def test_stop_reaches_a_blocking_action_in_another_process_within_a_second(tmp_path: Path) -> None:
    async with _hub() as (hub, events, address):
        with driver_process(tmp_path, address) as process:
            await next_event(events, LinkUp, timeout=LONG)
            hub.command("bench", Command(attempt="a1", action="block", arguments={"seconds": 50.0}))
            await next_event(events, AttemptStarted)
            asked = time.monotonic()
            hub.stop("bench")
            await next_event(events, StopConfirmed)
            assert time.monotonic() - asked < 1.0
            hub.shutdown("bench", "now")
            await asyncio.to_thread(process.wait, 10)  # the deaf thread does not keep the process
            assert process.returncode == 0


async def test_hold_survives_a_restart_of_the_driver(tmp_path: Path) -> None:
    async with _hub() as (hub, events, address):
        with driver_process(tmp_path, address) as process:
            await next_event(events, LinkUp, timeout=LONG)
            request = hub.stop("bench")
            await next_event(events, StopConfirmed)
            process.send_signal(signal.SIGKILL)
        with driver_process(tmp_path, address):
            up = await next_event(events, LinkUp, timeout=LONG)
            assert up.hello.held == request
            await until(lambda: hub.links()["bench"].held == request)
            hub.resume("bench")
            await until(lambda: hub.links()["bench"].state == "ready")


async def test_two_processes_on_one_journal_are_refused(tmp_path: Path) -> None:
    async with _hub() as (_, events, address):
        with driver_process(tmp_path, address) as first:
            await next_event(events, LinkUp, timeout=LONG)
            with driver_process(tmp_path, address) as second:
                assert await asyncio.to_thread(second.wait, LONG) == 3
            assert first.poll() is None
            assert f"in use by process {first.pid}" in (tmp_path / "bench.log").read_text()


async def test_second_process_with_another_journal_is_refused_while_the_first_lives(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    async with _hub() as (hub, events, address):
        with driver_process(tmp_path, address), driver_process(tmp_path / "other", address):
            up = await next_event(events, LinkUp, timeout=LONG)
            logs = (tmp_path / "bench.log", tmp_path / "other" / "bench.log")
            await until(lambda: any("name_taken" in log.read_text() for log in logs), timeout=LONG)
            await asyncio.sleep(0.5)
            hello = hub.links()["bench"].hello
            assert hello is not None
            assert hello.boot_id == up.hello.boot_id


async def test_garbage_on_the_port_changes_nothing(tmp_path: Path) -> None:
    async with _hub() as (hub, events, address):
        with driver_process(tmp_path, address):
            up = await next_event(events, LinkUp, timeout=LONG)
            port = int(address.rpartition(":")[2])
            for content in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(5000), b"\xff" * 70000, b""):
                # It may be thrown out before it has said everything.
                with (
                    contextlib.suppress(ConnectionError),
                    socket.create_connection(("127.0.0.1", port), timeout=5) as raw,
                ):
                    raw.sendall(content)
            context = zmq.Context()
            stranger = context.socket(zmq.DEALER)
            stranger.set(zmq.LINGER, 0)
            boot = up.hello.boot_id
            stranger.connect(address)
            impostor = context.socket(zmq.DEALER)
            impostor.set(zmq.LINGER, 0)
            impostor.set(zmq.ROUTING_ID, b"bench/impostor/data")
            impostor.connect(address)
            for frame in (b"", b"{", os.urandom(100), b'{"type":"farewell","reason":"ha"}', b"[" * 5000):
                stranger.send(frame)
                impostor.send(frame)
                impostor.send_multipart([frame, frame])
            impostor.send(b"x" * (1024 * 1024 + 1))
            await until(lambda: hub.garbage_frames >= 10)
            hub.command("bench", Command(attempt="a1", action="react", arguments={"temperature": 50.0}))
            await next_event(events, AttemptFinished, attempt="a1")
            hello = hub.links()["bench"].hello
            assert hello is not None
            assert hello.boot_id == boot
            stranger.close()
            impostor.close()
            context.term()


async def test_controller_that_comes_back_elsewhere_is_found_through_the_rendezvous_file(tmp_path: Path) -> None:
    rendezvous = tmp_path / "rendezvous.json"
    with driver_process(tmp_path, str(rendezvous)):  # started before there is any controller
        async with _hub() as (hub, events, address):
            write_rendezvous(rendezvous, address, hub.session)
            first = await next_event(events, LinkUp, timeout=LONG)
            hub.command("bench", Command(attempt="a1", action="react", arguments={"temperature": 50.0, "tau": 0.02}))
            await next_event(events, AttemptStarted)
        # The controller is gone; the action finishes meanwhile and its result waits.
        async with _hub() as (hub, events, address):
            write_rendezvous(rendezvous, address, hub.session)
            second = await next_event(events, LinkUp, timeout=LONG)
            assert second.hello.boot_id == first.hello.boot_id
            finished = await next_event(events, AttemptFinished, attempt="a1")
            assert isinstance(finished.outcome, Succeeded)
            hub.acknowledge("bench", "a1")


async def test_controller_that_comes_back_on_its_port_is_greeted_at_once(tmp_path: Path) -> None:
    async with _hub() as (_, events, address):
        stack = driver_process(tmp_path, address)
        stack.__enter__()
        first = await next_event(events, LinkUp, timeout=LONG)
    async with _hub(address) as (hub, events, _):
        second = await next_event(events, LinkUp, timeout=5.0)
        assert second.hello.boot_id == first.hello.boot_id
        hub.command("bench", Command(attempt="a1", action="react", arguments={"temperature": 50.0}))
        await next_event(events, AttemptFinished)
    stack.__exit__(None, None, None)


async def test_orphan_finishes_keeps_the_result_and_leaves(tmp_path: Path) -> None:
    rendezvous = tmp_path / "rendezvous.json"
    orphan = ("--exit-when-orphaned",)
    async with _hub() as (hub, events, address):
        write_rendezvous(rendezvous, address)
        stack = driver_process(tmp_path, str(rendezvous), extra=orphan)
        process = stack.__enter__()
        await next_event(events, LinkUp, timeout=LONG)
        hub.command("bench", Command(attempt="a1", action="react", arguments={"temperature": 50.0, "tau": 0.04}))
        await next_event(events, AttemptStarted)
    assert await asyncio.to_thread(process.wait, 15) == 0
    stack.__exit__(None, None, None)
    async with _hub() as (_, events, address):
        write_rendezvous(rendezvous, address)
        with driver_process(tmp_path, str(rendezvous), extra=orphan):
            finished = await next_event(events, AttemptFinished, attempt="a1", timeout=LONG)
            assert isinstance(finished.outcome, Succeeded)


async def test_sigterm_lets_what_runs_finish(tmp_path: Path) -> None:
    async with _hub() as (hub, events, address):
        with driver_process(tmp_path, address) as process:
            await next_event(events, LinkUp, timeout=LONG)
            hub.command("bench", Command(attempt="a1", action="react", arguments={"temperature": 50.0, "tau": 0.01}))
            await next_event(events, AttemptStarted)
            process.send_signal(signal.SIGTERM)
            finished = await next_event(events, AttemptFinished)
            assert isinstance(finished.outcome, Succeeded)
            assert (await next_event(events, LinkDown)).reason.startswith("the driver left")
            assert await asyncio.to_thread(process.wait, 10) == 0
