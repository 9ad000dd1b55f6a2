"""One cell happens: a small campaign is driven to exactly one point, one fault strikes there, then it is left in peace."""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from controller.domain.campaign import CampaignStatus, Definition
from controller.domain.event import (
    AlarmRaised,
    AttemptCommitted,
    AttemptStatusChanged,
    CampaignStatusChanged,
    Event,
    ExperimentProposed,
    ExperimentStatusChanged,
)
from controller.domain.experiment import AttemptStatus, ExperimentStatus
from controller.domain.request import Request
from controller.drill import virtual
from controller.drill.lives import Life
from controller.drill.parts import RehearsedClient, RehearsedWriter, SpaceFilling
from controller.drill.plan import CONTROLLER, Plan
from controller.drill.rehearsing import empty_store, workplace
from controller.drill.virtual import VirtualTime
from controller.drill.world import World, fresh_folder
from controller.encoding.space import SearchSpace
from controller.engine.loop import CampaignLoop
from controller.engine.session import LabSession
from controller.engine.supervisor import Supervisor
from controller.engine.thinker import Thinker
from controller.errors import CampaignLockedError
from controller.store.opening import Store
from controller.store.writing import Writer
from instruments.errors import RefusedError
from instruments.protocol.codec import decode_from_controller, decode_from_driver
from instruments.protocol.messages import Message
from instruments.protocol.records import AttemptRecord
from instruments.sdk.driver import Driver
from instruments.sdk.journal import Journal, JournalReader
from instruments.sdk.server import DriverServer
from instruments.transport.base import ClientTransport, Peer
from instruments.transport.memory import Direction
from tests.controller.drill.crash.cell import Cell, Told, campaign
from tests.controller.drill.crash.matrix import (
    AGAIN_S,
    CONTROLLER_DIED,
    CUT_S,
    DOWN_S,
    DRIVER_DIED,
    JUMP_H,
    LATE_S,
    TROUBLE_S,
    target_of,
)
from tests.controller.drill.crash.parts import Acts, CellJournal, CellThinker, CellWriter, OlderClient
from tests.controller.drill.crash.rig import INSTRUMENT, SECONDS, Rig

_LIMIT_S = 30.0
"""How long the store or the journal takes nothing at most, where nobody writes to it [virtual s]."""
_REST_S = 4.0
_SMALL_TALK = frozenset({"ping", "heartbeat", "state_changed", "progress"})
"""Types of messages that a fault of one message does not hit."""


def play(cell: Cell) -> Told:
    """Let a cell happen, and return what came of it."""
    # Where the campaign is ended early, something must be waiting that is not to begin any more.
    definition = campaign(cell.consequence, ahead=2 if cell.point in ("campaign stopped", "campaign aborted") else 0)
    folder = fresh_folder(workplace() / "cell", empty_store())
    worlds: list[CellWorld] = []

    async def live(clock: VirtualTime) -> None:
        worlds.append(CellWorld(definition, cell, clock, folder, _space()))
        await worlds[0].rehearse()

    virtual.run(live, random.Random("matrix"))
    with Store.open(str(folder / "store.db")) as store:
        return worlds[0].told(store)


@lru_cache(maxsize=1)
def _space() -> SearchSpace:
    return SearchSpace.of(campaign("repeatable").problem)


class CellWorld(World):
    """A lab in which one fault strikes at one point.

    Args:
        definition: The campaign, see `campaign`.
        cell: What strikes, and where.
        clock: Virtual time.
        folder: As for `World`.
        space: Of the campaign.
    """

    def __init__(self, definition: Definition, cell: Cell, clock: VirtualTime, folder: Path, space: SearchSpace) -> None:
        calm = Plan(
            seed=0, loss=0.0, doubling=0.0, lateness_s=0.0, very_late=0.0, deaths=[], cuts=[], full_disks=[], store_away=[],
            jumps=[], stops=[], switched_off=[], forgetful=set() if cell.hook else {INSTRUMENT}, torn="killed" in cell.fault,
        )  # fmt: skip
        super().__init__(definition, calm, clock, folder, space)
        self.witness: Acts = Acts(definition, self._now)
        self.disk = ""
        """What takes nothing at present: `store`, `journal` or nothing."""
        self._cell = cell
        self._target = self._experiment = ""
        self._alarms: dict[str, set[str | None]] = {}
        self._reached_at: float | None = None
        self._begun_before = 0
        self._cut_short: set[str] = set()
        self._struck: list[str] = []
        self._asked = self._died_before = False
        self._to_spoil: set[Direction] = set()
        self._overtaken: dict[Direction, tuple[Peer, bytes]] = {}
        self._quiet_until = 0.0
        self._cut_until = 0.0
        self._lift: Callable[[], None] | None = None
        self._older_starts = 0
        self._claims_less = False
        self._put_back = False
        self._others: list[Life] = []

    def told(self, store: Store) -> Told:
        """Return what came of it; `store` is the one it happened in, opened anew."""
        state = self.witness.state
        return Told(
            state, self.witness.acts, self.witness.broken, self._alarms, self._reached_at, self._begun_before, self._cut_short,
            self._struck,
            ({k: n for k, n in state.counts().items() if n}, {k: n for k, n in store.reader.counts(state.id).items() if n}),
            list(self.witness.trace),
        )  # fmt: skip

    async def rehearse(self) -> None:
        """Let it happen."""
        try:
            await super().rehearse()
        finally:
            self._end_trouble()
            for life in self._others:
                life.kill()
                await life.over()

    # --- points -----------------------------------------------------------------------------------------------------

    def committed(self, events: Sequence[Event]) -> None:
        """See `Director.committed`."""
        super().committed(events)
        for event in events:
            if isinstance(event, ExperimentProposed) and event.number == target_of(self._cell.point):
                self._experiment = event.experiment
            elif isinstance(event, AttemptCommitted) and event.experiment == self._experiment and not self._target:
                self._target = event.attempt
            elif isinstance(event, AlarmRaised):
                self._alarms.setdefault(event.code, set()).add(event.experiment)
        for event in events:
            match event:
                case ExperimentStatusChanged(status=ExperimentStatus.QUEUED) if event.experiment == self._experiment:
                    self._reach("proposal committed")
                case AttemptCommitted() if event.attempt == self._target:
                    self._reach("intent committed")
                case AttemptStatusChanged(status=AttemptStatus.ACCEPTED) if event.attempt == self._target:
                    self._reach("acceptance committed")
                case AttemptStatusChanged(status=AttemptStatus.RUNNING) if event.attempt == self._target:
                    self._reach("start committed")
                case AttemptStatusChanged(status=AttemptStatus.SUCCEEDED) if event.attempt == self._target:
                    self._reach("result committed")
                case CampaignStatusChanged(status=CampaignStatus.COMPLETED):
                    self._reach("campaign finished")
                case CampaignStatusChanged(status=CampaignStatus.STOPPING):
                    self._reach("campaign stopped")
                    self._reach("campaign aborted")

    def journalled(self, instrument: str, record: AttemptRecord) -> None:
        """See `Director.journalled`."""
        super().journalled(instrument, record)
        if record.attempt != self._target:
            return
        if self._cell.point == "begun at once" and record.phase == "running":
            self._reach("begun at once")
        self._reach({"running": "started"}.get(record.phase, record.phase))
        if record.phase == "finished":
            self._reach("recovered")

    def passes(self, point: str, life: Life, *, before: bool) -> None:
        """See `Director.passes`."""
        if life.dead() or before:
            return
        if point == "proposal.made":
            self._keep_journal()
            self._reach("proposal made")
        elif point == "device.begun" and self.witness.last == self._target:
            self._reach("acting")
            self._ask()
            if not self._died_before and self._cell.point in CONTROLLER_DIED + DRIVER_DIED:
                self._died_before = True
                self._end(CONTROLLER if self._cell.point in CONTROLLER_DIED else INSTRUMENT)
                self._struck.clear()  # that was not the fault yet

    def refitted(self, request: Request) -> None:
        """Take note that the proposer was given everything that is known."""
        if len(request.observed) >= target_of(self._cell.point):
            self._reach("refitted")

    def _ask(self) -> None:
        """Let a person stop the campaign, or the instrument, where the cell is about that."""
        if self._asked or self._cell.point not in ("campaign stopped", "campaign aborted", "instrument stopped"):
            return
        self._asked = True

        async def ask() -> None:
            if self._cell.point == "instrument stopped":
                assert self._session is not None
                self._session._hub.stop(INSTRUMENT)
            else:
                assert self._supervisor is not None
                (loop,) = self._supervisor.loops.values()
                await loop.ask("stop" if self._cell.point == "campaign stopped" else "abort", {})

        self._live("a person", ask())

    def _live(self, name: str, work: Any) -> None:
        self._others.append(Life(name))
        self._others[-1].begin(work)

    def _reach(self, point: str) -> None:
        if point != self._cell.point or self._reached_at is not None:
            return
        self._reached_at = self._now()
        self._begun_before = self.witness.acts[self._target]
        self.witness.say(f"REACHED: {point}; now: {self._cell.fault}")
        self._strike()

    # --- faults -----------------------------------------------------------------------------------------------------

    def _strike(self) -> None:
        match self._cell.fault:
            case "controller killed":
                self._end(CONTROLLER)
            case "driver killed":
                self._end(INSTRUMENT)
            case "both killed":
                self._end(CONTROLLER, INSTRUMENT)
            case "lost" | "doubled" | "reordered" | "late":
                self._to_spoil = {"to_driver", "to_controller"}
            case "cut":
                self._cut_until = self._now() + CUT_S
                look = partial(self._look_whether_cut, self._servers[INSTRUMENT])
                asyncio.get_running_loop().call_later(CUT_S - 0.1, look)
            case "store full" | "journal full":
                self.disk = self._cell.fault.removesuffix(" full")
                self._lift = partial(setattr, self, "disk", "")
            case "store locked":
                holder = sqlite3.connect(self._folder / "store.db", isolation_level=None)
                holder.execute("BEGIN IMMEDIATE")
                self._lift = holder.close
            case "store gone":
                file, away = self._folder / "store.db", self._folder / "elsewhere.db"
                file.rename(away)
                self._lift = lambda: (away.rename(file), None)[1]
            case "clock forward" | "clock back":
                self._clock.jump(3600.0 * (JUMP_H if self._cell.fault == "clock forward" else -JUMP_H))
                self._struck.append("the clock was set")
            case "second controller":
                self._live("second controller", self._start_second())
            case "older journal":
                self._put_back = True
                self._end(INSTRUMENT)
            case "older driver":
                self._older_starts = 2
                self._end(INSTRUMENT)
            case "older claims":
                self._claims_less = True
                self._end(INSTRUMENT)
        if self._lift is not None:
            asyncio.get_running_loop().call_later(_LIMIT_S, self._end_trouble)

    def _end(self, *names: str) -> None:
        for name in names:
            life = self._lives[name]
            if not life.dead():
                self.witness.say(f"kill -9 {name}")
                life.kill()
                self._struck.append(f"{name} was killed")
            if name == INSTRUMENT and INSTRUMENT in self._servers:
                self._cut_short |= set(self._servers[INSTRUMENT].session.running)

    def refused(self, what: str) -> None:
        """Take note that the store or the journal took nothing; a while later it does again."""
        if not any(text.startswith("refused") for text in self._struck):
            asyncio.get_running_loop().call_later(TROUBLE_S, self._end_trouble)
        self._struck.append(f"refused: {what}")

    def _end_trouble(self) -> None:
        if self._lift is not None:
            self._lift()
            self._lift = None

    def _look_whether_cut(self, server: DriverServer) -> None:
        session = self._session
        if server.session.lost and session is not None and not session.connected(INSTRUMENT):
            self._struck.append("both sides have noticed the cut")

    async def _start_second(self) -> None:
        """Start a controller on this campaign, and one of another campaign in this lab; both must be sent away."""
        for name in (self._definition.name, "another"):
            life = Life("second")
            store = Store.open(str(self._folder / "store.db"), partial(RehearsedWriter, life=life, director=self))
            supervisor = Supervisor(
                store, device="cpu", version="second", thinker=SpaceFilling(self._space, life, self),
                open_lab=lambda spec, folder: LabSession(spec, folder, transport=self._network.server(), processes=False),
            )  # fmt: skip
            try:
                await supervisor.add(self._definition.model_copy(update={"name": name}))
            except CampaignLockedError as error:
                self._struck.append(f"sent away: {error}")
            else:
                self.witness.fail(f"a second controller was let in on campaign {name}")
            finally:
                await supervisor.leave(grace_s=0.0, reason="sent away")
                store.close()

    # --- messages ---------------------------------------------------------------------------------------------------

    def _disturb(self, direction: Direction, peer: Peer, frame: bytes) -> Sequence[float]:
        message = decode_from_controller(frame) if direction == "to_driver" else decode_from_driver(frame)
        self._look_at(message)
        if self._now() < self._cut_until:
            return ()
        if message.type in _SMALL_TALK:
            return (0.0,)
        held = self._overtaken.pop(direction, None)
        if held is not None:
            self._struck.append(f"a message was overtaken by {message.type}")
            asyncio.get_running_loop().call_later(0.001, self._network._deliver, direction, *held)
        if direction not in self._to_spoil:
            return (0.0,)
        self._to_spoil.discard(direction)
        return self._spoil(direction, peer, frame, message)

    def _spoil(self, direction: Direction, peer: Peer, frame: bytes, message: Message) -> Sequence[float]:
        fault = self._cell.fault
        self.witness.say(f"{fault}: {message.type} {direction}")
        if fault == "reordered":
            self._overtaken[direction] = peer, frame
            return ()
        self._struck.append(f"{fault}: {message.type}")
        delays = {"lost": (), "doubled": (0.0, 0.0, AGAIN_S), "late": (LATE_S,)}[fault]
        self._quiet_until = self._now() + max(delays, default=0.0)
        return delays

    def _look_at(self, message: Message) -> None:
        if message.type == "stop":
            self._reach("instrument stopped")
        elif self._died_before and message.type in ("welcome", "hello"):
            self._reach("welcomed back" if message.type == "welcome" else "come back")
        elif message.type == "inquire" and self._target in message.attempts:
            self._reach("asked after")
        if getattr(message, "attempt", None) != self._target:
            return
        points = {
            "command": "command sent", "accepted": "acceptance sent", "started": "start sent", "finished": "result sent",
            "acknowledge": "acknowledgement sent", "report": "answered",
        }  # fmt: skip
        if message.type in points:
            self._reach(points[message.type])

    # --- lives ------------------------------------------------------------------------------------------------------

    _rest_s, _limit_s = _REST_S, 200.0

    def _time_down(self) -> float:
        # After the death before the fault the device must still be acting.
        return DOWN_S if self._reached_at is not None else 0.25 * SECONDS

    def delay(self, longest_s: float) -> float:
        """See `Director.delay`."""
        return 0.5 * longest_s

    def _make_writer(self, life: Life) -> Callable[..., Writer]:
        return partial(CellWriter, life=life, director=self)

    def _make_thinker(self, life: Life) -> Thinker:
        return CellThinker(self._space, life, self)

    def _make_journal(self, name: str, life: Life) -> Journal:
        return CellJournal(self._labs / name / "journal.db", instrument=name, life=life, director=self)

    def _make_driver(self, name: str) -> Driver:
        if not self._claims_less:
            return super()._make_driver(name)
        self._struck.append("the older driver claims that the action is repeatable")
        return Rig(consequence="repeatable")

    def _make_client(self, name: str, life: Life) -> ClientTransport:
        client = super()._make_client(name, life)
        assert isinstance(client, RehearsedClient)
        return OlderClient(client, life) if self._older_starts else client

    async def _be_driver(self, name: str, life: Life) -> None:
        journal = self._labs / name / "journal.db"
        if self._put_back:
            self._put_back = False
            for file in journal.parent.glob("journal.db*"):
                if file.suffix != ".lock":
                    file.unlink()
            shutil.copy(journal.with_name("older.db"), journal)
            with JournalReader(journal) as reader:
                self.witness.forget({record.attempt for record in reader.records()})
            self._struck.append("the journal was put back")
        if not self._older_starts:
            await super()._be_driver(name, life)
            return
        with contextlib.suppress(RefusedError):
            await super()._be_driver(name, life)
        if not life.dead():
            self._struck.append("the older driver was refused")
        self._older_starts -= 1

    def _keep_journal(self) -> None:
        """Take a copy of the journal, as somebody does who makes backups."""
        journal = self._labs / INSTRUMENT / "journal.db"
        if self._cell.fault != "older journal" or journal.with_name("older.db").exists():
            return
        with (
            contextlib.closing(sqlite3.connect(journal)) as source,
            contextlib.closing(sqlite3.connect(journal.with_name("older.db"))) as copy,
        ):
            source.backup(copy)

    async def _come_to_rest(self, loop: CampaignLoop) -> None:
        await asyncio.sleep(max(0.0, max(self._quiet_until, self._cut_until) - self._now()))
        await super()._come_to_rest(loop)
