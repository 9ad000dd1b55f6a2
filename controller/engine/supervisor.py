"""Many campaigns, one controller: labs are opened when the first campaign needs them and shared by the others."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from controller.domain.by_hand import is_by_hand
from controller.domain.campaign import CampaignStatus, Definition
from controller.domain.event import (
    CampaignAmended,
    CampaignCreated,
    CampaignStatusChanged,
    ControllerAttached,
    ControllerDetached,
    Event,
)
from controller.domain.ids import new_id
from controller.domain.state import CampaignState, fold
from controller.engine.admission import Keyring
from controller.engine.loop import CampaignLoop
from controller.engine.session import LabSession, check_same_lab
from controller.engine.snapshot import Snapshot, snapshot_of
from controller.engine.switching import Switching
from controller.engine.thinker import Thinker
from controller.errors import ConflictError, LabwrightError, StoreError
from instruments.emergency import Mode
from instruments.errors import InstrumentError

if TYPE_CHECKING:
    from pathlib import Path

    from controller.domain.lab import LabSpec
    from controller.store.locking import Lock
    from controller.store.opening import Store
    from controller.store.records import Request as AskedRequest

REQUESTS_S = 0.2
"""How often requests of people are looked for in the store [real s]."""
INSTRUMENT_VERBS = frozenset({"instrument.stop", "instrument.resume", "instrument.switched", "instrument.read"})
"""Requests about instruments of a lab, which no campaign has to be asked for."""
SHUTDOWN_S = 5.0
"""How long idle drivers, and the store, are waited for when the controller leaves [real s]."""
_AMENDABLE = ("description", "budget", "batch", "failures", "context_from", "lab")

UNFINISHED = frozenset({CampaignStatus.DRAFT, CampaignStatus.RUNNING, CampaignStatus.PAUSED, CampaignStatus.STOPPING})

log = logging.getLogger(__name__)


class Supervisor:
    """Runs campaigns of one store.

    Args:
        store: The store.
        device: `cpu`, `cuda` or `auto`, for the models.
        version: Of this program, for the log.
        thinker: The proposer process; one of its own when left out.
        open_lab: Makes the session of a lab from its description and its folder; one with the store's keys when left out.
    """

    def __init__(
        self, store: Store, *, device: str, version: str, thinker: Thinker | None = None,
        open_lab: Callable[[LabSpec, Path], LabSession] | None = None,
    ) -> None:  # fmt: skip
        self.session = new_id()
        self.loops: dict[str, CampaignLoop] = {}
        """By campaign id."""
        self.store = store
        self._device = device
        self._version = version
        self._open_lab = open_lab or partial(LabSession, keyring=Keyring(store.access_keys, store.folder / "keys"))
        self._thinker = thinker or Thinker(store.folder / "proposer.log")
        self._labs: dict[str, LabSession] = {}
        self.switching = Switching(store, self._labs)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._locks: dict[str, Lock] = {}
        self._warm_up: asyncio.Task[None] | None = None
        self._left = False
        self._deadline = 0.0

    async def add(self, definition: Definition, *, resume: bool = True) -> CampaignLoop:
        """Take a campaign up: enter it into the store, or go on where it was.

        Args:
            definition: What to do. For a campaign that the store holds: the same search, with a budget, batch, failure policy
                or lab that may have changed.
            resume: Whether a paused campaign goes on.

        Raises:
            ConflictError: If the store holds another campaign of this name, or an unexpected error has ended the control of it.
            CampaignLockedError: If another controller works on it.
        """
        for loop in self.loops.values():
            if loop.state.name == definition.name:
                if loop.crashed:
                    raise loop.out_of_control()
                return loop
        if self._warm_up is None:  # the models load while drivers come up
            self._warm_up = asyncio.create_task(self._thinker.start())
        lock = self.store.lock_campaign(definition.name)
        lock.acquire()
        try:
            record = self.store.find(definition.name)
            key = record.id if record is not None else new_id()
            loop = await self._take_up(key, definition, known=record is not None, resume=resume)
        except BaseException:  # a cancelled start too: the campaign is free for the next one
            lock.release()
            raise
        self.loops[key], self._locks[key] = loop, lock
        self._tasks[key] = asyncio.create_task(self._guard(loop), name=f"campaign {definition.name}")
        return loop

    async def _take_up(self, key: str, definition: Definition, *, known: bool, resume: bool) -> CampaignLoop:
        state = CampaignState(lean=True)
        events: list[Event] = []
        changes: dict[str, tuple[str, str]] = {}
        if known:
            state = fold(self.store.iter_events(key), lean=True)
            stored = self.store.definition(key)
            definition, changes = amended(stored, definition, state)
        if definition.problem.pool is not None and not definition.problem.pool.inline:
            definition = await asyncio.to_thread(self.store.shelved, definition)
        session = await self._lab(definition.lab)
        now = {"campaign": key, "at": session.clock.time()}
        if not known:
            events.append(
                CampaignCreated(
                    **now, name=definition.name, definition_fingerprint=definition.fingerprint, seed=definition.seed,
                    simulated=definition.simulated,
                )
            )  # fmt: skip
        elif changes:
            events.append(CampaignAmended(**now, changes=changes))
        events.append(ControllerAttached(**now, session=self.session, version=self._version))
        reopened = known and _reopens(definition, changes, state)
        if state.status is CampaignStatus.DRAFT or reopened or (resume and state.status is CampaignStatus.PAUSED):
            reason = "begun" if not known else "the budget was raised" if reopened else "resumed"
            events.append(CampaignStatusChanged(**now, status=CampaignStatus.RUNNING, reason=reason))
        for event in events:
            state.apply(event)
        await self.store.commit(events, definition=definition if not known or changes else None)
        return CampaignLoop(definition, state, self.store, session, self._thinker, self._device)

    async def _lab(self, spec: LabSpec) -> LabSession:
        if spec.lab in self._labs:
            check_same_lab(self._labs[spec.lab].spec, spec)
            return self._labs[spec.lab]
        try:
            session = self._open_lab(spec, self.store.folder / "labs" / spec.lab)
        except InstrumentError as error:
            raise ConflictError(f"lab {spec.lab!r}: {error}") from error
        session.on_latch = partial(self.switching.latch, spec.lab)
        session.disable(self.store.disabled(spec.lab))
        try:
            await session.start()
        except InstrumentError as error:
            raise ConflictError(f"lab {spec.lab!r}: {error}") from error
        self._labs[spec.lab] = session
        return session

    async def _guard(self, loop: CampaignLoop) -> None:
        """Run a campaign's loop; what no code expected ends this campaign's control, not the others'."""
        try:
            await loop.run()
        except asyncio.CancelledError:
            raise
        except Exception:  # whatever broke this campaign must not take the others down with it
            log.exception(
                "campaign %s is no longer under control; restart the controller to take it up again", loop.state.name
            )
            loop.crashed = True
            loop.finished.set()

    async def take_up_unfinished(self) -> None:
        """Take up every campaign of the store that has not ended; one that cannot be is reported and left."""
        for record in self.store.campaigns():
            if record.status in UNFINISHED and not is_by_hand(record.status, record.reason):
                try:
                    await self.add(self.store.definition(record.id), resume=False)
                except (LabwrightError, ValidationError) as error:
                    log.warning("campaign %s was not taken up: %s", record.name, " ".join(str(error).split())[:1000])

    async def serve_requests(self) -> None:
        """Carry out what people ask through the store, for ever; what concerns an instrument never waits for anything else."""
        queue: asyncio.Queue[AskedRequest] = asyncio.Queue()
        taken: set[str] = set()  # for good: a slow look into the store may show a request after it was answered
        tasks = {asyncio.create_task(self._answer_in_turn(queue), name="requests")}
        try:
            while True:
                # While the store is away nobody can ask; the loops hold by themselves until it is back.
                with contextlib.suppress(StoreError):
                    for request in await asyncio.to_thread(self.store.pending_requests):
                        if request.id in taken or not self._is_ours(request):
                            continue
                        taken.add(request.id)
                        if request.verb in INSTRUMENT_VERBS:
                            task = asyncio.create_task(self._answer(request), name=f"request {request.verb}")
                            tasks.add(task)
                            task.add_done_callback(tasks.discard)
                        else:
                            queue.put_nowait(request)
                    await self.switching.look()
                await asyncio.sleep(REQUESTS_S)
        finally:
            for task in list(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _is_ours(self, request: AskedRequest) -> bool:
        if request.fault:
            return True  # nobody else can know better
        if request.verb in INSTRUMENT_VERBS:
            return str(request.argument.get("lab")) in self._labs
        return request.verb == "start" or request.campaign in self.loops

    async def _answer_in_turn(self, queue: asyncio.Queue[AskedRequest]) -> None:
        while True:
            await self._answer(await queue.get())

    async def _answer(self, request: AskedRequest) -> None:
        ok, text = True, ""
        try:
            if request.fault:
                raise ConflictError(f"request {request.id} cannot be read: {request.fault}")
            if request.verb in INSTRUMENT_VERBS:
                text = await self._carry_out_on_instruments(request)
            else:
                text = await self._carry_out(request.verb, request.campaign, request.argument)
        except (LabwrightError, ValidationError) as error:
            ok, text = False, str(error)
        except Exception as error:  # whatever was written there, those who ask next must be served
            log.exception("request %s (%s) could not be carried out", request.id, request.verb)
            ok, text = False, f"{request.verb} could not be carried out: {type(error).__name__}: {str(error)[:500]}"
        try:
            await self.store.answer(request.id, text, ok)
        except LabwrightError as error:  # answered by somebody else, or the store is being closed: no reason to end the queue
            log.warning("request %s (%s) could not be answered: %s", request.id, request.verb, error)

    async def _carry_out(self, verb: str, campaign: str | None, argument: dict[str, Any]) -> str:
        if verb == "start":
            loop = await self.add(
                Definition.model_validate(argument["definition"], context={"pools": self.store.shelf})
            )
            return f"campaign {loop.state.name} is {loop.state.status.value}"
        if campaign is None:
            raise ConflictError(f"{verb} needs a campaign")
        return await self.loops[campaign].ask(verb, argument)

    async def _carry_out_on_instruments(self, request: AskedRequest) -> str:
        """Stop, resume, read, or take note of switches; the answer is JSON: one confirmation, or look, for each instrument."""
        session, argument = self._labs[request.argument["lab"]], request.argument
        names = [name for name in argument.get("instruments", ()) if name in session.spec.instruments]
        timeout_s = float(argument.get("timeout_s", 5.0))
        match request.verb:
            case "instrument.stop":
                mode: Mode = "finish" if argument.get("mode") == "finish" else "now"
                answers = await session.stop(names, mode=mode, timeout_s=timeout_s)
            case "instrument.resume":
                if time.time() - request.asked_at > timeout_s:  # a stop is never too late, but this is
                    raise ConflictError("the request to resume came too late to be carried out; look again, then ask again")
                answers = await session.resume(names, timeout_s=timeout_s)
            case "instrument.read":
                return json.dumps([vars(look) for look in await session.look(names, timeout_s=timeout_s)])
            case _:
                await self.switching.look()
                answers = []
        return json.dumps([vars(answer) for answer in answers])

    async def leave(self, *, grace_s: float, reason: str) -> None:
        """End in good order: begin nothing new, give what runs `grace_s` [real s] to finish, record what does not.

        Drivers that are still at work after that finish their action by themselves and keep the result for the next controller.
        """
        if self._left:
            return
        self._left = True
        self._deadline = time.monotonic() + grace_s
        for loop in self.loops.values():
            loop.leave()
        while time.monotonic() < self._deadline and any(loop.soon_done and not loop.crashed for loop in self.loops.values()):
            await asyncio.sleep(0.05)
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        for key, loop in self.loops.items():
            if not loop.crashed:
                await self._detach(key, loop, reason)
        await asyncio.gather(*(lab.close(patience_s=SHUTDOWN_S) for lab in self._labs.values()))
        if self._warm_up is not None:
            self._warm_up.cancel()
            await asyncio.gather(self._warm_up, return_exceptions=True)
        await self._thinker.close()
        for lock in self._locks.values():
            lock.release()

    def hurry(self) -> None:
        """Cut the grace time of `leave` short."""
        self._deadline = 0.0

    async def _detach(self, key: str, loop: CampaignLoop, reason: str) -> None:
        event = ControllerDetached(
            campaign=key, at=self._labs[loop.definition.lab.lab].clock.time(), session=self.session, reason=reason,
            interrupted=tuple(a.id for a in loop.state.open_attempts()),
        )  # fmt: skip
        try:
            async with asyncio.timeout(SHUTDOWN_S):
                await loop.detach(event)
        except (LabwrightError, TimeoutError) as error:  # the note is good to have; drivers, locks and processes have to be let go
            why = str(error) or f"the store is {self.store.state}"
            log.warning("that this controller left campaign %s could not be written down: %s", loop.state.name, why)


def ended_snapshot(store: Store, definition: Definition) -> Snapshot | None:
    """Return what a campaign that has ended looks like; None if it has not, or if a raised budget opens it again.

    Raises:
        ConflictError: If the store holds another campaign of this name.
    """
    record = store.find(definition.name)
    if record is None or record.status in UNFINISHED:
        return None
    state = fold(store.iter_events(record.id), lean=True)
    wanted, changes = amended(store.definition(record.id), definition, state)
    return None if _reopens(wanted, changes, state) else snapshot_of(wanted, state)


def _reopens(definition: Definition, changes: Mapping[str, object], state: CampaignState) -> bool:
    """Say whether a raised budget lets a completed campaign go on."""
    raised = "budget" in changes and definition.budget.experiments > state.spent
    return raised and state.status is CampaignStatus.COMPLETED


def amended(
    stored: Definition, wanted: Definition, state: CampaignState
) -> tuple[Definition, dict[str, tuple[str, str]]]:
    """Return the definition to go on with, and what changed.

    Raises:
        ConflictError: If the search itself differs: the name belongs to another campaign.
    """
    # A lab with both kinds of instruments was taken for a real one by earlier versions: what began so goes on.
    other = wanted.simulated != stored.simulated and wanted.lab.instruments != stored.lab.instruments
    if wanted.fingerprint != stored.fingerprint or other:
        before, after = stored.model_dump(mode="json"), wanted.model_dump(mode="json")
        different = [f"problem.{k}" for k in before["problem"] if before["problem"][k] != after["problem"].get(k)]
        different += [k for k in ("seed", "proposals") if before[k] != after[k]]
        if other:
            different.append(f"simulated (the store's is {'simulated' if stored.simulated else 'real'})")
        raise ConflictError(
            f"the store already holds a campaign {stored.name!r} of another search ({state.n_experiments} experiments); "
            f"different: {', '.join(different)}. Give this one another name, or undo the change to go on with that one"
        )
    changes = {
        name: (json.dumps(before), json.dumps(after))
        for name in _AMENDABLE
        if (before := stored.model_dump(mode="json")[name]) != (after := wanted.model_dump(mode="json")[name])
    }
    # The stored problem stands even where the file lists the same parameters in another order: proposals depend on the order.
    return (wanted.model_copy(update={"problem": stored.problem}) if changes else stored), changes
