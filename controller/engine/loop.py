"""One campaign, round and round: design, build, measure, learn.

One task owns the campaign. Everything that happens, a driver's report, a proposal, a person's request, comes through one
inbox and is handled to the end before the next, so there are no races to reason about. A turn takes in all that has come,
decides, and settles: what is decided is committed to the store before it is done (see `docs/explanations/architecture.md`).
`proposing.py` looks after design, `dispatching.py` after build and measure; here they take turns, and it is decided when to
stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from controller.domain.campaign import CampaignStatus, Definition
from controller.domain.event import (
    AttemptStatusChanged,
    CampaignAbortRequested,
    ContextTold,
    ControllerDetached,
    ExperimentReinstated,
)
from controller.domain.experiment import ExperimentStatus
from controller.domain.state import Attempt, CampaignState
from controller.engine.context import context_event, context_text, missing_text, read_context, untold
from controller.engine.dispatching import Dispatching
from controller.engine.importing import import_events, imported_text
from controller.engine.ledger import Ledger
from controller.engine.proposing import Proposed, Proposing
from controller.engine.resolving import find_experiment, resolve_events
from controller.engine.retracting import retraction_event, retraction_text
from controller.engine.snapshot import Snapshot, snapshot_of
from controller.engine.thinker import Thinker
from controller.engine.trusting import Trusting
from controller.errors import ConflictError
from controller.learn.stopping import is_over, reason_to_stop, seconds_left
from instruments.client import HubEvent

if TYPE_CHECKING:
    from controller.engine.session import LabSession
    from controller.store.opening import Store

TICK_S = 0.5
"""How often deadlines, budgets and stalls are looked at when nothing else happens [real s]."""
ABORT_S = 10.0
"""How long an abort waits for drivers to confirm before it books what is left as unknown [real s]."""

_S, _C = ExperimentStatus, CampaignStatus
_LIVE = frozenset({_C.RUNNING, _C.PAUSED, _C.STOPPING})


@dataclass(frozen=True)
class _Asked:
    """A person's request; the answer goes to `reply`."""

    verb: str
    argument: dict[str, Any]
    reply: asyncio.Future[str]


_Message: TypeAlias = HubEvent | Proposed | _Asked


class CampaignLoop:
    """One campaign under control.

    Args:
        definition: What to do.
        state: What has happened so far.
        store: Where every decision is committed.
        session: The lab.
        thinker: The proposer process.
        device: `cpu`, `cuda` or `auto`.
    """

    def __init__(
        self,
        definition: Definition,
        state: CampaignState,
        store: Store,
        session: LabSession,
        thinker: Thinker,
        device: str,
    ) -> None:
        self.definition = definition
        self.state = state
        self.finished = asyncio.Event()
        """Set when the campaign has come to its end, or is paused with nothing left to follow."""
        self.crashed = False
        """Set when an unexpected error ended the loop."""
        self._session = session
        self._ledger = Ledger(definition, state, store, session.clock, session.recorder)
        self._proposing = Proposing(self._ledger, thinker, device, self._put)
        self._dispatching = Dispatching(self._ledger, session)
        self._trusting = Trusting(self._ledger)
        self._inbox: deque[_Message] = deque()
        self._news = asyncio.Event()
        self._leaving = False
        self._over = False
        self._aborting_since: float | None = None
        """When the drivers were told to end what runs [real monotonic s]; None while they are still to be told."""
        self._idle_s = 0.0
        self._strange = ""
        """What a reading of the context says that it cannot be, as long as it says so."""

    # --- what others may do -----------------------------------------------------------------------------------------

    def post(self, event: HubEvent) -> None:
        """Take a driver's report in."""
        self._put(event)

    def wake(self) -> None:
        """Look again."""
        self._news.set()

    def concerns(self, attempt: str) -> bool:
        """Say whether an attempt is one of this campaign of which something may still become."""
        return attempt in self.state.attempts

    def open_attempts(self, instrument: str) -> list[Attempt]:
        """Return the attempts that are with `instrument`, or may be."""
        return [a for a in self.state.open_attempts() if a.instrument == instrument]

    async def ask(self, verb: str, argument: dict[str, Any]) -> str:
        """Carry out a person's request and return what became of it.

        Raises:
            LabwrightError: If it cannot be carried out; the message says why.
        """
        if self._over:
            raise self.out_of_control()
        reply: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._put(_Asked(verb, argument, reply))
        return await reply

    def out_of_control(self) -> ConflictError:
        """Return what a person is told who asks for something after `run` has ended."""
        return ConflictError(
            f"campaign {self.state.name} is no longer under control here; restart the controller to take it up again"
        )

    def leave(self) -> None:
        """Begin no further experiment; those that run go on until their last step or the end of `run`."""
        self._leaving = True
        self._news.set()

    @property
    def busy(self) -> bool:
        """Whether an experiment is running."""
        return bool(self.state.with_status(_S.RUNNING))

    @property
    def soon_done(self) -> bool:
        """Whether something runs that may end while this controller leaves: people take their time, and answer without it."""
        running = self._dispatching.running()
        return self.busy and not (running and all(item["task"] for item in running))

    # --- the round --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until cancelled."""
        self._session.join(self)
        before = time.monotonic()
        try:
            while True:
                while self._inbox:
                    await self._handle(self._inbox.popleft())
                await self._dispatching.book()
                await self._go_on()
                now = time.monotonic()
                if self._searching and self._proposing.lacking and self._dispatching.room_for_another():
                    self._idle_s += now - before
                before = now
                if not self._inbox:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(min(TICK_S, self._ledger.due_in_s)):
                            await self._news.wait()
                    self._news.clear()
        finally:
            self._over = True
            self._session.leave(self)
            self._proposing.close()
            for message in self._inbox:
                if isinstance(message, _Asked):
                    _tell(message.reply, self.out_of_control())

    async def detach(self, event: ControllerDetached) -> None:
        """Book that the controller leaves, together with what was noted and is not settled yet; after `run` has ended."""
        await self._ledger.record(event)

    def _put(self, message: _Message) -> None:
        self._inbox.append(message)
        self._news.set()

    async def _handle(self, message: _Message) -> None:
        if isinstance(message, Proposed):
            if self._searching:
                await self._proposing.accept(message)
            else:
                self._proposing.decline()
        elif isinstance(message, _Asked):
            await self._answer(message.verb, message.argument, message.reply)
        else:
            await self._dispatching.take(message)

    async def _answer(self, verb: str, argument: dict[str, Any], reply: asyncio.Future[str]) -> None:
        """Carry out a person's request and answer it, if it is still waited for."""
        told: str | Exception
        try:
            told = await self._carry_out(verb, argument)
        except Exception as error:  # the person who asked gets it, whatever it is
            told = error
        try:
            await self._ledger.settle()
        except Exception as error:  # told to who asked, and not swallowed: what is believed here is not in the books
            _tell(reply, error)
            raise
        _tell(reply, told)

    @property
    def _searching(self) -> bool:
        return self.state.status is _C.RUNNING and not self._leaving

    async def _read_context(self) -> None:
        """Take in what the lab's own readings say of the context."""
        values, strange = read_context(self.definition, self.state, self._session.readings())
        if values:
            self._ledger.note(ContextTold(**self._ledger.stamp(), values=values, by="readings of the lab"))
            self._proposing.meet_context()
        if strange and strange != self._strange:
            await self._ledger.alarm("context_beyond", strange)
        self._strange = strange

    async def _go_on(self) -> None:
        """Do everything that can be done now."""
        self._ledger.count_work(self._searching)
        if self.definition.context_from and self._searching:
            await self._read_context()
        if self.state.status in _LIVE:
            await self._dispatching.close_ended()
            await self._trusting.look()
            if self.state.aborted:
                await self._abort()
            if self._searching:
                await self._stop_when_spent()
            if self.state.status is _C.STOPPING:
                # Again, for a controller may have died between the stop and this.
                await self._ledger.cancel_waiting("the campaign was stopped")
                if not self.busy and not self.state.aborted:
                    await self._ledger.move_campaign(_C.COMPLETED, self.state.reason)
        if self._searching:
            await self._proposing.go_on()
        if self.state.status in _LIVE and not self.state.aborted:
            await self._dispatching.dispatch(begin_new=self._searching)
            await self._dispatching.look_for_stalls()
            await self._dispatching.look_for_holds()
        await self._ledger.settle()
        if self.state.status not in _LIVE or (self.state.status is _C.PAUSED and not self.busy):
            self.finished.set()
        else:
            self.finished.clear()

    async def _stop_when_spent(self) -> None:
        budget, worked_s = self.definition.budget, self._ledger.worked.seconds
        if seconds_left(budget, worked_s) == 0.0:
            await self._ledger.cancel_waiting("the time budget is used up")
        exhausted = bool(self._proposing.exhausted)
        reason = reason_to_stop(budget, self.state, worked_s, exhausted=exhausted)
        if reason is None or not is_over(budget, self.state, worked_s, exhausted=exhausted):
            return
        unknown = len(self.state.with_status(_S.UNKNOWN))
        if unknown:
            reason += f"; {unknown} experiment{'s' * (unknown > 1)} unknown, to be resolved by a person"
        await self._ledger.move_campaign(_C.COMPLETED, reason)

    async def _abort(self) -> None:
        """End what runs; also for a controller that was asked to, and has died since."""
        if self._aborting_since is None:
            self._aborting_since = time.monotonic()
            self._dispatching.cancel_all()
        if self.state.open_attempts() and time.monotonic() - self._aborting_since < ABORT_S:
            return
        await self._dispatching.give_up(f"aborted; its driver did not confirm within {ABORT_S:g} s")
        await self._ledger.move_campaign(_C.FAILED, self.state.aborted)

    # --- people -----------------------------------------------------------------------------------------------------

    async def _carry_out(self, verb: str, argument: dict[str, Any]) -> str:
        match verb:
            case "pause":
                await self._ledger.move_campaign(_C.PAUSED, argument.get("reason") or "paused by request")
                return "paused: nothing new begins, what runs goes on"
            case "resume":
                self._dispatching.failures_in_a_row = 0
                await self._ledger.move_campaign(_C.RUNNING, argument.get("reason") or "resumed by request")
                return "running"
            case "stop":
                await self._ledger.move_campaign(_C.STOPPING, argument.get("reason") or "stopped by request")
                await self._ledger.cancel_waiting("the campaign was stopped")
                return "stopping: what runs finishes, then the campaign ends"
            case "abort":
                if self.state.status not in _LIVE:
                    raise ConflictError(f"campaign {self.state.name} is {self.state.status.value}; nothing runs")
                reason = argument.get("reason") or "aborted by request"
                if not self.state.aborted:  # whoever comes after a death of this controller carries it through
                    self._ledger.note(CampaignAbortRequested(**self._ledger.stamp(), reason=reason))
                if self.state.status is not _C.STOPPING:
                    await self._ledger.move_campaign(_C.STOPPING, reason)
                await self._ledger.cancel_waiting("the campaign was aborted")
                self._aborting_since = None  # asked again, the drivers are told again, once this is in the books
                return "aborting: drivers are told to end what runs"
            case "context":
                event = context_event(self.state, self.definition, argument, self._ledger.clock.time())
                self._ledger.note(event)
                self._proposing.meet_context()
                return context_text(self.state.context)
            case "import":
                self._ledger.note(*import_events(self.state, self.definition, argument, self._ledger.clock.time()))
                self._proposing.know_anew()
                return imported_text(argument)
            case "resolve":
                return await self._resolve(argument)
            case "retract":
                return await self._retract(argument)
            case "retry" | "abandon":
                return await self._retry_or_abandon(verb, argument)
        raise ConflictError(
            f"a campaign cannot {verb!r}; it can pause, resume, stop, abort, be told the context, import, resolve, retract,"
            " retry and abandon"
        )

    async def _resolve(self, argument: dict[str, Any]) -> str:
        events = resolve_events(self.state, self.definition, argument, self._ledger.clock.time())
        resolved = [self.state.attempts[e.attempt] for e in events if isinstance(e, AttemptStatusChanged)]
        self._ledger.note(*events)
        for attempt in resolved:
            self._ledger.note(then=partial(self._session.acknowledge, attempt.instrument, attempt.id))
        return f"experiment {argument['experiment']} is {argument['status']}"

    async def _retract(self, argument: dict[str, Any]) -> str:
        number = int(argument["experiment"])
        key = self._ledger.experiment_id(number)
        event = retraction_event(self.state, key, argument, self._ledger.clock.time())
        self._ledger.note(event)
        self._proposing.know_anew()
        undo = isinstance(event, ExperimentReinstated)
        return retraction_text(number, undo, self._ledger.rested_on(number))

    async def _retry_or_abandon(self, verb: str, argument: dict[str, Any]) -> str:
        number, reason = int(argument["experiment"]), argument.get("reason") or f"{verb} by request"
        status = _S.QUEUED if verb == "retry" else _S.ABANDONED
        await self._ledger.move_experiment(find_experiment(self.state, number), status, reason)
        return f"experiment {number} is {status.value}"

    # --- displays ---------------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Return what the campaign looks like now."""
        return replace(
            snapshot_of(self.definition, self.state, self._ledger.best),
            running=self._dispatching.running(),
            instruments=self._session.instruments(),
            doing=self._describe(),
            alarms=list(self._ledger.alarms),
            idle_s=self._idle_s,
            now=self._ledger.clock.time(),
        )

    def doing(self) -> dict[str, Any]:
        """Return what it does now: `campaign`, `doing` in words, and `running` as in `snapshot`."""
        return {"campaign": self.definition.name, "doing": self._describe(), "running": self._dispatching.running()}

    def _describe(self) -> str:
        if self._leaving:
            return "leaving: waiting for what runs"
        if self.state.status is not _C.RUNNING:
            return self.state.reason or self.state.status.value
        if (missing := untold(self.definition.problem, self.state)) and not self.busy:
            return missing_text(self.definition, missing)
        if self._proposing.thinking:
            loading = self._proposing.loading
            return "loading the models" if loading else f"choosing experiment {self.state.n_experiments + 1}"
        away = [i["instrument"] for i in self._session.instruments() if not i["connected"]]
        if held := self._dispatching.held():
            return "; ".join(f"{name} is held: {why}" for name, why in held.items())
        if away and not self.busy:
            return f"waiting for {', '.join(away)}"
        running = self._dispatching.running()
        if running and all(item["task"] for item in running):
            return "waiting for a person: labwright task list"
        return "measuring" if self.busy else "waiting for a free instrument"


def _tell(reply: asyncio.Future[str], told: str | Exception) -> None:
    if reply.done():
        return  # whoever asked waits no longer
    if isinstance(told, Exception):
        reply.set_exception(told)
    else:
        reply.set_result(told)
