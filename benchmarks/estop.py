"""How long an emergency stop takes until every one of many busy instruments has confirmed it, on either of its two ways.

Each instrument is a process of its own, `simulated-reactor`, in the middle of an action of minutes; sockets, journals and disk are
real. *direct* is `labwright instrument stop`'s way: from another process to the socket beside each driver's journal, no controller
in between. *controller* is the way over the wire: the hub's control channel. *command* is the whole command line, with the start of
Python.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

from controller.engine.stopping import stop_instruments
from instruments.client import AttemptStarted, Command, InstrumentHub
from instruments.emergency import Confirmation, resume, stop
from instruments.transport.rendezvous import write_rendezvous
from instruments.transport.zeromq import ZeroMQServer

SETTING = {"temperature": 80.0, "residence_time": 2.0, "equivalents": 2.0, "concentration": 0.2}
BAR_MS = 250.0
BROUGHT_UP_S = 300.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be asked."""
    parser.add_argument("--instruments", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=7)


def run(asked: argparse.Namespace) -> int:
    """Print one line of JSON per way; exit status 1 when a median misses the bar or a stop is not confirmed."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(measure(Path(folder), asked.instruments, asked.rounds))


async def measure(folder: Path, n: int, rounds: int) -> int:
    """Bring `n` driver processes up and stop them `rounds` times on each way."""
    labs = folder / "store.files" / "labs" / "bench"
    names = [f"reactor-{i:02d}" for i in range(n)]
    hub = InstrumentHub(ZeroMQServer(), lease_s=60.0)
    address = await hub.start()
    write_rendezvous(labs / "rendezvous.json", address, hub.session)
    processes = [_drive(labs, name) for name in names]
    missed = False
    try:
        async with asyncio.timeout(BROUGHT_UP_S):
            while sum(link.state == "ready" for link in hub.links().values()) < n:
                await asyncio.sleep(0.1)
        for way in ("direct", "controller", "command"):
            wholes: list[float] = []
            each: list[float] = []
            confirmed = True
            for _ in range(rounds):
                await _make_busy(hub, names)
                began = time.perf_counter()
                if way == "direct":
                    answers = await asyncio.to_thread(_stop_directly, labs, names)
                elif way == "controller":
                    answers = await stop_instruments(hub, names)
                else:
                    answers = await asyncio.to_thread(_stop_by_command, folder)
                wholes.append(1000.0 * (time.perf_counter() - began))
                each += [1000.0 * a.took_s for a in answers]
                confirmed &= len(answers) == n and all(a.confirmed for a in answers)
                await resume([labs / name for name in names])
            print(json.dumps({
                "way": way, "instruments": n, "rounds": rounds, "median_ms": round(statistics.median(each), 1),
                "p95_ms": round(statistics.quantiles(each, n=20)[-1], 1), "worst_ms": round(max(each), 1),
                "all_confirmed_median_ms": round(statistics.median(wholes), 1), "confirmed": confirmed,
            }))  # fmt: skip
            missed |= not confirmed or statistics.median(each) >= BAR_MS
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()
        await hub.close()
    return int(missed)


async def _make_busy(hub: InstrumentHub, names: list[str]) -> None:
    events = hub.events()
    try:
        async with asyncio.timeout(60.0):
            while any(hub.links()[name].state != "ready" for name in names):
                await asyncio.sleep(0.05)
            for name in names:
                hub.command(name, Command(attempt=uuid.uuid4().hex, action="run", arguments=SETTING))
            waiting = set(names)
            async for event in events:
                if isinstance(event, AttemptStarted):
                    waiting.discard(event.instrument)
                if not waiting:
                    return
    finally:
        events.close()


def _stop_directly(labs: Path, names: list[str]) -> list[Confirmation]:
    return asyncio.run(stop([labs / name for name in names]))


def _stop_by_command(folder: Path) -> list[Confirmation]:
    done = subprocess.run(
        [sys.executable, "-m", "controller", "instrument", "stop", "--all", "--store", str(folder / "store.db"), "--json"],
        capture_output=True, text=True, check=False,  # 1 where one has not confirmed: its row says so
    )  # fmt: skip
    return [
        Confirmation(row["instrument"], row["confirmed"], row["took_s"], tuple(row["stuck"]), row["message"])
        for row in json.loads(done.stdout)
    ]


def _drive(labs: Path, name: str) -> subprocess.Popen[bytes]:
    folder = labs / name
    folder.mkdir(parents=True)
    return subprocess.Popen(
        [sys.executable, "-m", "instruments", "serve", "--driver", "simulated-reactor", "--instrument", name,
         "--controller", str(labs / "rendezvous.json"), "--journal", str(folder / "journal.db"), "--log-level", "error"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
