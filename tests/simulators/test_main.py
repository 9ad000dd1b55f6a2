"""Simulated labs by hand: listed, and served to a controller that somebody else runs."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from instruments.client import InstrumentHub
from instruments.protocol.events import AttemptFinished, LinkUp
from instruments.protocol.messages import Command
from instruments.protocol.values import Succeeded
from instruments.transport.keys import new_pair, write_pair
from instruments.transport.zeromq import ServerKeys, ZeroMQServer
from simulators.__main__ import main
from simulators.labs.flow_chemistry import PARAMETERS
from simulators.labs.registry import describe_labs, load_lab

pytestmark = pytest.mark.timeout(60)


def test_list_names_every_lab_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["flow-chemistry", "table"]
    assert all(len(text) > 20 and "\n" not in text for text in describe_labs().values())


def test_load_lab_suggests_the_close_name() -> None:
    with pytest.raises(ValueError, match="no simulated lab 'flow-chemstry'; did you mean 'flow-chemistry'"):
        load_lab("flow-chemstry")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "no simulated lab 'nowhere'"),
        (["table"], "needs --campaign FILE"),
        (["flow-chemistry", "--option", "noise=loud"], "noise: 'loud' must be a number"),
        (["flow-chemistry", "--clock", "fast"], "cannot read clock 'fast'"),
        (["table", "--campaign", "nowhere.json"], "nowhere.json: cannot be read"),
        (["flow-chemistry", "--key", "nowhere.key"], "key file nowhere.key is not there"),
        (["flow-chemistry", "--server-key", "nowhere.pub"], "'nowhere.pub' is neither a public key"),
    ],
)
def test_serve_says_what_is_wrong_and_exits_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", *arguments, "--controller", "tcp://127.0.0.1:1"]) == 2
    assert words in capsys.readouterr().err


def _serve(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "simulators", "serve", *arguments])


def test_serve_ends_and_tells_when_a_driver_leaves(tmp_path: Path) -> None:
    # An address of another machine is refused by the driver at once.
    arguments = ["serve", "flow-chemistry", "--controller", "tcp://192.0.2.1:5000", "--folder", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "simulators", *arguments], capture_output=True, text=True, check=False, timeout=40
    )
    assert done.returncode == 2
    assert "left with status 2; see" in done.stderr


def test_serve_brings_up_every_instrument_and_leaves_in_good_order(tmp_path: Path) -> None:
    async def scenario() -> None:
        hub = InstrumentHub(ZeroMQServer(), heartbeat_s=0.2)
        events = hub.events()
        address = await hub.start()
        process = _serve("flow-chemistry", "--clock", "1000", "--controller", address, "--folder", str(tmp_path))
        try:
            async with asyncio.timeout(30):
                linked: set[str] = set()
                while linked != {"reactor", "hplc"}:
                    event = await anext(events)
                    if isinstance(event, LinkUp):
                        assert event.hello.simulated
                        linked.add(event.instrument)
                setting: dict[str, bool | int | float | str] = {
                    name: 0.5 * (low + high) for name, (_, low, high) in PARAMETERS.items()
                }
                hub.command("reactor", Command(attempt="one", action="run", arguments=setting))
                while not isinstance(event := await anext(events), AttemptFinished):
                    pass
                assert isinstance(event.outcome, Succeeded)
                hub.acknowledge("reactor", "one")
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, 20) == 0
        finally:
            process.kill()
            process.wait(timeout=10)
            await hub.close()

    asyncio.run(scenario())
    assert json.loads((tmp_path / "reactor" / "device.jsonl").read_text().splitlines()[0])["attempt"] == "one"


class _Admitted:
    """One key may speak, for anything."""

    def __init__(self, public_key: str) -> None:
        self.public_key = public_key

    def objection(self, public_key: str, instrument: str | None = None) -> str | None:
        return None if public_key == self.public_key else f"this key may not serve {instrument}"


def test_lab_is_served_to_a_controller_that_asks_for_keys(tmp_path: Path) -> None:
    async def scenario() -> None:
        own, drivers = new_pair(), new_pair()
        write_pair(tmp_path / "drivers.key", drivers)
        hub = InstrumentHub(ZeroMQServer(keys=ServerKeys(own, _Admitted(drivers.public))), heartbeat_s=0.2)
        events = hub.events()
        address = await hub.start()
        process = _serve(
            "flow-chemistry", "--controller", address, "--folder", str(tmp_path), "--key", str(tmp_path / "drivers.key"),
            "--server-key", own.public,
        )  # fmt: skip
        try:
            async with asyncio.timeout(30):
                linked: set[str] = set()
                while linked != {"reactor", "hplc"}:
                    if isinstance(event := await anext(events), LinkUp):
                        linked.add(event.instrument)
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, 20) == 0
        finally:
            process.kill()
            process.wait(timeout=10)
            await hub.close()

    asyncio.run(scenario())
    assert drivers_secret_is_nowhere(tmp_path)


def drivers_secret_is_nowhere(folder: Path) -> bool:
    """Say whether no file but the key's own tells the secret."""
    secret = json.loads((folder / "drivers.key").read_text())["secret_key"].encode()
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "drivers.key"]
    return len(files) > 3 and not any(secret in path.read_bytes() for path in files)


def test_packages_load_without_heavy_imports() -> None:
    code = (
        "import sys, simulators.labs.table, simulators.labs.flow_chemistry, simulators.devices.reactor, simulators.twin\n"
        "print([m for m in ('torch', 'scipy', 'numpy', 'sqlmodel', 'controller', 'pint', 'zmq') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == "[]"
