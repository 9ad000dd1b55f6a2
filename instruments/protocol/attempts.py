"""The attempts that a driver has taken on: what waits, what runs, and what is offered until it is acknowledged.

Part of the driver's session, and pure as it is: whatever is to be done comes back as outputs, in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from instruments.protocol.messages import Accepted, Finished, RejectCode, Rejected, Report, Started
from instruments.protocol.outputs import DriverOutput, Execute, Note, Send, Write
from instruments.protocol.records import AttemptRecord, rejected_record
from instruments.protocol.values import READING, FaultCode, Faulted, Outcome, shorten

_OFFERS_PER_TICK = 50
_LONGEST_OFFER_PAUSE_S = 30.0


@dataclass
class _Offer:
    due: float
    pause: float


class DriverAttempts:
    """Every attempt of one driver that is not settled, from its acceptance to its acknowledgement.

    How an attempt goes on is told while a controller listens; what was asked is always answered.

    Args:
        records: Every unacknowledged, not rejected record of the journal, oldest first.
        lookup: Finds a record that is no longer held in memory (acknowledged or rejected).
        lab_time: Lab time [s since the Unix epoch].
        capacity: How many may run at once.
        offer_s: First pause before an unacknowledged outcome is offered again; doubles each time [real s].
        may_start: Says whether anything may be begun now.
        is_linked: Says whether a controller has taken the driver on and listens.
        now: Real monotonic time [s].
    """

    def __init__(
        self,
        records: Iterable[AttemptRecord],
        *,
        lookup: Callable[[str], AttemptRecord | None],
        lab_time: Callable[[], float],
        capacity: int,
        offer_s: float,
        may_start: Callable[[], bool],
        is_linked: Callable[[], bool],
        now: float,
    ) -> None:
        self._lookup = lookup
        self._lab_time = lab_time
        self._capacity = capacity
        self._offer_s = offer_s
        self._may_start, self._is_linked = may_start, is_linked
        self._live = {record.attempt: record for record in records}
        self._queue = deque(r.attempt for r in self._live.values() if r.phase == "accepted")
        self._to_recover = [r.attempt for r in self._live.values() if r.phase == "running"]
        self._running: set[str] = set()
        self._stuck: set[str] = set()
        self._unheard: set[str] = set()
        """Running attempts whose first record says that they run: if it cannot be written, they were never heard of."""
        self._offers = {r.attempt: _Offer(now, offer_s) for r in self._live.values() if r.phase == "finished"}
        self._unwritten: dict[str, AttemptRecord] = {}

    # --- what the session may look at -------------------------------------------------------------------------------

    @property
    def running(self) -> tuple[str, ...]:
        """Attempts being carried out."""
        return tuple(sorted(self._running))

    @property
    def stuck(self) -> tuple[str, ...]:
        """Attempts whose outcome is told although their code has not returned."""
        return tuple(sorted(self._stuck))

    @property
    def outbox(self) -> tuple[str, ...]:
        """Attempts whose outcome nobody has acknowledged yet."""
        return tuple(self._offers)

    @property
    def busy(self) -> bool:
        """Whether any is being carried out."""
        return bool(self._running)

    @property
    def n_waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._queue)

    @property
    def written(self) -> bool:
        """Whether every outcome is in the journal."""
        return not self._unwritten

    def runs(self, attempt: str) -> bool:
        """Say whether an attempt is being carried out."""
        return attempt in self._running

    def waits(self, attempt: str) -> bool:
        """Say whether an attempt waits for its turn."""
        return attempt in self._queue

    def record(self, attempt: str) -> AttemptRecord | None:
        """Return what the journal says of an attempt, None if it was never heard of."""
        return self._live.get(attempt) or self._lookup(attempt)

    # --- what the controller says -----------------------------------------------------------------------------------

    def take(self, accepted: AttemptRecord) -> list[DriverOutput]:
        """Take an attempt on; it begins at once where nothing is before it."""
        if not self._queue and self._has_room() and self._may_start():
            return self._begin_at_once(accepted)
        self._live[accepted.attempt] = accepted
        self._queue.append(accepted.attempt)
        return [Write(accepted), Send(_acceptance(accepted)), *self.start_ready()]

    def _begin_at_once(self, accepted: AttemptRecord) -> list[DriverOutput]:
        """Accept and start with one record: it costs one flush of the disk, and nobody needs to know of a moment in between."""
        record = accepted.started(accepted.accepted_at)
        self._live[record.attempt] = record
        self._running.add(record.attempt)
        self._unheard.add(record.attempt)
        out: list[DriverOutput] = [Write(record), Send(_acceptance(record)), Execute(record)]
        if self._is_linked():
            out.append(Send(Started(attempt=record.attempt, at=accepted.accepted_at)))
        return out

    def reject(self, attempt: str, action: str, code: RejectCode, message: str) -> list[DriverOutput]:
        """Turn an attempt down for good."""
        text = shorten(message)
        record = rejected_record(attempt, action, code, text, self._lab_time())
        return [Write(record), Send(Rejected(attempt=attempt, code=code, message=text))]

    def answer_from(self, record: AttemptRecord) -> list[DriverOutput]:
        """Say again what was said of an attempt that is known already."""
        if record.attempt in self._unwritten:
            return []  # its outcome is not durable yet, and nothing may be said before it is
        if record.rejected is not None:
            return [Send(Rejected(attempt=record.attempt, code=record.rejected[0], message=record.rejected[1]))]
        out: list[DriverOutput] = [Send(_acceptance(record))]
        if record.outcome is not None:
            out.append(Send(Finished(attempt=record.attempt, outcome=record.outcome)))
        elif record.started_at is not None:
            out.append(Send(Started(attempt=record.attempt, at=record.started_at)))
        return out

    def report(self, attempt: str) -> Report:
        """Return what the journal says of an attempt, as the wire has it."""
        record = self.record(attempt)
        if record is None:
            return Report(attempt=attempt, status="never_heard")
        if attempt in self._unwritten:
            return Report(attempt=attempt, status="running")
        message = "" if record.rejected is None else f"{record.rejected[0]}: {record.rejected[1]}"
        return Report(attempt=attempt, status=record.status, outcome=record.outcome, message=shorten(message))

    def acknowledge(self, attempt: str) -> list[DriverOutput]:
        """Let go of an attempt whose outcome is durable at the controller."""
        record = self._live.get(attempt)
        if record is None or record.outcome is None or attempt in self._unwritten:
            return []
        done = record.acknowledged(self._lab_time())
        del self._live[attempt]
        self._offers.pop(attempt, None)
        return [Write(done)]

    # --- beginning --------------------------------------------------------------------------------------------------

    def recover(self) -> list[DriverOutput]:
        """Find out, once, what became of what an earlier process had started."""
        attempts, self._to_recover = self._to_recover, []
        self._running.update(attempts)
        return [Execute(self._live[attempt], recovering=True) for attempt in attempts]

    def start_ready(self) -> list[DriverOutput]:
        """Begin what waits, as far as there is room and anything may be begun."""
        out: list[DriverOutput] = []
        while self._queue and self._has_room() and self._may_start():
            attempt = self._queue.popleft()
            started_at = self._lab_time()
            record = self._live[attempt].started(started_at)
            self._live[attempt] = record
            self._running.add(attempt)
            out += [Write(record), Execute(record)]
            if self._is_linked():
                out.append(Send(Started(attempt=attempt, at=started_at)))
        return out

    def _has_room(self) -> bool:
        return len(self._running | self._stuck) < self._capacity

    def put_back(self, attempt: str) -> None:
        """Let a running attempt that was not begun wait at the head of the queue."""
        self._running.discard(attempt)
        self._live[attempt] = replace(self._live[attempt], started_at=None)
        self._queue.appendleft(attempt)

    # --- ending -----------------------------------------------------------------------------------------------------

    def drop(self, attempt: str, code: FaultCode, message: str, now: float) -> list[DriverOutput]:
        """End an attempt that waits for its turn."""
        self._queue.remove(attempt)
        return self._conclude(attempt, Faulted(code=code, message=message, retryable=True), now)

    def drop_waiting(self, code: FaultCode, message: str, now: float) -> list[DriverOutput]:
        """End every attempt that waits for its turn."""
        return [output for attempt in list(self._queue) for output in self.drop(attempt, code, message, now)]

    def finish(self, attempt: str, outcome: Outcome, now: float, *, stuck: bool) -> list[DriverOutput]:
        """Take the outcome of a running attempt; with `stuck` its place stays taken until `release`."""
        self._running.discard(attempt)
        if stuck:
            self._stuck.add(attempt)
        return self._conclude(attempt, outcome, now)

    def release(self, attempt: str) -> None:
        """Free the place of a stuck attempt."""
        self._stuck.discard(attempt)

    def _conclude(self, attempt: str, outcome: Outcome, now: float) -> list[DriverOutput]:
        record = self._live[attempt].finished(outcome, self._lab_time())
        self._unheard.discard(attempt)
        self._live[attempt] = record
        self._offers[attempt] = _Offer(now + self._offer_s, self._offer_s)
        out: list[DriverOutput] = [Write(record)]
        if self._is_linked():
            out.append(Send(Finished(attempt=attempt, outcome=outcome)))
        return out

    # --- offers and the journal -------------------------------------------------------------------------------------

    def offer_again(self, now: float) -> None:
        """Offer every outcome at once, and then at the first pauses: whoever listens now has heard of none."""
        for offer in self._offers.values():
            offer.due, offer.pause = now, self._offer_s

    def make_offers(self, now: float) -> list[DriverOutput]:
        """Offer what is due, and write what the journal could not take before."""
        out: list[DriverOutput] = []
        for attempt, offer in self._offers.items():
            if offer.due > now or len(out) >= _OFFERS_PER_TICK:
                continue
            record = self._unwritten.pop(attempt, None)
            if record is not None:
                out.append(Write(record))
            elif not self._is_linked():
                continue
            outcome = self._live[attempt].outcome
            offer.due = now + offer.pause
            offer.pause = min(2.0 * offer.pause, _LONGEST_OFFER_PAUSE_S)
            if self._is_linked() and outcome is not None:
                out.append(Send(Finished(attempt=attempt, outcome=outcome)))
        return out

    def write_failed(self, record: AttemptRecord, now: float, problem: str) -> list[DriverOutput]:
        """See `DriverSession.write_failed`."""
        attempt = record.attempt
        if record.phase in ("accepted", "rejected") or (record.phase == "running" and attempt in self._unheard):
            self._unheard.discard(attempt)
            self._running.discard(attempt)
            if attempt in self._queue:
                self._queue.remove(attempt)
            code, why = record.rejected or ("not_ready", f"the driver's journal cannot be written: {problem}")
            if attempt.startswith(READING):
                self._live.pop(attempt, None)
            else:
                # Kept in memory instead, so that a second copy of the command is turned down as well.
                self._live[attempt] = rejected_record(attempt, record.action, code, shorten(why), record.accepted_at)
            return [Send(Rejected(attempt=attempt, code=code, message=shorten(why)))]
        if record.phase == "running":
            # Its start could not be noted, so it was not started: back to the head of the queue.
            self.put_back(attempt)
        elif record.phase == "finished":
            self._unwritten[attempt] = record
            self._offers[attempt] = _Offer(now + self._offer_s, self._offer_s)
        elif record.phase == "acknowledged":
            # Offered again, acknowledged again, written then.
            self._live[attempt] = replace(record, acknowledged_at=None)
            self._offers[attempt] = _Offer(now + self._offer_s, self._offer_s)
        return [Note("warning", f"attempt {attempt}: the journal cannot be written: {problem}")]


def _acceptance(record: AttemptRecord) -> Accepted:
    return Accepted(attempt=record.attempt, duration_s=record.duration_s, conversions=record.conversions)
