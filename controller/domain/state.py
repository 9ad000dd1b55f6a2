"""The meaning of a log: a pure fold of events into the state of one campaign.

The engine decides on this state, recovery rebuilds it, and `campaign audit` compares it with the tables.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from controller.domain.base import Point, Value
from controller.domain.campaign import CampaignStatus
from controller.domain.event import (
    AlarmRaised,
    AttemptCommitted,
    AttemptStatusChanged,
    CampaignAbortRequested,
    CampaignAmended,
    CampaignCreated,
    CampaignStatusChanged,
    CampaignWorked,
    ContextTold,
    ControllerAttached,
    ControllerDetached,
    Event,
    ExperimentProposed,
    ExperimentReinstated,
    ExperimentRetracted,
    ExperimentStatusChanged,
    Fault,
    Measurement,
    Observation,
    ResultsImported,
)
from controller.domain.experiment import (
    ENDED_EXPERIMENTS,
    OPEN_ATTEMPTS,
    OPEN_EXPERIMENTS,
    SETTLED_EXPERIMENTS,
    AttemptStatus,
    ExperimentStatus,
    check_transition,
)
from controller.domain.history import History
from controller.domain.judged import Judged, judge, surprises
from controller.domain.proposal import Proposal
from controller.domain.raw_file import RawFile
from controller.errors import IllegalTransitionError


@dataclass(slots=True)
class Attempt:
    """One dispatch of one step."""

    id: str
    experiment: str
    step: str
    ordinal: int
    instrument: str
    action: str
    arguments: dict[str, Value]
    units: dict[str, str]
    committed_at: float
    consequence: str | None = None
    """Of its action, as the driver announced it when it was committed; None where nobody had."""
    status: AttemptStatus = AttemptStatus.COMMITTED
    measurements: tuple[Measurement, ...] = ()
    files: tuple[RawFile, ...] = ()
    fault: Fault | None = None
    ended_at: float | None = None


@dataclass(slots=True)
class Experiment:
    """An accepted proposal, carried out once."""

    id: str
    number: int
    proposal: Proposal
    proposed_at: float
    status: ExperimentStatus = ExperimentStatus.PROPOSED
    attempts: list[str] = field(default_factory=list)
    superseded: set[str] = field(default_factory=set)
    """Attempts that failed before the experiment was queued again."""
    observations: dict[str, Observation] = field(default_factory=dict)
    fault: Fault | None = None
    reason: str = ""
    started_at: float | None = None
    context: Point = field(default_factory=dict)
    """What the context was when it began, by variable; empty where the campaign has none."""
    ended_at: float | None = None
    retracted_at: float | None = None
    retracted_reason: str | None = None
    unheeded: list[tuple[float, float]] = field(default_factory=list)
    """From when until when its result was retracted, for each retraction that was taken back [lab time]."""

    def counted_at(self, moment: float) -> bool:
        """Say whether models learned from its result at `moment` [lab time]."""
        if self.ended_at is None or moment < self.ended_at:
            return False
        since = math.inf if self.retracted_at is None else self.retracted_at
        return not any(begin <= moment < end for begin, end in (*self.unheeded, (since, math.inf)))

    @property
    def point(self) -> Point:
        """The setting."""
        return self.proposal.point

    @property
    def cancelled(self) -> bool:
        """Whether it was never carried out and never will be."""
        return self.status is ExperimentStatus.CANCELLED

    @property
    def circumstances(self) -> Point:
        """The setting, and the context that it met: what a model learns from."""
        return {**self.point, **self.context} if self.context else self.point


MOST_JUDGED = 50
"""Of so many newest results is known what had been predicted of them."""
DISTRUST = "distrust"
"""Code of the alarm that a model deserves no trust any more."""


@dataclass
class CampaignState:
    """One campaign as its events tell it."""

    lean: bool = False
    """Keep only what something may still become of: experiments that are under way, failed (to be tried again) or unknown, with
    their attempts and without the reasons of their proposals. Of the others `history` and the numbers are left; a controller that
    runs for weeks keeps the rest in the store, not in memory."""
    id: str = ""
    name: str = ""
    definition_fingerprint: str = ""
    seed: int = 0
    simulated: bool = False
    status: CampaignStatus = CampaignStatus.DRAFT
    reason: str = ""
    created_at: float = 0.0
    aborted: str = ""
    """Why it is to end now, as failed, or has; empty where nobody asked for that."""
    context: Point = field(default_factory=dict)
    """What was last told of each context variable."""
    worked_s: float = 0.0
    """Lab time that it has been at work, as far as it was noted [s]; only where its hours are limited."""
    experiments: dict[str, Experiment] = field(default_factory=dict)
    """By id; where `lean`, those alone that something may still become of."""
    attempts: dict[str, Attempt] = field(default_factory=dict)
    """Of these experiments, by id."""
    history: History = field(default_factory=History)
    """What ended experiments taught."""
    n_experiments: int = 0
    """How many were proposed."""
    imported: set[int] = field(default_factory=set)
    """Numbers of those that were measured elsewhere: they cost no budget."""
    files: dict[str, ResultsImported] = field(default_factory=dict)
    """Files whose results were imported, by SHA-256."""
    cost: float = 0.0
    """What all of them but the cancelled ones are expected to cost, where the campaign has a cost."""
    judged: deque[tuple[int, dict[str, Judged]]] = field(default_factory=lambda: deque(maxlen=MOST_JUDGED))
    """Number of each of the newest completed experiments that a model proposed, and by objective what it had predicted."""
    judged_from: int = 0
    """The number of the newest experiment when the last alarm over a model was raised."""
    last_at: float = 0.0
    """Lab time of the newest event."""
    n_events: int = 0
    _tally: Counter[ExperimentStatus] = field(default_factory=Counter)

    def apply(self, event: Event) -> None:
        """Take one event in; on an illegal one nothing changes.

        Raises:
            IllegalTransitionError: If the event cannot follow what is known.
        """
        if isinstance(event, CampaignCreated):
            if self.id:
                raise IllegalTransitionError(f"campaign {self.name} was created twice")
            self.id, self.name, self.created_at = event.campaign, event.name, event.at
            self.definition_fingerprint, self.seed, self.simulated = (
                event.definition_fingerprint,
                event.seed,
                event.simulated,
            )
        elif not self.id or event.campaign != self.id:
            raise IllegalTransitionError(
                f"event {event.kind} belongs to campaign {event.campaign}, not to {self.id or 'none yet'}"
            )
        elif isinstance(event, CampaignStatusChanged):
            check_transition(f"campaign {self.name}", self.status, event.status)
            self.status, self.reason = event.status, event.reason
        elif isinstance(event, CampaignAbortRequested):
            self.aborted = event.reason
        elif isinstance(event, ContextTold):
            self.context = {**self.context, **event.values}
        elif isinstance(event, CampaignWorked):
            self.worked_s = event.seconds
        elif isinstance(event, ResultsImported):
            self.files[event.sha256] = event
        elif isinstance(event, ExperimentProposed):
            self._propose(event)
        elif isinstance(event, ExperimentStatusChanged):
            self._move_experiment(event)
        elif isinstance(event, (ExperimentRetracted, ExperimentReinstated)):
            self._retract(event)
        elif isinstance(event, AttemptCommitted):
            self._commit_attempt(event)
        elif isinstance(event, AttemptStatusChanged):
            self._move_attempt(event)
        else:
            if isinstance(event, AlarmRaised) and event.code == DISTRUST:
                self.judged_from = self.n_experiments
            # Other facts change no state; the log and the tables keep them.
            assert isinstance(event, (CampaignAmended, ControllerAttached, ControllerDetached, AlarmRaised))  # noqa: S101
        self.n_events += 1
        self.last_at = event.at

    def _propose(self, event: ExperimentProposed) -> None:
        if event.experiment in self.experiments:
            raise IllegalTransitionError(f"experiment {event.experiment} was proposed twice")
        if event.number != self.n_experiments + 1:
            raise IllegalTransitionError(f"experiment number {event.number} follows number {self.n_experiments}")
        proposal = event.proposal.without_reasons() if self.lean else event.proposal
        self.experiments[event.experiment] = Experiment(event.experiment, event.number, proposal, event.at)
        self.n_experiments += 1
        if proposal.source == "imported":
            self.imported.add(event.number)
        self._tally[ExperimentStatus.PROPOSED] += 1
        self.cost += proposal.cost or 0.0

    def _move_experiment(self, event: ExperimentStatusChanged) -> None:
        experiment = self._experiment(event.experiment)
        check_transition(f"experiment {experiment.number}", experiment.status, event.status)
        if event.status is ExperimentStatus.QUEUED:
            failed = (AttemptStatus.FAULTED, AttemptStatus.CANCELLED)
            experiment.superseded = {a for a in experiment.attempts if self.attempts[a].status in failed}
        if event.status is ExperimentStatus.RUNNING:
            if experiment.started_at is None:
                experiment.context = dict(self.context)
            experiment.started_at = experiment.started_at or event.at
        experiment.ended_at = None if event.status in OPEN_EXPERIMENTS else event.at
        self._tally[experiment.status] -= 1
        self._tally[event.status] += 1
        experiment.status, experiment.reason, experiment.fault = event.status, event.reason, event.fault
        experiment.observations = dict(event.observations)
        if event.status is ExperimentStatus.CANCELLED:
            self.cost -= experiment.proposal.cost or 0.0
        self.history.remove(experiment.number)
        if event.status in ENDED_EXPERIMENTS:
            completed = event.status is ExperimentStatus.COMPLETED
            self.history.put(experiment.number, experiment.circumstances, experiment.observations if completed else None)
            judged = judge(experiment.proposal, experiment.observations) if completed else {}
            if judged:
                self.judged.append((experiment.number, judged))
        self._settle(experiment)

    def _retract(self, event: ExperimentRetracted | ExperimentReinstated) -> None:
        experiment = self.experiments.get(event.experiment)
        if (experiment is None and not self.lean) or (experiment is not None and experiment.number != event.number):
            raise IllegalTransitionError(f"experiment {event.experiment} is not experiment {event.number}")
        retracted = isinstance(event, ExperimentRetracted)
        if retracted:
            self.history.retract(event.number)
        else:
            self.history.reinstate(event.number)
        if experiment is not None:
            if experiment.retracted_at is not None:
                experiment.unheeded.append((experiment.retracted_at, event.at))
            experiment.retracted_at = event.at if retracted else None
            experiment.retracted_reason = event.reason if retracted else None

    def _settle(self, experiment: Experiment) -> None:
        """Let go of an experiment of which nothing more can become, where that is wanted."""
        unsettled = (*OPEN_ATTEMPTS, AttemptStatus.UNKNOWN)
        if (
            self.lean
            and experiment.status in SETTLED_EXPERIMENTS
            and all(self.attempts[key].status not in unsettled for key in experiment.attempts)
        ):
            del self.experiments[experiment.id]
            for key in experiment.attempts:
                del self.attempts[key]

    def _commit_attempt(self, event: AttemptCommitted) -> None:
        experiment = self._experiment(event.experiment)
        if experiment.status is not ExperimentStatus.RUNNING:
            raise IllegalTransitionError(
                f"attempt {event.attempt} of experiment {experiment.number}, which is {experiment.status.value}, not running"
            )
        if event.attempt in self.attempts:
            raise IllegalTransitionError(f"attempt {event.attempt} was committed twice")
        self.attempts[event.attempt] = Attempt(
            event.attempt,
            event.experiment,
            event.step,
            event.ordinal,
            event.instrument,
            event.action,
            dict(event.arguments),
            dict(event.units),
            event.at,
            event.consequence,
        )
        experiment.attempts.append(event.attempt)

    def _move_attempt(self, event: AttemptStatusChanged) -> None:
        attempt = self.attempts.get(event.attempt)
        if attempt is None:
            raise IllegalTransitionError(f"attempt {event.attempt} was never committed")
        if attempt.experiment != event.experiment:
            raise IllegalTransitionError(
                f"attempt {event.attempt} belongs to experiment {attempt.experiment}, not to {event.experiment}"
            )
        check_transition(f"attempt {event.attempt}", attempt.status, event.status)
        attempt.status, attempt.fault, attempt.measurements = event.status, event.fault, event.measurements
        attempt.files = event.files
        attempt.ended_at = None if event.status in OPEN_ATTEMPTS else event.at
        self._settle(self.experiments[attempt.experiment])

    def _experiment(self, key: str) -> Experiment:
        if key not in self.experiments:
            what = "was never proposed, or has ended for good" if self.lean else "was never proposed"
            raise IllegalTransitionError(f"experiment {key} {what}")
        return self.experiments[key]

    def judged_results(self) -> list[dict[str, Judged]]:
        """Return what was predicted of the newest results that nobody has retracted, oldest first.

        Of those alone that were proposed since the last alarm over a model: a warning once given needs new evidence to be given
        again.
        """
        return [found for number, found in self._judged() if number > self.judged_from]

    def surprises(self) -> dict[str, list[float]]:
        """Return by objective how the newest predictions fared; see `domain.judged.surprises`."""
        return surprises(found for _, found in self._judged())

    def _judged(self) -> Iterator[tuple[int, dict[str, Judged]]]:
        return ((number, found) for number, found in self.judged if not self.history.is_retracted(number))

    def counts(self) -> dict[str, int]:
        """Return how many experiments stand in each status; their sum is the number of proposals."""
        return {status.value: self._tally[status] for status in ExperimentStatus}

    @property
    def spent(self) -> int:
        """Experiments that count against the budget: all but the cancelled ones and those that were imported."""
        return self.n_experiments - self._tally[ExperimentStatus.CANCELLED] - len(self.imported)

    def with_status(self, *statuses: ExperimentStatus) -> list[Experiment]:
        """Return the experiments in any of `statuses`, oldest first; where `lean`, none that is settled."""
        return [e for e in self.experiments.values() if e.status in statuses]

    def open_attempts(self) -> list[Attempt]:
        """Return attempts that are with a driver, or may be."""
        return [a for a in self.attempts.values() if a.status in OPEN_ATTEMPTS]

    def attempts_of(self, experiment: str, step: str | None = None, *, current: bool = False) -> list[Attempt]:
        """Return the attempts of an experiment, or of one of its steps, oldest first.

        Args:
            experiment: Its id.
            step: Only those of this step.
            current: Leave out those that failed before the experiment was queued again.
        """
        found = self.experiments[experiment]
        made = (self.attempts[a] for a in found.attempts if not (current and a in found.superseded))
        return [a for a in made if step is None or a.step == step]


def fold(events: Iterable[Event], *, lean: bool = False) -> CampaignState:
    """Return the state that `events` lead to.

    Args:
        events: All of one campaign, in order.
        lean: Keep only what something may still become of.

    Raises:
        IllegalTransitionError: If one of them cannot follow the ones before.
    """
    state = CampaignState(lean=lean)
    for event in events:
        state.apply(event)
    return state
