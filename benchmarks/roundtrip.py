"""What an attempt costs, as a multiple of what it must cost at least: one message there and back, and one durable commit.

`one`: one attempt at a time through everything that is real: engine, ledger, store (SQLite), hub, ZeroMQ, a driver process with its
journal on the disk. The unit is a bare pyzmq ROUTER/DEALER echo between two processes plus one SQLite commit (write-ahead log,
`synchronous=FULL`, as in the store), measured before and after each of many short rounds: how long a flush takes can change
twentyfold from one minute to the next, so each round is compared with its own unit. Beside it stands the least that an attempt
can cost with its three flushes (`benchmarks/least.py`).

`many`: hundreds of instruments in flight on the same engine, ledger and store. Their drivers are real driver sessions behind real
ZeroMQ sockets, all in one other process, with journals in memory: in a laboratory each has a disk and a processor of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import multiprocessing
import sqlite3
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import zmq

from benchmarks.instruments_in_flight import serve_instruments
from benchmarks.least import Least
from benchmarks.touching import touching_process
from controller.domain.campaign import Budget, CampaignStatus, Definition
from controller.domain.event import (
    AttemptCommitted,
    AttemptStatusChanged,
    CampaignCreated,
    CampaignStatusChanged,
    Event,
    ExperimentProposed,
    ExperimentStatusChanged,
    Measurement,
)
from controller.domain.experiment import AttemptStatus, ExperimentStatus
from controller.domain.ids import new_id
from controller.domain.lab import EXTERNAL, InstrumentSpec, LabSpec, StepSpec
from controller.domain.objective import Objective
from controller.domain.parameter import ContinuousParameter
from controller.domain.proposal import Proposal
from controller.domain.space import Problem
from controller.domain.state import CampaignState
from controller.engine.loop import CampaignLoop
from controller.engine.supervisor import Supervisor
from controller.engine.thinker import Thinker
from controller.store.jobs import Unit
from controller.store.opening import Store
from instruments.protocol.codec import decode_from_controller, decode_from_driver, encode
from instruments.protocol.messages import Accepted, Acknowledge, Command, Finished, Started
from instruments.protocol.records import AttemptRecord
from instruments.protocol.values import MeasuredValue, Succeeded
from instruments.sdk.journal import Journal

MOST_UNITS = 3.0
LEAST_RATE = 1000.0
_STEPS_PER_LAB = 25


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--attempts", type=int, default=40, help="one at a time, in each round")
    parser.add_argument("--instruments", type=int, default=500, help="in flight at once")
    parser.add_argument("--experiments", type=int, default=40, help=f"of {_STEPS_PER_LAB} attempts each, in each lab")
    parser.add_argument("--action-s", type=float, default=0.1, help="how long each action takes when many are in flight")
    parser.add_argument("--folder", type=Path, default=None, help="where store and journals go; a temporary folder by default")
    parser.add_argument("--only", choices=("one", "many", "parts"), default=None)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/roundtrip.json"))


# --- campaigns whose experiments wait already ------------------------------------------------------------------------


def make_definition(name: str, *, steps: int, experiments: int, batch: int) -> Definition:
    """Return a campaign in a lab of its own, of `steps` instruments; each experiment uses all of them, in no order."""
    names = [f"i{n}" for n in range(steps)]
    return Definition(
        name=name,
        problem=Problem(
            parameters={"level": ContinuousParameter(bounds=(0.0, 1.0))}, objectives={"value": Objective(goal="maximize")}
        ),
        budget=Budget(experiments=experiments),
        batch=batch,
        seed=0,
        lab=LabSpec(
            lab=name,
            simulated=True,
            instruments={n: InstrumentSpec(driver=EXTERNAL) for n in names},
            protocol=tuple(
                StepSpec(
                    step=n, instrument=n, action="touch", arguments={"level": "$level"},
                    gives={"value": "value"} if n == names[0] else {},
                )
                for n in names
            ),
        ),
    )  # fmt: skip


def enter(store: Store, definition: Definition) -> None:
    """Enter a campaign with all its experiments queued, so that no proposer is needed."""
    stamp = {"campaign": new_id(), "at": time.time()}
    created = CampaignCreated(
        **stamp, name=definition.name, definition_fingerprint=definition.fingerprint, seed=0, simulated=definition.simulated
    )
    store.commit_now([created, CampaignStatusChanged(**stamp, status=CampaignStatus.RUNNING)], definition=definition)
    events: list[Event] = []
    for number in range(1, definition.budget.experiments + 1):
        key, point = new_id(), {"level": number / (definition.budget.experiments + 1)}
        proposal = Proposal(point=point, source="user")
        events.append(ExperimentProposed(**stamp, experiment=key, number=number, proposal=proposal))
        events.append(ExperimentStatusChanged(**stamp, experiment=key, status=ExperimentStatus.QUEUED))
    store.commit_now(events)


class _NoThinker(Thinker):
    """Nothing is to be proposed, so no process is started."""

    async def start(self) -> None:
        self.ready.set()


@contextlib.asynccontextmanager
async def _controller(store: Store) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(store, device="cpu", version="benchmark", thinker=_NoThinker(store.folder / "none.log"))
    try:
        yield supervisor
    finally:
        await supervisor.leave(grace_s=0.0, reason="measured")


# --- the unit --------------------------------------------------------------------------------------------------------


def _echo(address: str) -> None:
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.set(zmq.ROUTING_ID, b"echo")
    socket.connect(address)
    socket.send(b"here")
    while True:
        socket.send(socket.recv())


class Bare:
    """The least that a durable round trip can be: an echo from another process, then one row made durable."""

    def __init__(self, folder: Path) -> None:
        self._router = zmq.Context.instance().socket(zmq.ROUTER)
        self._router.bind("tcp://127.0.0.1:0")
        address = self._router.get_string(zmq.LAST_ENDPOINT).rstrip("\0")
        self._process = multiprocessing.get_context("spawn").Process(target=_echo, args=(address,), daemon=True)
        self._process.start()
        self._router.recv_multipart()
        self._database = sqlite3.connect(folder / "bare.db", isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute("CREATE TABLE event (id TEXT PRIMARY KEY, body TEXT)")
        self._n = 0

    def measure(self, n: int) -> list[tuple[float, float]]:
        """Return (echo, commit) [s], `n` times."""
        found = []
        body = b"x" * 300
        for _ in range(n):
            begun = time.perf_counter()
            self._router.send_multipart([b"echo", body])
            self._router.recv_multipart()
            echoed = time.perf_counter()
            self._n += 1
            self._database.execute("INSERT INTO event VALUES (?, ?)", (f"{self._n:032d}", body.decode()))
            found.append((echoed - begun, time.perf_counter() - echoed))
        return found

    def close(self) -> None:
        """End the echo's process."""
        self._process.kill()
        self._process.join()
        self._router.close(linger=0)
        self._database.close()


# --- one at a time ---------------------------------------------------------------------------------------------------


async def one_at_a_time(folder: Path, rounds: int, attempts: int) -> dict[str, Any]:
    """Measure attempts in turn, each round between measurements of the unit."""
    bare, least = Bare(folder), Least(folder)
    measured: list[dict[str, float]] = []
    with Store.open(f"sqlite:///{folder / 'one.db'}") as store:
        for n in range(rounds):
            definition = make_definition(f"one{n}", steps=1, experiments=attempts, batch=1)
            enter(store, definition)
            lab = store.folder / "labs" / definition.lab.lab
            units = bare.measure(50)
            async with _controller(store) as supervisor:
                with touching_process(lab / "i0", "i0", str(lab / "rendezvous.json"), "--exit-when-orphaned"):
                    before = store.n_commits
                    loop = await supervisor.add(definition)
                    stamps = await _follow(loop, attempts)
                    commits = (store.n_commits - before) / attempts
            units += bare.measure(50)
            floor = 1e3 * statistics.median(least.measure(50))
            echo, commit = (1e3 * statistics.median(u[i] for u in units) for i in (0, 1))
            attempt = 1e3 * statistics.median(b - a for a, b in pairwise(stamps))
            measured.append(
                {
                    "echo_ms": echo, "commit_ms": commit, "attempt_ms": attempt,
                    "units_per_attempt": attempt / (echo + commit), "store_commits_per_attempt": commits,
                    "least_ms": floor, "units_at_least": floor / (echo + commit),
                }
            )  # fmt: skip
    bare.close()
    least.close()
    found = {name: statistics.median(round[name] for round in measured) for name in measured[0]}
    for name, choose in (("fastest", min), ("slowest", max)):
        round = choose(measured, key=lambda round: round["commit_ms"])
        found |= {f"{name}_disk_{what}": round[what] for what in ("commit_ms", "attempt_ms", "units_per_attempt")}
    return found


async def _follow(loop: CampaignLoop, n: int) -> list[float]:
    """Return when each experiment (of one attempt) had ended, from the first on; the wait for the driver is not among them."""
    stamps: list[float] = []
    apply = loop.state.apply

    def noting(event: Event) -> None:
        apply(event)
        if isinstance(event, ExperimentStatusChanged) and event.status is ExperimentStatus.COMPLETED:
            stamps.append(time.perf_counter())

    loop.state.apply = noting  # type: ignore[method-assign]
    async with asyncio.timeout(300.0):
        await loop.finished.wait()
    assert len(stamps) == n, loop.state.counts()  # noqa: S101
    return stamps


# --- many at once ----------------------------------------------------------------------------------------------------


async def many_at_once(folder: Path, instruments: int, experiments: int, action_s: float) -> dict[str, Any]:
    """Measure how many attempts per second go through one controller."""
    names = [f"many{n}" for n in range(max(1, instruments // _STEPS_PER_LAB))]
    with Store.open(f"sqlite:///{folder / 'many.db'}") as store:
        definitions = [make_definition(n, steps=_STEPS_PER_LAB, experiments=experiments, batch=2) for n in names]
        for definition in definitions:
            enter(store, definition)
        places = {n: str(store.folder / "labs" / n / "rendezvous.json") for n in names}
        process = multiprocessing.get_context("spawn").Process(
            target=serve_instruments, args=(places, [f"i{n}" for n in range(_STEPS_PER_LAB)], action_s), daemon=True
        )
        async with _controller(store) as supervisor:
            loops = [await supervisor.add(d) for d in definitions]
            process.start()
            try:
                total = len(names) * experiments
                begun_at, cpu = await _when(loops, 0.2 * total), time.process_time()
                begun, commits = time.perf_counter(), store.n_commits
                ended_at = await _when(loops, 0.8 * total)
                seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
                commits = store.n_commits - commits
                in_flight = sum(len(loop.state.open_attempts()) for loop in loops)
            finally:
                process.kill()
                process.join()
    n = (ended_at - begun_at) * _STEPS_PER_LAB
    return {
        "instruments": len(names) * _STEPS_PER_LAB,
        "in_flight_at_the_end": in_flight,
        "attempts_per_s": n / seconds,
        "attempts_per_commit": n / max(1, commits),
        "controller_cpu_ms_per_attempt": 1e3 * cpu / n,
        "seconds": seconds,
    }


async def _when(loops: list[CampaignLoop], n: float) -> int:
    """Wait until so many experiments have ended, and return how many have."""
    async with asyncio.timeout(280.0):
        while (ended := sum(loop.state.counts()["completed"] for loop in loops)) < n:
            await asyncio.sleep(0.02)
    return ended


# --- parts -----------------------------------------------------------------------------------------------------------


def parts(folder: Path) -> list[tuple[str, tuple[float, ...]]]:
    """Return what each part of an attempt costs by itself: time, and time of the processor [us]."""
    stamp = {"campaign": "c", "at": time.time()}
    outcome = Succeeded(values={"value": MeasuredValue(value=0.5)}, started_at=1.0, finished_at=2.0)
    command = Command(attempt=new_id(), action="touch", arguments={"level": 0.5})
    from_driver = [
        Accepted(attempt=command.attempt, duration_s=(0.0, 60.0)),
        Started(attempt=command.attempt, at=1.0),
        Finished(attempt=command.attempt, outcome=outcome),
    ]
    to_driver = [command, Acknowledge(attempt=command.attempt)]
    frames = [encode(m) for m in from_driver], [encode(m) for m in to_driver]
    journal = Journal(folder / "parts-journal.db", instrument="i")
    memory = Journal(None, instrument="i")
    record = AttemptRecord(
        attempt="a", action="touch", arguments={"level": 0.5}, received={"level": 0.5}, units={}, duration_s=(0.0, 60.0),
        deadline_s=60.0, accepted_at=1.0, conversions={},
    )  # fmt: skip
    definition = make_definition("parts", steps=1, experiments=1, batch=1)
    keys = itertools.count()

    def events() -> list[Event]:
        key = f"a{next(keys)}"
        common = {**stamp, "attempt": key, "experiment": "e"}
        committed = AttemptCommitted(
            **common, step="i0", ordinal=int(key[1:]) + 1, instrument="i0", action="touch", arguments={"level": 0.5}, units={}
        )
        measured = (Measurement(name="value", value=0.5),)
        return [committed, *(AttemptStatusChanged(**common, status=s) for s in _THROUGH), AttemptStatusChanged(
            **common, status=AttemptStatus.SUCCEEDED, measurements=measured)]  # fmt: skip

    state = CampaignState()
    created = CampaignCreated(
        **stamp, name="parts", definition_fingerprint=definition.fingerprint, seed=0, simulated=definition.simulated
    )
    opening: list[Event] = [created, CampaignStatusChanged(**stamp, status=CampaignStatus.RUNNING)]
    proposal = Proposal(point={"level": 0.5}, source="user")
    opening.append(ExperimentProposed(**stamp, experiment="e", number=1, proposal=proposal))
    opening += [ExperimentStatusChanged(**stamp, experiment="e", status=s) for s in _BEGUN]
    for event in opening:
        state.apply(event)

    def fold_one() -> None:
        for event in events():
            state.apply(event)

    with Store.open(f"sqlite:///{folder / 'parts.db'}") as store:
        store.commit_now(opening, definition=definition)

        def commit_group() -> None:
            store.commit_now([event for _ in range(100) for event in events()])

        return [
            ("controller encodes command and acknowledgement", _time(lambda: [encode(m) for m in to_driver])),
            ("controller decodes accepted, started, finished", _time(lambda: [decode_from_driver(f) for f in frames[0]])),
            ("driver encodes accepted, started, finished", _time(lambda: [encode(m) for m in from_driver])),
            ("driver decodes command and acknowledgement", _time(lambda: [decode_from_controller(f) for f in frames[1]])),
            ("four events made", _time(events)),
            ("four events made and folded", _time(fold_one)),
            ("four events made and serialised", _time(lambda: Unit(tuple(events())))),
            ("four events written, in a group of 100 attempts", tuple(t / 100 for t in _time(commit_group, 20))),
            ("journal write in memory", _time(lambda: memory.write(record))),
            ("journal write made durable", _time(lambda: journal.write(record), 100)),
        ]


_THROUGH = (AttemptStatus.ACCEPTED, AttemptStatus.RUNNING)
_BEGUN = (ExperimentStatus.QUEUED, ExperimentStatus.RUNNING)


def _time(work: Callable[[], object], n: int = 2000) -> tuple[float, float]:
    """Return the time and the processor's time that `work` takes [us]."""
    work()
    begun, cpu = time.perf_counter(), time.process_time()
    for _ in range(n):
        work()
    return 1e6 * (time.perf_counter() - begun) / n, 1e6 * (time.process_time() - cpu) / n


def run(chosen: argparse.Namespace) -> int:
    """Measure, print the tables, and return 0 when both bars are kept."""
    result: dict[str, Any] = {}
    kept = True
    with tempfile.TemporaryDirectory(prefix="labwright-roundtrip-", dir=chosen.folder) as temporary:
        folder = Path(temporary)
        if chosen.only in (None, "one"):
            result["one"] = one = asyncio.run(one_at_a_time(folder, chosen.rounds, chosen.attempts))
            _print("one at a time", one)
            kept &= one["units_per_attempt"] <= MOST_UNITS
        if chosen.only in (None, "many"):
            many = asyncio.run(many_at_once(folder, chosen.instruments, chosen.experiments, chosen.action_s))
            result["many"] = many
            _print("many at once", many)
            kept &= many["attempts_per_s"] >= LEAST_RATE
        if chosen.only in (None, "parts"):
            result["parts_us"] = dict(parts(folder))
            print(f"{'each part by itself [us]':54} {'time':>10} {'processor':>10}")
            for name, (wall, cpu) in result["parts_us"].items():
                print(f"  {name:52} {wall:10.1f} {cpu:10.1f}")
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps(result, indent=1), encoding="utf-8")
    return 0 if kept else 1


def _print(title: str, rows: dict[str, Any]) -> None:
    print(title)
    for name, value in rows.items():
        print(f"  {name:52} {value:10.2f}")
