"""What must hold at every moment, whatever goes wrong."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from controller.domain.event import AttemptCommitted, Event
from controller.domain.experiment import OPEN_ATTEMPTS, AttemptStatus, ExperimentStatus
from controller.domain.state import Attempt, CampaignState
from controller.errors import IllegalTransitionError
from controller.measure.verdict import REPEATABLE, graver
from controller.store.audit import audit
from instruments.protocol.capabilities import Capabilities
from instruments.protocol.records import AttemptRecord
from instruments.protocol.values import READING, Outcome, Succeeded

if TYPE_CHECKING:
    from controller.domain.campaign import Definition
    from controller.store.reading import Reader

_REMEMBERED = 4000
_SETTLING_S = 1.0
"""What was decided just before an instrument was switched off may become durable so long after it."""


class Witness:
    """Keeps an account of its own, from what became durable and from what devices did, and compares.

    Args:
        definition: The campaign that is rehearsed.
        now: Returns virtual time [s].
    """

    def __init__(self, definition: Definition, now: Callable[[], float]) -> None:
        self.broken: list[str] = []
        """Invariants that did not hold, with the moment."""
        self.trace: deque[str] = deque(maxlen=_REMEMBERED)
        """What happened, newest last."""
        self.state = CampaignState()
        """As the durable events tell it."""
        self.n_begun = 0
        self.out_of_service: dict[str, float] = {}
        """Instruments that people have switched off, and since when [virtual s]."""
        self._definition, self._now = definition, now
        self._begun: dict[str, str] = {}
        self._outcomes: dict[str, tuple[str, Outcome]] = {}

    def say(self, text: str) -> None:
        """Take note of something."""
        self.trace.append(f"{self._now():9.3f}  {text}")

    def fail(self, text: str) -> None:
        """Take note of an invariant that does not hold."""
        self.say(f"BROKEN: {text}")
        self.broken.append(f"{text} (at {self._now():.3f} s)")

    def committed(self, events: Sequence[Event], reader: Reader) -> None:
        """Events are durable: each must follow from the ones before, and the books must balance."""
        for event in events:
            try:
                self.state.apply(event)
            except IllegalTransitionError as error:
                self.fail(f"books: {error}")
            off_since = self.out_of_service.get(event.instrument, math.inf) if isinstance(event, AttemptCommitted) else math.inf
            if isinstance(event, AttemptCommitted) and self._now() - off_since > _SETTLING_S:
                self.fail(f"out of service: {self._name(event.attempt)} is dispatched to {event.instrument}, which is switched off")
            self.say(f"committed {_short(event)}")
        counts = self.state.counts()
        if counts != (rows := reader.counts(self.state.id)):
            self.fail(f"books: the log counts {counts}, the tables {rows}")
        if self.state.spent > self._definition.budget.experiments:
            self.fail(f"books: {self.state.spent} experiments, {self._definition.budget.experiments} are allowed")

    def journalled(self, instrument: str, record: AttemptRecord) -> None:
        """A driver's record is durable: a result is known from now on, an acknowledgement presumes a commit."""
        if record.attempt.startswith(READING):
            return  # of an interlock: it belongs to no campaign and no books
        if record.outcome is not None and record.attempt not in self._outcomes:
            self._outcomes[record.attempt] = (instrument, record.outcome)
        if record.acknowledged_at is not None:
            attempt = self.state.attempts.get(record.attempt)
            if attempt is None or attempt.status in OPEN_ATTEMPTS:
                self.fail(f"acknowledged before commit: {self._name(record.attempt)} on {instrument}")
        self.say(f"{instrument} wrote {record.attempt[-6:]} {record.outcome.kind if record.outcome else ''}")

    def device_begins(
        self, instrument: str, attempt: str, action: str, arguments: Mapping[str, Any], offered: Capabilities, held: str | None
    ) -> None:
        """A device is about to carry out an attempt."""
        if attempt.startswith(READING):
            return
        self.n_begun += 1
        name = self._name(attempt)
        self.say(f"{instrument} begins {name}")
        if attempt in self._begun:
            self.fail(f"once: {name} is begun a second time on {instrument}")
        self._begun[attempt] = instrument
        if held is not None:
            self.fail(f"stop: {instrument} begins {name} while a person has stopped it")
        known = self.state.attempts.get(attempt)
        if known is None:
            self.fail(f"intent before act: {instrument} begins {name}, which was never committed")
            return
        if (known.instrument, known.action) != (instrument, action):
            self.fail(f"{name} was meant for {known.instrument}.{known.action}, not for {instrument}.{action}")
        for argument, (low, high) in self._definition.lab.instruments[instrument].limits.items():
            value = arguments.get(argument)
            if isinstance(value, int | float) and not low <= value <= high:
                self.fail(f"limits: {instrument} begins {name} with {argument} = {value:g}, allowed are {low:g} to {high:g}")
        announced = offered.actions[action].consequence
        consequence = announced if known.consequence is None else graver(announced, known.consequence)
        earlier = [a for a in self._same_step(known) if a.id != attempt and a.id in self._begun]
        if earlier and consequence not in REPEATABLE:
            self.fail(f"once: {name} repeats {self._name(earlier[-1].id)}, which {consequence} and was begun before")
        if len(earlier) >= self._definition.failures.attempts:
            self.fail(f"once: {name} is repeat {len(earlier)}, {self._definition.failures.attempts} attempts are allowed")

    def at_the_end(self, reader: Reader, unacknowledged: Mapping[str, int]) -> None:
        """Nothing goes wrong any more and everything has come to rest."""
        for attempt, (instrument, outcome) in self._outcomes.items():
            self._check_result(attempt, instrument, outcome)
        for left in self.state.open_attempts():
            self.fail(f"{self._name(left.id)} is still {left.status.value} in the books at the end")
        for experiment in self.state.with_status(ExperimentStatus.RUNNING, ExperimentStatus.QUEUED):
            self.fail(f"stuck: experiment {experiment.number} is still {experiment.status.value} at the end")
        for instrument, n in unacknowledged.items():
            if n:
                self.fail(f"{n} results wait at {instrument} for an acknowledgement that never comes")
        for difference in audit(reader, self.state.id).differences:
            self.fail(f"audit: {difference}")

    def _check_result(self, attempt: str, instrument: str, outcome: Outcome) -> None:
        booked = self.state.attempts.get(attempt)
        if booked is None:
            self.fail(f"result lost: {instrument} finished {attempt}, the books do not know it")
        elif isinstance(outcome, Succeeded):
            values = {m.name: m.value for m in booked.measurements}
            told = {name: m.value for name, m in outcome.values.items()}
            if booked.status is not AttemptStatus.SUCCEEDED or not _same(values, told):
                self.fail(
                    f"result lost: {instrument} finished {self._name(attempt)} with {told}, "
                    f"the books say {booked.status.value} {values}"
                )
        elif booked.status is AttemptStatus.SUCCEEDED:
            self.fail(f"{self._name(attempt)} did not succeed on {instrument}, the books say that it did")

    def _same_step(self, attempt: Attempt) -> list[Attempt]:
        return self.state.attempts_of(attempt.experiment, attempt.step)

    def _name(self, attempt: str) -> str:
        known = self.state.attempts.get(attempt)
        if known is None:
            return f"attempt {attempt[-6:]}"
        number = self.state.experiments[known.experiment].number
        return f"experiment {number}, step {known.step}, attempt {known.ordinal} ({attempt[-6:]})"


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return one.keys() == other.keys() and all(
        a == other[k] or (isinstance(a, float) and math.isnan(a) and math.isnan(float(other[k]))) for k, a in one.items()
    )


def _short(event: Event) -> str:
    what: list[str] = [event.kind]
    for key in ("number", "step", "instrument", "status"):
        if (value := getattr(event, key, None)) is not None:
            what.append(str(getattr(value, "value", value)))
    if attempt := getattr(event, "attempt", None):
        what.append(attempt[-6:])
    return " ".join(what)
