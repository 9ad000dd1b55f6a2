"""Derives proposals again from the log and compares them, bit for bit, with those that were kept."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from controller.domain.campaign import Definition
from controller.domain.event import Event, ExperimentProposed
from controller.domain.proposal import Basis, Proposal
from controller.domain.request import Request
from controller.domain.state import CampaignState
from controller.engine.asking import request_for
from controller.engine.snapshot import best_so_far
from controller.engine.thinking import one_thread, propose
from controller.errors import LabwrightError
from controller.learn.software import software

_COMPARED = ("source", "point", "data_fingerprint", "surrogate", "acquisition_name", "acquisition", "predictions", "runners_up")
"""What has to be the same, in the order in which one follows from the other; the time it took need not be."""
_DERIVED = ("model", "space-filling")
_EARLIER = "it was kept by an earlier version, without the moment at which it was asked for"


@dataclass(frozen=True)
class Replayed:
    """One proposal, derived again."""

    number: int
    """Of its experiment."""
    source: str
    same: bool | None
    """Whether everything is the same bit for bit; None where it could not be derived."""
    difference: str = ""
    """What differs first, or why it could not be derived."""
    changed: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Of what it was computed by: name -> (then, now), where they differ. Why it may come out otherwise."""


def derivable(events: Sequence[Event]) -> dict[int, Proposal]:
    """Return number -> proposal of the experiments that the proposer proposed, with a model or as one of the first points."""
    return {e.number: e.proposal for e in events if isinstance(e, ExperimentProposed) and e.proposal.source in _DERIVED}


def replay(
    definition: Definition, events: Sequence[Event], numbers: Collection[int] | None = None
) -> Iterator[Replayed]:
    """Derive proposals again, one after the other.

    The log is folded up to the moment at which each was asked for, with what was under way, failed and retracted then, and the
    same question is put again.

    Args:
        definition: Of the campaign.
        events: Its log.
        numbers: Of the experiments; all that the proposer proposed where nothing is said.

    Raises:
        IllegalTransitionError: If the log contradicts itself.
    """
    kept = {n: p for n, p in derivable(events).items() if numbers is None or n in numbers}
    state, at = CampaignState(lean=True), 0
    asked: dict[tuple[int, int, str], list[tuple[int, Proposal, Basis]]] = {}
    for number, proposal in kept.items():
        if proposal.basis is None:
            yield Replayed(number, proposal.source, None, _EARLIER)
        else:
            basis = proposal.basis
            asked.setdefault((basis.events, basis.number, basis.device), []).append((number, proposal, basis))
    for (known, _, _), together in sorted(asked.items()):
        for event in events[at:known]:
            state.apply(event)
        at = known
        yield from _again(definition, state, together)


def _again(
    definition: Definition, state: CampaignState, kept: Sequence[tuple[int, Proposal, Basis]]
) -> Iterator[Replayed]:
    """Ask for one answer again, and compare those of its proposals that became experiments."""
    basis = kept[0][2]
    with one_thread():  # as proposals are made
        now = software()
    changed = {
        name: (basis.software.get(name, "none"), now.get(name, "none"))
        for name in sorted(basis.software.keys() | now.keys()) if basis.software.get(name) != now.get(name)
    }  # fmt: skip
    found: list[Proposal] = []
    try:
        found = propose(question(definition, state, basis, 1 + max(b.position for _, _, b in kept)))
        failure = "no such proposal comes of it"
    except LabwrightError as error:
        failure = f"nothing comes of it: {error}"
    for number, proposal, own in kept:
        difference = _first_difference(proposal, found[own.position]) if own.position < len(found) else failure
        yield Replayed(number, proposal.source, not difference, difference, changed)


def question(definition: Definition, state: CampaignState, basis: Basis, n: int) -> Request:
    """Return what was asked in `state` for `n` proposals."""
    best = best_so_far(definition, state).numbers()
    request = request_for(definition, state, best, n, basis.device, refused=basis.refused)
    return request.model_copy(update={"number": basis.number})


def _first_difference(kept: Proposal, found: Proposal) -> str:
    """Return what differs first, empty where nothing does."""
    before, after = (_plain(p) for p in (kept, found))
    for name in _COMPARED:
        difference = _difference(name, before[name], after[name])
        if difference:
            return difference
    return ""


def _plain(proposal: Proposal) -> dict[str, Any]:
    """Return a proposal as it looks once it has been written and read, without how long things took."""
    content: dict[str, Any] = json.loads(proposal.model_dump_json(include=set(_COMPARED)))
    for report in content["surrogate"].values():
        if isinstance(report, dict):
            report.pop("seconds", None)
    return content


def _difference(place: str, before: Any, after: Any) -> str:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*before, *(n for n in after if n not in before)]:
            if found := _difference(f"{place}.{name}", before.get(name), after.get(name)):
                return found
        return ""
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        parts = (_difference(f"{place}[{i}]", b, a) for i, (b, a) in enumerate(zip(before, after, strict=True)))
        return next((part for part in parts if part), "")
    return "" if before == after else f"{place}: {_short(before)} was kept, {_short(after)} comes of it now"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
