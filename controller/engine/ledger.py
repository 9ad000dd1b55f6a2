"""The books of one campaign: what has happened, and the one way to add to it.

What is decided in one turn of the loop becomes durable together: it is *noted*, then *settled* with a single commit, and only
then is done what had to wait for it (a command sent, a result acknowledged). So a turn's decisions share the price of a
commit. What nothing waits for (an action has begun) is settled with whatever comes next, a moment later at the latest.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from controller.domain.base import Point
from controller.domain.campaign import CampaignStatus, Definition
from controller.domain.event import (
    AlarmRaised,
    CampaignStatusChanged,
    CampaignWorked,
    Event,
    ExperimentReinstated,
    ExperimentRetracted,
    ExperimentStatusChanged,
    Fault,
    Observation,
)
from controller.domain.experiment import ExperimentStatus
from controller.domain.history import Ended
from controller.domain.request import Request
from controller.domain.state import CampaignState, Experiment
from controller.engine.asking import request_for
from controller.engine.hours import Worked
from controller.engine.snapshot import best_so_far
from controller.errors import StoreError
from instruments.clock import Clock

if TYPE_CHECKING:
    from controller.engine.recorder import FlightRecorder
    from controller.store.opening import Store

ALARMS_SHOWN = 20
PATIENCE_S = 0.05
"""Longest time that what nothing waits for stays in memory alone [real s]."""


class Ledger:
    """A campaign's definition and state, with the store behind them.

    Args:
        definition: What to do.
        state: What has happened so far.
        store: Where every decision is committed.
        clock: Lab time.
        recorder: Is told of every event before it is committed.
    """

    def __init__(
        self, definition: Definition, state: CampaignState, store: Store, clock: Clock,
        recorder: FlightRecorder | None = None,
    ) -> None:  # fmt: skip
        self.definition = definition
        self.state = state
        self.clock = clock
        self.alarms: deque[str] = deque(maxlen=ALARMS_SHOWN)
        """The newest ones, for displays."""
        self.worked = Worked(state, clock)
        self._store = store
        self._recorder = recorder
        self._noted: list[Event] = []
        self._then: list[Callable[[], None]] = []
        self._settle_at: float | None = None
        """When what was noted is to be settled [real monotonic s]; None while nothing is noted."""
        self._best = best_so_far(definition, state)

    async def record(self, *events: Event) -> None:
        """Apply `events` and settle; when this returns they, and all that was noted before, are durable.

        Raises:
            IllegalTransitionError: If one of them cannot follow what is known.
        """
        self.note(*events)
        await self.settle()

    def note(self, *events: Event, then: Callable[[], None] | None = None, patient: bool = False) -> None:
        """Apply `events`; they become durable with the turn's others, in `settle`.

        Args:
            events: In their order.
            then: Called once they are durable; never, if they cannot be committed.
            patient: Nothing waits for them: they may become durable with what is noted within `PATIENCE_S`.

        Raises:
            IllegalTransitionError: If one of them cannot follow what is known.
        """
        if self._recorder is not None:
            self._recorder.decided(self.state.name, events)
        for event in events:
            self._apply(event)
            self._noted.append(event)
        if then is not None:
            self._then.append(then)
        if not patient:
            self._settle_at = 0.0
        elif self._settle_at is None:
            self._settle_at = time.monotonic() + PATIENCE_S

    async def settle(self) -> None:
        """Commit what was noted as one unit, then do what waited for it, in order; does nothing when nothing is due."""
        while self.due_in_s == 0.0:
            noted, self._noted = self._noted, []
            then, self._then = self._then, []
            self._settle_at = None
            await self._store.commit(noted)
            for act in then:
                act()

    @property
    def due_in_s(self) -> float:
        """How long what was noted may still wait [real s]; infinite when nothing was."""
        return math.inf if self._settle_at is None else max(0.0, self._settle_at - time.monotonic())

    def _apply(self, event: Event) -> None:
        if isinstance(event, ExperimentStatusChanged) and event.status is ExperimentStatus.COMPLETED:
            experiment = self.state.experiments.get(event.experiment)  # once it has ended, the state may let go of it
            self.state.apply(event)
            assert experiment is not None  # noqa: S101 - an event of an experiment that is not there is refused
            values = {name: observation.value for name, observation in event.observations.items()}
            self._best.add(Ended(experiment.number, experiment.circumstances, values))
        else:
            self.state.apply(event)
            if isinstance(event, (ExperimentRetracted, ExperimentReinstated)):
                self._best = best_so_far(self.definition, self.state)

    @property
    def best(self) -> list[dict[str, Any]]:
        """The best experiment so far, or the Pareto front: see `BestSoFar.experiments`."""
        return self._best.experiments()

    def request(self, n: int, device: str, refused: Sequence[Point] = ()) -> Request:
        """Return what the proposer is asked for the next `n` proposals, on `device`; `refused` as for `request_for`."""
        return request_for(self.definition, self.state, self._best.numbers(), n, device, refused=refused)

    def instrument_of_ended(self, attempt: str) -> str | None:
        """Return the instrument of an attempt of this campaign whose end is in the store; None if there is none, or no telling."""
        try:
            return self._store.reader.instrument_of_ended(self.state.id, attempt)
        except StoreError:
            return None  # its driver will ask again

    def experiment_id(self, number: int) -> str | None:
        """Return the id of an experiment, also of one that the state has let go of; None if there is none. Raises `StoreError`."""
        return self._store.reader.experiment_id(self.state.id, number)

    def rested_on(self, number: int) -> list[dict[str, Any]]:
        """Return number and status of the experiments whose proposals rested on a result. Raises `StoreError`."""
        return self._store.reader.rested_on(self.state.id, number)

    def stamp(self) -> dict[str, Any]:
        """Return what every event carries: the campaign and the time."""
        return {"campaign": self.state.id, "at": self.clock.time()}

    async def move_campaign(self, status: CampaignStatus, reason: str) -> None:
        """Change the campaign's status; durable once the turn is settled."""
        self.note(CampaignStatusChanged(**self.stamp(), status=status, reason=reason))

    async def move_experiment(
        self,
        experiment: Experiment,
        status: ExperimentStatus,
        reason: str = "",
        *,
        fault: Fault | None = None,
        observations: dict[str, Observation] | None = None,
    ) -> None:
        """Change an experiment's status; durable once the turn is settled."""
        self.note(
            ExperimentStatusChanged(
                **self.stamp(),
                experiment=experiment.id,
                status=status,
                reason=reason,
                fault=fault,
                observations=observations or {},
            )
        )

    def count_work(self, at_work: bool) -> None:
        """Count the time in which the campaign is at work, and note it when it is time to; see `Worked`."""
        if (seconds := self.worked.count(at_work, self.definition.budget)) is not None:
            self.note(CampaignWorked(**self.stamp(), seconds=seconds))

    async def cancel_waiting(self, reason: str) -> None:
        """Cancel every experiment that has not begun."""
        waiting = self.state.with_status(ExperimentStatus.PROPOSED, ExperimentStatus.QUEUED)
        cancelled = ExperimentStatus.CANCELLED
        self.note(
            *(
                ExperimentStatusChanged(**self.stamp(), experiment=e.id, status=cancelled, reason=reason)
                for e in waiting
            )
        )

    async def alarm(self, code: str, message: str, experiment: str | None = None, attempt: str | None = None) -> None:
        """Tell people of something while the campaign goes on."""
        self.alarms.append(message)
        self.note(
            AlarmRaised(**self.stamp(), code=code, message=message, experiment=experiment, attempt=attempt)
        )
