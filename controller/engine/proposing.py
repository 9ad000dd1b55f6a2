"""Design, as the loop sees it: ask the proposer process ahead of need, and never let instruments wait for it too long."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from controller.design.initial import stand_in
from controller.domain.base import Point
from controller.domain.event import Event, ExperimentProposed, ExperimentStatusChanged
from controller.domain.experiment import ExperimentStatus
from controller.domain.ids import new_id
from controller.domain.proposal import Proposal
from controller.domain.request import Request
from controller.engine.context import missing_text, untold
from controller.engine.ledger import Ledger
from controller.engine.pricing import previous_point, priced
from controller.engine.thinker import Thinker
from controller.errors import ProposalError, SpaceExhaustedError
from controller.learn.stopping import experiments_left, reason_to_stop

MOST_REFUSED = 1000
"""So many settings that were proposed again the proposer is told of."""

_S = ExperimentStatus


@dataclass(frozen=True)
class Proposed:
    """The proposer's answer: proposals, or why there are none."""

    proposals: list[Proposal] = field(default_factory=list)
    error: ProposalError | None = None


class Proposing:
    """Keeps a campaign supplied with experiments.

    Args:
        ledger: The campaign's books.
        thinker: The proposer process.
        device: `cpu`, `cuda` or `auto`.
        deliver: Takes the answer, in the loop's own time, to `accept` it.
    """

    def __init__(self, ledger: Ledger, thinker: Thinker, device: str, deliver: Callable[[Proposed], None]) -> None:
        self.exhausted = ""
        """Why nothing is left to propose, if so."""
        self._ledger = ledger
        self._thinker = thinker
        self._device = device
        self._deliver = deliver
        self._thinking: asyncio.Task[None] | None = None
        self._wanted_since: float | None = None
        self._outdated = False
        self._said_untold = False
        self._known = self._keys()
        self._refused: deque[Point] = deque(maxlen=MOST_REFUSED)
        """Settings that were proposed again, newest last: the proposer is told of them, or it would propose them for ever."""

    def _keys(self) -> set[int]:
        state = self._ledger.state
        return {self._key(point) for point in state.history.points()} | {
            self._key(e.point) for e in state.experiments.values() if e.retracted_at is None
        }

    def _key(self, point: Point) -> int:
        # Eight bytes for each setting, and of its text: Python's numbers -1 and -2 share one hash, and of two settings that share
        # one the second could never be entered.
        return hash(repr(self._ledger.definition.problem.key(point)))

    def wanted(self) -> int:
        """Return how many proposals are wanted now."""
        definition, state = self._ledger.definition, self._ledger.state
        if untold(definition.problem, state):
            return 0
        if reason_to_stop(definition.budget, state, self._ledger.worked.seconds, exhausted=bool(self.exhausted)):
            return 0
        in_hand = len(state.with_status(_S.PROPOSED, _S.QUEUED, _S.RUNNING))
        return max(0, min(definition.batch + definition.ahead - in_hand, experiments_left(definition.budget, state)))

    @property
    def thinking(self) -> bool:
        """Whether the proposer has been asked and has not answered."""
        return self._thinking is not None

    @property
    def lacking(self) -> bool:
        """Whether a proposal is wanted, none is queued, and the proposer is able to answer."""
        return self.wanted() > 0 and self._thinker.ready.is_set() and not self._ledger.state.with_status(_S.QUEUED)

    @property
    def loading(self) -> bool:
        """Whether the proposer still loads its libraries."""
        return not self._thinker.ready.is_set()

    async def go_on(self) -> None:
        """Ask for what is wanted; let a space-filling point stand in when nothing is queued and the answer takes too long."""
        wanted = self.wanted()
        await self._say_what_is_untold()
        if wanted == 0:
            self._wanted_since = None
            return
        if self._thinking is None:
            self._wanted_since = self._wanted_since or time.monotonic()
            self._thinking = asyncio.create_task(self._ask(self._request(wanted)))
        patience = self._ledger.definition.proposals.patience
        if self.lacking and self._wanted_since is not None and time.monotonic() - self._wanted_since > patience:
            self._wanted_since = time.monotonic()
            await self._stand_in(1, f"no proposal within {patience:g} s")

    async def accept(self, answer: Proposed) -> None:
        """Make experiments of an answer."""
        if self._outdated:
            self.decline()
            return
        self._thinking = None
        if isinstance(answer.error, SpaceExhaustedError):
            self.exhausted = str(answer.error)
        elif answer.error is not None:
            await self._ledger.alarm("proposal_failed", str(answer.error))
            await self._stand_in(self.wanted(), str(answer.error))
        else:
            for failed in [p for p in answer.proposals if p.source == "stand-in"][:1]:
                await self._ledger.alarm("stand_in", f"a space-filling point stands in for the model: {failed.note}")
            await self._enter(answer.proposals)
        self._wanted_since = None

    def decline(self) -> None:
        """Let an answer go that came when nothing was wanted any more; it will be asked for again."""
        self._thinking = None
        self._outdated = False
        self._wanted_since = None

    async def _say_what_is_untold(self) -> None:
        missing = untold(self._ledger.definition.problem, self._ledger.state)
        if missing and not self._said_untold:
            await self._ledger.alarm("context_missing", missing_text(self._ledger.definition, missing))
        self._said_untold = bool(missing)

    def meet_context(self) -> None:
        """Take note that the context was told anew: an answer under way was for another one, and is asked for again."""
        self._outdated = self.thinking

    def know_anew(self) -> None:
        """Take note that what is known was changed by hand: an answer under way rests on what no longer holds.

        The point of a retracted result may be proposed again.
        """
        self._known = self._keys()
        self._refused.clear()
        self.exhausted = ""
        self._outdated = self.thinking

    def close(self) -> None:
        """Wait for no answer any more."""
        if self._thinking is not None:
            self._thinking.cancel()

    async def _ask(self, request: Request) -> None:
        try:
            answer = Proposed(await self._thinker.propose(request))
        except ProposalError as error:
            answer = Proposed(error=error)
        self._deliver(answer)

    def _request(self, n: int) -> Request:
        return self._ledger.request(n, self._device, tuple(self._refused))

    async def _stand_in(self, n: int, why: str) -> None:
        if n == 0:
            return
        try:
            await self._enter(stand_in(self._request(n), why))
        except SpaceExhaustedError as error:
            self.exhausted = str(error)

    async def _enter(self, proposals: list[Proposal]) -> None:
        """Accept proposals as experiments, as many as are still wanted and none that is known already."""
        problem = self._ledger.definition.problem
        events: list[Event] = []
        number, previous = self._ledger.state.n_experiments, previous_point(self._ledger.state)
        for proposal in proposals[: self.wanted()]:
            key = self._key(proposal.point)
            if not problem.allow_replicates and proposal.source != "reference" and key in self._known:
                self._refused.append(proposal.point)
                continue  # a stand-in took it while the model was thinking, or nobody had told of it
            self._known.add(key)
            number += 1
            (proposal,), previous = priced(problem, [proposal], previous), proposal.point
            experiment, stamp = new_id(), self._ledger.stamp()
            events.append(ExperimentProposed(**stamp, experiment=experiment, number=number, proposal=proposal))
            events.append(ExperimentStatusChanged(**stamp, experiment=experiment, status=_S.QUEUED))
        await self._ledger.record(*events)
