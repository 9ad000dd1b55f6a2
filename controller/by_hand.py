"""Campaigns by hand: experiments are asked for, written down as a plan, carried out by people, and told back.

The same proposals, bookkeeping and store as everywhere else: what was asked for is queued and counts as under way until it is told.
Between asking and telling the campaign is paused, so that no daemon carries out what people carry out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from controller.campaign import Campaign
from controller.domain.by_hand import BY_HAND
from controller.domain.campaign import CampaignStatus
from controller.domain.experiment import ExperimentStatus
from controller.errors import ConflictError
from controller.files.plans import Filled, read_plan, read_results
from controller.store.opening import Store
from controller.verbs.logs import read_definition
from controller.verbs.plans import Plan, Taken

if TYPE_CHECKING:
    from controller.domain.campaign import Definition
    from controller.domain.state import Experiment
    from controller.verbs.stores import Found

MOST = 1000
"""Experiments that one plan holds."""


def ask_plan(definition: Definition, url: str, n: int, *, device: str = "auto") -> Plan:
    """Ask for experiments, or for none more, and return the plan of those that were asked for now, or of all that are open.

    Args:
        definition: The campaign; entered into the store where that does not hold it.
        url: The store.
        n: How many; zero for all that were asked for before and are not told yet.
        device: `cpu`, `cuda` or `auto`.

    Raises:
        ConflictError: If the campaign has ended, its budget is used up, or the store holds another of this name.
        CampaignLockedError: If a controller is at work on it.
        SpaceExhaustedError: If every allowed setting has been proposed.
    """
    with _opened(definition, url, device) as campaign:
        state = campaign.state
        left = max(0, campaign.definition.budget.experiments - state.spent)
        if n:
            if state.status is CampaignStatus.COMPLETED and left:
                campaign.move(CampaignStatus.RUNNING, "the budget was raised")
            if state.status not in (CampaignStatus.RUNNING, CampaignStatus.PAUSED):
                why = state.reason or "nothing more is asked for"
                raise ConflictError(f"campaign {definition.name} is {state.status.value}: {why}")
            if not left:
                budget = campaign.definition.budget.experiments
                raise ConflictError(f"the budget of {budget} experiments is used up; raise budget.experiments in the campaign file")
            rows = [
                {"experiment": s.experiment, "parameters": s.parameters, "source": s.proposal.source}
                for s in campaign.ask(min(n, left, MOST))
            ]
        else:
            rows = [
                {"experiment": e.number, "parameters": e.point, "source": e.proposal.source} for e in _open(campaign)[:MOST]
            ]
        _leave_to_people(campaign)
        left = max(0, campaign.definition.budget.experiments - state.spent)
        return Plan(campaign.definition, url, rows, left)


def tell_plan(definition: Definition, url: str, path: Path, *, by: str) -> Taken:
    """Book what a plan says: all of it, or nothing where a cell says what cannot be. Told again it changes nothing.

    Args:
        definition: The campaign.
        url: The store.
        path: The plan, CSV or XLSX.
        by: Who tells it.

    Raises:
        FileFaultsError: With every fault, each with its cell.
        ConflictError: If the file cannot be read or is no plan.
        CampaignLockedError: If a controller is at work on the campaign.
    """
    with _opened(definition, url, "cpu") as campaign:
        return _book(campaign, url, read_plan(path, campaign.definition, campaign.state), f"told by {by} in {path.name}")


def tell_results(definition: Definition, url: str, results: Sequence[Mapping[str, Any]], *, by: str) -> Taken:
    """Book results that no file holds, as `tell_plan` does.

    Args:
        definition: The campaign.
        url: The store.
        results: See `controller.files.plans.read_results`.
        by: Who tells them.

    Raises:
        FileFaultsError: With every fault, each with its place.
        CampaignLockedError: If a controller is at work on the campaign.
    """
    with _opened(definition, url, "cpu") as campaign:
        return _book(campaign, url, read_results(results, campaign.definition, campaign.state), f"told by {by}")


def asked(found: Found, *, n: int) -> dict[str, Any]:
    """Ask for experiments of a campaign that a store holds, and return the plan as JSON data. Raises as `ask_plan`."""
    return ask_plan(read_definition(found), found.url, n).told()


def told_file(found: Found, *, path: str, by: str) -> dict[str, Any]:
    """Book what a plan says of a campaign that a store holds, and return what came of it. Raises as `tell_plan`."""
    return tell_plan(read_definition(found), found.url, Path(path), by=by).told()


def told_results(found: Found, *, results: Sequence[Mapping[str, Any]], by: str) -> dict[str, Any]:
    """Book results of a campaign that a store holds, and return what came of it. Raises as `tell_results`."""
    return tell_results(read_definition(found), found.url, results, by=by).told()


def _book(campaign: Campaign, url: str, filled: Filled, who: str) -> Taken:
    for told in filled.new:
        said = who + "".join(f"; {name}: {text}" for name, text in told.notes.items())
        reason = said if told.values is not None else f"{told.reason}; {said}"
        campaign.tell(told.experiment, told.values, sem=told.sem, reason=reason)
    _leave_to_people(campaign)
    state, budget = campaign.state, campaign.definition.budget.experiments
    if state.spent >= budget and not _open(campaign) and state.status is CampaignStatus.PAUSED:
        campaign.move(CampaignStatus.COMPLETED, f"the budget of {budget} experiments is used up")
    return Taken(
        campaign.definition.name, url, [t.experiment for t in filled.new if t.values is not None],
        [t.experiment for t in filled.new if t.values is None], filled.unchanged, filled.empty,
        state.status.value, max(0, budget - state.spent),
    )  # fmt: skip


def _opened(definition: Definition, url: str, device: str) -> Campaign:
    return Campaign(definition, store=Store.open(url), device=device)


def _open(campaign: Campaign) -> list[Experiment]:
    """Return the experiments that were asked for and are not told yet; what is with an instrument is not for people."""
    waiting = campaign.state.with_status(ExperimentStatus.QUEUED, ExperimentStatus.RUNNING)
    return [experiment for experiment in waiting if not experiment.attempts]


def _leave_to_people(campaign: Campaign) -> None:
    if campaign.state.status is CampaignStatus.RUNNING:
        how = f"labwright campaign tell {campaign.definition.name} PLAN takes the results in"
        campaign.move(CampaignStatus.PAUSED, f"{BY_HAND}: {how}")
