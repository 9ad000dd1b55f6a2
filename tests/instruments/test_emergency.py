"""Stopping without a controller: real driver processes, and the socket that each keeps beside its journal."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import stat
import sys
import time
from pathlib import Path

import pytest

from instruments import emergency
from instruments.client import InstrumentHub
from instruments.emergency import SOCKET, Confirmation, look, reachable, resume, stop
from instruments.errors import JournalError
from instruments.protocol.driver_session import DriverTiming
from instruments.protocol.messages import Command, Ping, Stop
from instruments.sdk.journal import Journal
from instruments.sdk.stop_socket import StopSocket
from instruments.transport.memory import MemoryNetwork
from tests.instruments.devices import Bench
from tests.instruments.processes import driver_process
from tests.instruments.support import QUICK, attempt_id, running, serving, until


def command(action: str, **arguments: float) -> Command:
    return Command(attempt=attempt_id(), action=action, arguments=arguments)


async def is_there(folder: Path) -> None:
    async with asyncio.timeout(20):
        while await look(folder) is None:
            await asyncio.sleep(0.05)


async def test_driver_process_without_any_controller_is_stopped_and_resumed(tmp_path: Path) -> None:
    folder = tmp_path / "bench"
    folder.mkdir()
    with driver_process(folder, str(tmp_path / "no-rendezvous.json")):
        await is_there(folder)
        (answer,) = await stop([folder])
        assert answer.confirmed
        assert answer.took_s < 1.0
        seen = await look(folder)
        assert seen is not None
        assert seen["state"] == "stopped"
        assert seen["held"] is not None
        assert (await resume([folder]))[0].confirmed
        seen = await look(folder)
        assert seen is not None
        assert (seen["held"], seen["state"]) == (None, "ready")


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
async def test_running_action_is_stopped_while_its_controller_is_frozen_or_dead(tmp_path: Path, number: signal.Signals) -> None:
    # The controller's end of the wire is a process of its own, so that it can be frozen in earnest.
    folder = tmp_path / "bench"
    folder.mkdir()
    controller = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CONTROLLER, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert controller.stdout is not None
    try:
        address = (await asyncio.wait_for(controller.stdout.readline(), 20)).decode().strip()
        acts = tmp_path / "acts.txt"
        with driver_process(folder, address, options={"log": str(acts)}):
            assert (await asyncio.wait_for(controller.stdout.readline(), 20)).strip() == b"started"
            await until(acts.exists)
            controller.send_signal(number)
            (answer,) = await stop([folder])
            assert answer.confirmed, answer
            assert answer.took_s < 1.0
            assert [json.loads(line)[1] for line in acts.read_text().splitlines()] == ["react", "stop"]
            seen = await look(folder)
            assert seen is not None
            assert (seen["state"], seen["running"]) == ("stopped", [])
    finally:
        if controller.returncode is None:
            controller.send_signal(signal.SIGCONT)
            controller.kill()
        await controller.wait()


CONTROLLER = """
import asyncio, sys
from instruments.client import AttemptStarted, Command, InstrumentHub, LinkUp
from instruments.transport.zeromq import ZeroMQServer
async def main():
    hub = InstrumentHub(ZeroMQServer())
    events = hub.events()
    print(await hub.start(), flush=True)
    async for event in events:
        if isinstance(event, LinkUp):
            await asyncio.sleep(0.5)  # until its device is set up
            hub.command("bench", Command(attempt="a1", action="react", arguments={"temperature": 50.0, "tau": 5.0}))
        if isinstance(event, AttemptStarted):
            print("started", flush=True)
asyncio.run(main())
"""


async def test_hold_outlasts_the_process_that_was_stopped(tmp_path: Path) -> None:
    folder = tmp_path / "bench"
    folder.mkdir()
    with driver_process(folder, str(tmp_path / "none.json")) as process:
        await is_there(folder)
        await stop([folder])
        process.kill()
        process.wait(10)
    with driver_process(folder, str(tmp_path / "none.json")):
        await is_there(folder)
        seen = await look(folder)
        assert seen is not None
        assert seen["state"] == "stopped"


async def test_hold_that_a_full_disk_kept_out_is_noted_once_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, journal = MemoryNetwork(), tmp_path / "bench" / "journal.db"
    proper, room = Journal.hold, False

    def hold(self: Journal, request: str | None) -> None:
        if not room:
            raise JournalError("the disk is full")
        proper(self, request)

    monkeypatch.setattr(Journal, "hold", hold)
    async with serving(Bench(), network.client("bench", "boot1"), journal=journal) as server:
        await until(journal.with_name(SOCKET).exists)
        (answer,) = await stop([journal.parent])
        assert answer.confirmed
        assert "could not be noted in the journal: a restart would forget it" in answer.message
        assert (server.session.held is not None, server._journal.held) == (True, None)
        room = True
        await until(lambda: server._journal.held == server.session.held)


async def test_driver_that_is_just_being_started_is_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "bench"
    folder.mkdir()
    waiting = asyncio.create_task(stop([folder], timeout_s=20.0))
    await asyncio.sleep(0.3)
    with driver_process(folder, str(tmp_path / "none.json")):
        (answer,) = await waiting
        assert answer.confirmed


async def test_driver_that_is_gone_is_not_waited_for_as_long_as_one_that_finishes_what_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emergency, "GONE_S", 0.3)
    (gone,) = await stop([tmp_path], mode="finish", timeout_s=3600.0)
    assert (gone.confirmed, gone.message) == (False, "no driver process is there")
    network, driver = MemoryNetwork(), Bench()
    hub, journal = InstrumentHub(network.server(), heartbeat_s=0.1, lease_s=5.0), tmp_path / "bench" / "journal.db"
    async with running(hub), serving(driver, network.client("bench", "boot1"), journal=journal):
        await until(lambda: "bench" in hub.links() and hub.links()["bench"].state == "ready")
        hub.command("bench", command("block", seconds=1.5))
        await until(lambda: driver.acts != [])
        (busy,) = await stop([journal.parent], mode="finish", timeout_s=3600.0)
        assert busy.confirmed
        assert busy.took_s > 1.0


async def test_missing_driver_is_told_and_does_not_delay_the_others(tmp_path: Path) -> None:
    there, away = tmp_path / "bench", tmp_path / "away"
    there.mkdir()
    away.mkdir()
    took: dict[str, float] = {}

    async def one(folder: Path) -> Confirmation:
        (answer,) = await stop([folder], timeout_s=0.5)
        took[folder.name] = answer.took_s
        return answer

    with driver_process(there, str(tmp_path / "none.json")):
        await is_there(there)
        first, second = await asyncio.gather(one(there), one(away))
    assert (first.confirmed, second.confirmed) == (True, False)
    assert second.message == "no driver process is there"
    assert took["bench"] < 0.5


async def test_stop_in_the_moment_of_the_start_finds_the_device_untouched(tmp_path: Path) -> None:
    network, driver = MemoryNetwork(), Bench()
    hub = InstrumentHub(network.server(), heartbeat_s=0.1, lease_s=5.0)
    async with running(hub), serving(driver, network.client("bench", "boot1"), journal=tmp_path / "journal.db") as server:
        await until(lambda: "bench" in hub.links() and hub.links()["bench"].state == "ready")
        for message in (command("react", temperature=50.0), Stop(request="r1", mode="now")):
            server._perform(server.session.handle(message, time.monotonic()))
        await until(lambda: server.session.state == "stopped")
        assert driver.acts == [("", "stop")]


async def test_controller_is_told_of_a_stop_that_came_past_it(tmp_path: Path) -> None:
    network, driver = MemoryNetwork(), Bench()
    hub = InstrumentHub(network.server(), heartbeat_s=0.1, lease_s=5.0)
    async with running(hub), serving(driver, network.client("bench", "boot1"), journal=tmp_path / "bench" / "journal.db"):
        await until(lambda: hub.links()["bench"].state == "ready" if "bench" in hub.links() else False)
        going = command("react", temperature=50.0, tau=5.0)
        hub.command("bench", going)
        await until(lambda: driver.acts != [])
        (answer,) = await stop([tmp_path / "bench"])
        assert answer.confirmed
        assert driver.stops == 1
        await until(lambda: hub.links()["bench"].state == "stopped" and hub.links()["bench"].held is not None)
        assert (await resume([tmp_path / "bench"]))[0].confirmed
        await until(lambda: hub.links()["bench"].state == "ready")


async def test_person_at_the_socket_does_not_keep_the_lease_alive(tmp_path: Path) -> None:
    network, driver = MemoryNetwork(), Bench()
    driver.on_lost_controller = "go_safe"  # type: ignore[misc]  # of this one alone
    hub = InstrumentHub(network.server(), heartbeat_s=0.1, lease_s=0.6)
    timing = DriverTiming(heartbeat_s=0.1, lease_s=0.6, hello_s=0.05, longest_hello_s=0.2, offer_s=0.1)
    path = tmp_path / "bench" / "journal.db"
    address = await hub.start()
    assert address
    async with serving(driver, network.client("bench", "boot1"), journal=path, timing=timing) as server:
        await until(lambda: server.session.linked)
        await hub.close()
        began = time.monotonic()
        while time.monotonic() - began < 1.5:
            assert await look(path.parent) is not None
            await asyncio.sleep(0.05)
        assert driver.safe == 1


async def test_stuck_action_is_named_in_the_confirmation(tmp_path: Path) -> None:
    network, driver = MemoryNetwork(), Bench()
    hub = InstrumentHub(network.server(), heartbeat_s=0.1, lease_s=5.0)
    journal = tmp_path / "bench" / "journal.db"
    async with running(hub), serving(driver, network.client("bench", "boot1"), journal=journal, grace_s=0.1):
        await until(lambda: "bench" in hub.links() and hub.links()["bench"].state == "ready")
        deaf = command("block", seconds=1.0)
        hub.command("bench", deaf)
        await until(lambda: driver.acts != [])
        (answer,) = await stop([tmp_path / "bench"])
        assert answer.confirmed
        assert answer.stuck == (deaf.attempt,)


async def test_socket_is_its_owners_alone_and_gone_afterwards(tmp_path: Path) -> None:
    network = MemoryNetwork()
    path = tmp_path / "bench" / SOCKET
    async with serving(Bench(), network.client("bench", "boot1"), journal=tmp_path / "bench" / "journal.db"):
        await until(path.exists)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


async def test_folder_with_a_path_too_long_for_a_socket_can_be_reached(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100) / ("y" * 100) / "bench"
    network = MemoryNetwork()
    async with serving(Bench(), network.client("bench", "boot1"), journal=folder / "journal.db"):
        await until((folder / SOCKET).exists)
        (answer,) = await stop([folder])
        assert answer.confirmed


@pytest.mark.parametrize(
    "line",
    [
        b"\n", b"\xff\xfe\n", b"[" * 1000 + b"\n", b'{"type": "stop"}\n', b'{"type": "shutdown", "mode": "now"}\n',
        b'{"type": "command", "attempt": "a", "action": "cut"}\n', b"x" * 200_000 + b"\n", b'{"type": "stop", "request": "r"',
    ],
)  # fmt: skip
async def test_garbage_at_the_socket_changes_nothing(tmp_path: Path, line: bytes) -> None:
    network, driver = MemoryNetwork(), Bench()
    path = tmp_path / "bench" / SOCKET
    async with serving(driver, network.client("bench", "boot1"), journal=path.with_name("journal.db"), timing=QUICK) as server:
        await until(path.exists)
        await until(lambda: server.session.state == "ready")

        def send() -> bytes:
            with socket.socket(socket.AF_UNIX) as caller, reachable(path) as address:
                caller.settimeout(5.0)
                caller.connect(address)
                try:
                    caller.sendall(line)
                    caller.shutdown(socket.SHUT_WR)
                    return caller.recv(10)
                except ConnectionError:
                    return b""

        assert await asyncio.to_thread(send) == b""
        assert (server.session.state, server.session.held, driver.acts) == ("ready", None, [])
        assert await look(path.parent) is not None


async def test_callers_that_say_nothing_do_not_keep_a_stop_out(tmp_path: Path) -> None:
    answered: list[str] = []

    async def answer(message: object) -> object:
        answered.append(type(message).__name__)
        return Ping(sent_at=0.0)

    listening = StopSocket(tmp_path / SOCKET, answer)  # type: ignore[arg-type]  # any message serves as an answer here
    await listening.open()
    try:
        silent = []
        for _ in range(200):
            caller = socket.socket(socket.AF_UNIX)
            caller.setblocking(False)
            await asyncio.get_running_loop().sock_connect(caller, str(tmp_path / SOCKET))
            silent.append(caller)
        (found,) = await stop([tmp_path], timeout_s=5.0)
        assert answered == [Stop.__name__]
        assert "instead of 'stopped'" in found.message
    finally:
        for caller in silent:
            caller.close()
        await listening.close()

