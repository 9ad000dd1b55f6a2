"""One rehearsal: a controller and its drivers live and die, a plan of misfortunes is carried out, and a witness looks on."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import random
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from controller.domain.campaign import CampaignStatus, Definition
from controller.domain.event import Event
from controller.domain.lab import InstrumentSpec, LabSpec
from controller.drill.lives import Life, current_life, task_factory
from controller.drill.parts import (
    InlineCalls,
    RehearsedClient,
    RehearsedJournal,
    RehearsedServer,
    RehearsedWriter,
    SpaceFilling,
)
from controller.drill.plan import CONTROLLER, TROUBLE_S, Plan, Window
from controller.drill.virtual import VirtualTime
from controller.drill.witness import Witness
from controller.encoding.space import SearchSpace
from controller.engine.loop import CampaignLoop
from controller.engine.session import LabSession, lab_clock
from controller.engine.supervisor import Supervisor
from controller.engine.thinker import Thinker
from controller.errors import LabwrightError
from controller.settings import folder_of, normalise_url
from controller.store.opening import Store
from controller.store.switches import Switch
from controller.store.writing import Writer
from instruments.errors import ActionCancelledError, JournalError
from instruments.protocol.records import AttemptRecord
from instruments.sdk.action import Action
from instruments.sdk.driver import Driver
from instruments.sdk.journal import Journal, JournalReader
from instruments.sdk.options import build_driver
from instruments.sdk.registry import load_driver
from instruments.sdk.server import DriverServer
from instruments.transport.base import ClientTransport, Peer
from instruments.transport.memory import Direction, MemoryNetwork

LIMIT_S = 1500.0
"""A campaign that has not come to its end so long after the trouble is stuck [virtual s]."""
_DOWN_S = 8.0
_REST_S = 13.0
_OFFERS_S = 150.0
_STOP_BOUND_S = 2.0
_LOOK_S = 0.25


class World:
    """A lab in which one seed's misfortunes happen.

    Args:
        definition: The campaign; its lab is simulated.
        plan: What goes wrong.
        clock: Virtual time.
        folder: Where store, journals and device logs are; empty but for a fresh store.
        space: Of the campaign.
    """

    _rest_s, _limit_s = _REST_S, LIMIT_S

    def __init__(self, definition: Definition, plan: Plan, clock: VirtualTime, folder: Path, space: SearchSpace) -> None:
        self._definition, self._plan, self._clock, self._folder, self._space = definition, plan, clock, folder, space
        self._labs = folder_of(normalise_url(str(folder / "store.db"))) / "labs" / definition.lab.lab
        self._begin = clock.monotonic()
        self._rng = random.Random(f"world {plan.seed}")
        self.witness = Witness(definition, self._now)
        self._network = MemoryNetwork(self._disturb)
        self._lives: dict[str, Life] = {}
        self._servers: dict[str, DriverServer] = {}
        self._store: Store | None = None
        self._session: LabSession | None = None
        self._supervisor: Supervisor | None = None
        self._ended = asyncio.Event()
        self._asked_to_end = False
        self._resting = False

    async def rehearse(self) -> None:
        """Let it happen."""
        asyncio.get_running_loop().set_task_factory(task_factory)
        with self._errors_are_violations():
            names = [CONTROLLER, *self._definition.lab.instruments]
            keepers = [asyncio.create_task(self._keep(name)) for name in names]
            happenings = [asyncio.create_task(self._happen())]
            happenings += [asyncio.create_task(self._stop_by_hand(w.what, w.begin)) for w in self._plan.stops]
            happenings.append(asyncio.create_task(self._release_by_hand()))
            happenings += [asyncio.create_task(self._switch_off_and_on(w)) for w in self._plan.switched_off]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TROUBLE_S + self._limit_s):
                    await self._ended.wait()
            if not self._ended.is_set():
                self._report_stuck()
            for life in self._lives.values():
                life.kill()
            for task in (*keepers, *happenings):
                task.cancel()
            await asyncio.gather(*keepers, *happenings, return_exceptions=True)
            for life in self._lives.values():
                await life.over()
            self._let_go()

    def _now(self) -> float:
        return self._clock.monotonic() - self._begin

    @property
    def _quiet(self) -> bool:
        return self._resting or self._now() >= TROUBLE_S

    # --- lives ------------------------------------------------------------------------------------------------------

    async def _keep(self, name: str) -> None:
        """Start a process again whenever it has died."""
        while not self._ended.is_set():
            life = self._lives[name] = Life(name)
            self.witness.say(f"{name} starts")
            life.begin(self._be_controller(life) if name == CONTROLLER else self._be_driver(name, life))
            error = await life.over()
            self.witness.say(f"{name} {'is killed' if life.dead() else 'leaves'}")
            if error is not None:
                self.witness.fail(f"{name} ended on an unexpected error: {type(error).__name__}: {error}")
                await asyncio.sleep(1.0)
            if name == CONTROLLER:
                self._let_go()
            elif name in self._servers:
                self._servers[name]._journal.close()  # a process that dies before it serves has its lock taken away too
            if life.dead() and self._plan.torn:
                self._tear(name)
            await asyncio.sleep(self._time_down())

    def _time_down(self) -> float:
        """Return how long it takes until a process that has ended is started again [virtual s]."""
        return self._rng.uniform(0.1, _DOWN_S)

    # What a process is made of; a rehearsal of another kind may replace each of these.

    def _make_writer(self, life: Life) -> Callable[..., Writer]:
        return functools.partial(RehearsedWriter, life=life, director=self)

    def _make_thinker(self, life: Life) -> Thinker:
        return SpaceFilling(self._space, life, self)

    def _make_driver(self, name: str) -> Driver:
        spec = self._definition.lab.instruments[name]
        return build_driver(_driver_class(spec.driver), _without_crashes(spec))

    def _make_client(self, name: str, life: Life) -> ClientTransport:
        return RehearsedClient(self._network, name, uuid.uuid4().hex, life)

    def _make_journal(self, name: str, life: Life) -> Journal:
        return RehearsedJournal(self._labs / name / "journal.db", instrument=name, life=life, director=self)

    async def _be_controller(self, life: Life) -> None:
        self._store = store = Store.open(str(self._folder / "store.db"), self._make_writer(life))

        def open_lab(spec: LabSpec, folder: Path) -> LabSession:
            self._session = LabSession(spec, folder, transport=RehearsedServer(self._network, life), processes=False)
            return self._session

        thinker = self._make_thinker(life)
        supervisor = Supervisor(store, device="cpu", version="rehearsal", thinker=thinker, open_lab=open_lab)
        self._supervisor = supervisor
        loop = await supervisor.add(self._definition)
        while not loop.finished.is_set() or loop.state.status is CampaignStatus.PAUSED:
            await asyncio.sleep(_LOOK_S)
            if loop.crashed:
                raise RuntimeError("the campaign is no longer under control")
            if loop.state.status is CampaignStatus.PAUSED:
                await loop.ask("resume", {})
            if self._plan.ending and not self._asked_to_end and self._now() > self._plan.ending_at:
                self._asked_to_end = True
                if self._plan.ending == "leave":
                    await supervisor.leave(grace_s=self._rng.uniform(0.0, 5.0), reason="told to leave")
                    return
                if loop.state.status is CampaignStatus.RUNNING:
                    await loop.ask("stop", {})
        await self._come_to_rest(loop)
        await supervisor.leave(grace_s=0.0, reason="the campaign has ended")
        self._ended.set()

    async def _come_to_rest(self, loop: CampaignLoop) -> None:
        self._resting = True
        patience = self._now() + _OFFERS_S
        await asyncio.sleep(self._rest_s)
        while any((waiting := self._waiting()).values()) and self._now() < patience:
            await asyncio.sleep(self._rest_s)  # what was lost often is offered again after longer and longer pauses
        assert self._store is not None  # noqa: S101 - opened by the caller
        self.witness.at_the_end(self._store.reader, waiting)

    def _waiting(self) -> dict[str, int]:
        return {name: _unacknowledged(self._labs / name / "journal.db") for name in self._servers}

    def _let_go(self) -> None:
        """Take from a dead controller what the kernel would take: its locks and its files."""
        session, self._session, self._supervisor = self._session, None, None
        if session is not None:
            session._status.leave_behind()
            if session._lock is not None:
                session._lock.close()
        store, self._store = self._store, None
        if store is not None:
            store.close()

    async def _be_driver(self, name: str, life: Life) -> None:
        spec = self._definition.lab.instruments[name]
        driver = self._make_driver(name)
        if name in self._plan.forgetful:
            known = {action: _forgetful(made) for action, made in driver.actions().items()}
            driver.actions = lambda: known  # type: ignore[method-assign]
        client = self._make_client(name, life)
        while self._session is None:  # drivers are started by a controller
            await asyncio.sleep(0.1)
        server = self._servers[name] = DriverServer(
            driver,
            transport=client,
            journal=self._make_journal(name, life),
            clock=lab_clock(self._labs, self._definition.lab.speed),
            limits=spec.limits,
            tag=spec.driver,
            exit_when_orphaned=True,
            calls=InlineCalls(),
        )
        self._listen_in(name, driver, server, life)
        await server.serve()

    def _listen_in(self, name: str, driver: Driver, server: DriverServer, life: Life) -> None:
        """Have the witness told, before it happens, of everything that the device is to carry out."""
        memory: Any = getattr(driver, "memory", None)
        if memory is None:
            return
        carry_out = memory.begin

        def begin(attempt: str, action: str, arguments: Any, decide: Any) -> Any:
            self.passes("device.begun", life, before=True)
            if life.dead():
                raise ActionCancelledError("the driver is dead")
            self.witness.device_begins(name, attempt, action, arguments, server._capabilities, server.session.held)
            begun = carry_out(attempt, action, arguments, decide)
            self.passes("device.begun", life, before=False)
            return begun

        memory.begin = begin

    # --- misfortunes ------------------------------------------------------------------------------------------------

    def passes(self, point: str, life: Life, *, before: bool) -> None:
        """See `Director.passes`."""
        if life.dead() or self._quiet or self._ended.is_set():
            return
        death = self._plan.due(point, before=before)
        if death is not None:
            self._kill(life, also=death.also, why=f"{'before' if before else 'after'} {point}")

    def _kill(self, life: Life, *, also: bool, why: str) -> None:
        for victim in [life, *(self._lives.values() if also else ())]:
            if not victim.dead():
                self.witness.say(f"kill -9 {victim.name} ({why})")
                victim.kill()

    def delay(self, longest_s: float) -> float:
        """See `Director.delay`."""
        return self._rng.uniform(0.0, longest_s)

    def store_is_away(self) -> bool:
        """See `Director.store_is_away`."""
        return any(window.holds(self._now()) for window in self._plan.store_away)

    def disk_is_full(self, instrument: str) -> bool:
        """See `Director.disk_is_full`."""
        return any(window.holds(self._now(), instrument) for window in self._plan.full_disks)

    def committed(self, events: Sequence[Event]) -> None:
        """See `Director.committed`."""
        assert self._store is not None  # noqa: S101 - somebody has just written to it
        self.witness.committed(events, self._store.reader)

    def journalled(self, instrument: str, record: AttemptRecord) -> None:
        """See `Director.journalled`."""
        self.witness.journalled(instrument, record)

    def _disturb(self, direction: Direction, peer: Peer, frame: bytes) -> Sequence[float]:
        del frame
        life = self._lives[CONTROLLER if direction == "to_driver" else peer.instrument]
        point = "frame.to_driver" if direction == "to_driver" else "frame.to_controller"
        self.passes(point, life, before=True)
        if life.dead() or any(window.holds(self._now(), peer.instrument) for window in self._plan.cuts):
            return ()
        delays = self._delays()
        self.passes(point, life, before=False)
        return delays

    def _delays(self) -> list[float]:
        if self._quiet:
            return [0.0]
        rng, plan = self._rng, self._plan
        if rng.random() < plan.loss:
            return []
        return [
            rng.uniform(60.0, 300.0) if rng.random() < plan.very_late else rng.uniform(0.0, plan.lateness_s)
            for _ in range(2 if rng.random() < plan.doubling else 1)
        ]

    async def _happen(self) -> None:
        """Carry out what is planned for a moment, not for a point of the walk."""
        deaths = [death for death in self._plan.deaths if death.point == "time"]
        timed = [(death.when, functools.partial(self._kill_any, death.also)) for death in deaths]
        timed += [(when, functools.partial(self._set_clock, by)) for when, by in self._plan.jumps]
        for when, happens in sorted(timed, key=lambda pair: pair[0]):
            await asyncio.sleep(max(0.0, when - self._now()))
            happens()

    def _kill_any(self, also: bool) -> None:
        name = self._rng.choice([CONTROLLER, *self._definition.lab.instruments])
        if name in self._lives:
            self._kill(self._lives[name], also=also, why="at any time")

    def _set_clock(self, by: float) -> None:
        self.witness.say(f"the clock on the wall is set by {by:+.0f} s")
        self._clock.jump(by)

    async def _stop_by_hand(self, instrument: str, begin: float) -> None:
        """Stop an instrument (all of them where none is named) as a person does, and look whether it obeyed."""
        await asyncio.sleep(begin)
        names = [instrument] if instrument else list(self._definition.lab.instruments)
        await asyncio.gather(*(self._stop_one(name) for name in names))

    async def _release_by_hand(self) -> None:
        """Release what is stopped and need not be any more; a person looks again, for a stop can be late by minutes."""
        while True:
            for name in self._definition.lab.instruments:
                session = self._session
                link = session.link(name) if session is not None else None
                wanted = any(window.holds(self._now(), name) for window in self._plan.stops)
                if session is not None and link is not None and link.connected and link.held is not None and not wanted:
                    session._hub.resume(name)
            await asyncio.sleep(1.0)

    async def _switch_off_and_on(self, window: Window) -> None:
        """Take instruments out of service, and put them back."""
        names = [window.what] if window.what else list(self._definition.lab.instruments)
        for when, enabled in ((window.begin, False), (window.end, True)):
            await asyncio.sleep(max(0.0, when - self._now()))
            for name in names:
                self.witness.out_of_service.pop(name, None)
                if await self._switch(name, enabled) and not enabled:
                    self.witness.say(f"a person switches {name} off")
                    self.witness.out_of_service[name] = self._now()

    async def _switch(self, name: str, enabled: bool) -> bool:
        """Switch an instrument through whichever controller lives; a person tries again until it is done."""
        while not self._ended.is_set():
            life, store, supervisor = self._lives.get(CONTROLLER), self._store, self._supervisor
            if life is not None and store is not None and supervisor is not None and self._session is not None:
                switch = Switch(self._definition.lab.lab, name, enabled, "rehearsed", "a person", self._clock.time())
                with contextlib.suppress(TimeoutError, LabwrightError):
                    async with asyncio.timeout(3.0):
                        await store.switch(switch)
                        if life.dead():
                            continue
                        await supervisor.switching.look()
                    return True
            await asyncio.sleep(0.5)
        return False

    async def _stop_one(self, name: str) -> None:
        session = self._session
        lives = [self._lives.get(CONTROLLER), self._lives.get(name)]
        if session is None or not session.connected(name):
            return
        self.witness.say(f"a person stops {name}")
        session._hub.stop(name)
        asked = self._now()
        await asyncio.sleep(_STOP_BOUND_S)
        disturbed = self._plan.loss or self._plan.lateness_s > 0.1 or self._plan.very_late or any(
            not (window.end < asked or window.begin > self._now()) for window in (*self._plan.cuts, *self._plan.full_disks)
        )  # fmt: skip
        died = lives != [self._lives.get(CONTROLLER), self._lives.get(name)] or any(life is None or life.dead() for life in lives)
        server = self._servers.get(name)
        if server is None or disturbed or died:
            return
        if server.session.held is None or server.session.running:
            self.witness.fail(f"stop: {name} was not stopped {_STOP_BOUND_S:g} s after it was asked to")

    def _tear(self, name: str) -> None:
        """Leave the beginning of a line or page that was being written at the end of each file of a dead process."""
        labs = self._labs
        files = [self._folder / "store.db-wal"] if name == CONTROLLER else [labs / name / "journal.db-wal"]
        if name != CONTROLLER and (labs / name / "device.jsonl").exists():
            with (labs / name / "device.jsonl").open("ab") as stream:
                stream.write(b'{"event":"began","attempt":"torn'[: self._rng.randint(0, 30)])
        for file in files:
            if not file.exists() and file.parent.exists():
                file.write_bytes(self._rng.randbytes(self._rng.randint(1, 5000)))

    # --- looking on -------------------------------------------------------------------------------------------------

    def _report_stuck(self) -> None:
        counts = {status: n for status, n in self.witness.state.counts().items() if n}
        states = {name: server.session.state for name, server in self._servers.items()}
        self.witness.fail(
            f"stuck: campaign {self.witness.state.status.value} with {counts} {self._limit_s:g} s after the last misfortune; "
            f"drivers {states}"
        )

    @contextlib.contextmanager
    def _errors_are_violations(self) -> Iterator[None]:
        handler = _Errors(self.witness)
        root = logging.getLogger()
        kept, root.handlers = root.handlers, [handler]
        try:
            yield
        finally:
            root.handlers = kept


class _Errors(logging.Handler):
    """An error that the code itself calls unexpected is a violation, unless it was planned or its process is dead."""

    def __init__(self, witness: Witness) -> None:
        super().__init__(logging.ERROR)
        self._witness = witness

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        life = current_life()
        if isinstance(error, JournalError) or (life is not None and life.dead()) or error is None:
            return
        self._witness.fail(f"error: {record.getMessage()}: {type(error).__name__}: {error}")


_driver_class = functools.lru_cache(maxsize=64)(load_driver)


def _unacknowledged(journal: Path) -> int:
    with JournalReader(journal) as reader:
        return sum(record.acknowledged_at is None and record.rejected is None for record in reader.records())


def _without_crashes(spec: InstrumentSpec) -> dict[str, Any]:
    """Return an instrument's options without deaths of its process: the plan decides about those."""
    options = dict(spec.options)
    if isinstance(faults := options.get("faults"), dict):
        options["faults"] = {key: value for key, value in faults.items() if key != "crash"}
    return options


def _forgetful(action: Action) -> Action:
    return Action(**{**vars(action), "recover": None})


def fresh_folder(folder: Path, store: Path) -> Path:
    """Make `folder` anew with a copy of an empty store in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(store, folder / "store.db")
    return folder
