"""Puts reference experiments between the others, where measurements drift."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from controller.design.initial import data_fingerprint
from controller.domain.proposal import Proposal
from controller.domain.request import Observed, Request


def references(request: Request, complete: Sequence[Observed]) -> int:
    """Return how many of the measured settings and of those under way are the reference."""
    if request.problem.drift is None or not request.problem.drift.reference:
        return 0
    key = request.problem.key
    reference = key(request.problem.drift.reference)
    return sum(key(point) == reference for point in (*(o.point for o in complete), *request.pending))


def with_references(request: Request, propose: Callable[[Request], list[Proposal]]) -> list[Proposal]:
    """Return proposals, with the reference where it is due.

    Args:
        request: What is asked.
        propose: Answers a request as if there were no reference.

    Raises:
        SpaceExhaustedError: If every allowed setting has been proposed.
    """
    drift = request.problem.drift
    if drift is None or drift.every is None or request.reference_in is None:
        return propose(request)
    due = range(request.reference_in, request.n, drift.every)
    if not len(due):
        return propose(request)
    point = dict(drift.reference)
    reference = Proposal(
        point=point, source="reference", data_fingerprint=data_fingerprint(request), seed=request.seed,
        note=f"the reference: one of {drift.every} experiments, to show how measurements drift",
    )  # fmt: skip
    others: list[Proposal] = []
    if request.n > len(due):
        pending = (*request.pending, *(point for _ in due))
        others = propose(request.model_copy(update={"n": request.n - len(due), "pending": pending}))
    proposals: list[Proposal] = []
    for place in range(request.n):
        if place in due:
            proposals.append(reference)
        elif others:
            proposals.append(others.pop(0))
    return proposals
