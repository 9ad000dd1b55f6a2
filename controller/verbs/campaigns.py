"""What one can ask of campaigns: look at them, steer them, retract a result, have the books audited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from controller.errors import ConflictError
from controller.verbs.requests import Answer, carry_out, steer
from controller.verbs.stores import Found, find_experiment, show_url

if TYPE_CHECKING:
    from controller.domain.campaign import Definition
    from controller.store.audit import AuditReport
    from controller.store.reading import Reader

STEERABLE = {
    "pause": ("running",),
    "resume": ("paused",),
    "stop": ("running", "paused"),
    "abort": ("running", "paused", "stopping"),
}
"""From which statuses a verb leads on (as in `domain.experiment`, which is too heavy for a command that only asks)."""

_DONE = {"pause": "paused", "resume": "resumed", "stop": "stopped", "abort": "aborted"}


MANY = 1000
_BEST = ("experiment", "parameters", "objectives", "feasible")


@dataclass(frozen=True)
class View:
    """A campaign with what is known of it at one moment, as JSON data."""

    found: Found
    definition: dict[str, Any]
    under_way: list[dict[str, Any]]
    """The first `MANY` experiments that run, wait or are unknown."""
    alarms: list[dict[str, Any]]
    best: list[dict[str, Any]]
    calibration: dict[str, Any]
    """Objective -> how well predictions covered what was measured; see `verbs.trust`."""
    cost: float | None = None
    """What its experiments cost, cancelled ones left out [the campaign's unit]; None where nothing is said of costs."""
    noted: str = ""
    """What the newest proposal of a model said beside its reasons: drift, outliers, why a setting is measured again."""

    glance: dict[str, Any] = field(default_factory=dict)
    """Progress, what runs, the newest proposals, what waits for a person, what one may do next; see `verbs.overview`."""

    def told(self) -> dict[str, Any]:
        """Return where the campaign stands and what it has reached."""
        return {
            **self.found.campaign, "campaign": self.found.name, "best": self.best, "alarms": self.alarms,
            "calibration": self.calibration, "noted": self.noted,
            **({} if self.cost is None else {"cost": self.cost}),
            **self.glance, "definition": self.definition, "store": show_url(self.found.url),
        }  # fmt: skip


def list_campaigns(opened: Sequence[tuple[str, Reader]]) -> list[dict[str, Any]]:
    """Return the campaigns of some stores (URL and reader of each), newest first, with the store that each is in."""
    rows = [
        {"campaign": campaign["name"], **campaign, "store": show_url(url)}
        for url, reader in opened
        for campaign in reader.campaigns()
    ]
    return sorted(rows, key=lambda row: str(row["created_at"]), reverse=True)


def own_store(definition: Definition) -> str:
    """Return which of the user's own stores a campaign belongs in: that for real or that for simulated data.

    One of a lab with both kinds of instruments goes on in the other, where an earlier version has begun it there.
    """
    from controller.settings import default_store_url
    from controller.store.reading import open_reader

    real = default_store_url(simulated=False)
    if not definition.simulated:
        return real
    if not definition.lab.simulated:
        with open_reader(real) as reader:
            if any(row["name"] == definition.name for row in reader.campaign_rows()):
                return real
    return default_store_url(simulated=True)


def mixed_data(url: str, name: str, *, simulated: bool) -> str | None:
    """Return what must be said when a campaign's data would share a store with data of the other kind, None if they do not.

    Args:
        url: The store.
        name: The campaign.
        simulated: Whether its data are.
    """
    from controller.store.reading import open_reader

    with open_reader(url) as reader:
        others = [c["name"] for c in reader.campaigns() if bool(c["simulated"]) != simulated]
    if not others:
        return None
    ours, theirs = ("simulated", "real") if simulated else ("real", "simulated")
    return (
        f"{name} gives {ours} data, and {show_url(url)} also holds {theirs} data ({others[0]}"
        f"{' and others' if len(others) > 1 else ''}); every row says which it is"
    )


def look_at(found: Found) -> View:
    """Return what is known of a campaign, all of it of one moment."""
    from controller.verbs.overview import at_a_glance, overview
    from controller.verbs.trust import coverage_told

    reader = found.reader
    with reader.snapshot():
        told, alarms, calibration = overview(found), reader.alarms(found.id), coverage_told(found)
        newest = reader.newest_of_model(found.id)
        noted = "" if newest is None else str(reader.proposals_by_experiment([newest])[newest].get("note", ""))
        under_way = reader.experiments(found.id, ("running", "queued", "unknown"), limit=MANY)
    best = [{k: row[k] for k in _BEST if k in row} for row in told["best"]]
    return View(found, told["definition"], under_way, alarms, best, calibration, told["cost"], noted, at_a_glance(told))


def steer_campaign(found: Found, verb: str, *, by: str, timeout_s: float) -> Answer:
    """Have a campaign paused, resumed, stopped or aborted.

    Args:
        found: The campaign.
        verb: One of `STEERABLE`.
        by: Who asks.
        timeout_s: Patience with the controller [s].

    Raises:
        ConflictError: If the campaign does not stand where the verb leads on.
    """
    status = found.campaign["status"]
    if status not in STEERABLE[verb]:
        raise ConflictError(f"campaign {found.name} is {status}; {verb} is for one that is {' or '.join(STEERABLE[verb])}")
    return steer(found, verb, {"reason": f"{_DONE[verb]} by {by}"}, by=by, timeout_s=timeout_s)


def retract(
    found: Found, number: str, *, reason: str, undo: bool, by: str, timeout_s: float
) -> tuple[Answer, list[dict[str, Any]]]:
    """Take a result out of what the model learns from, or back in.

    Args:
        found: The campaign.
        number: Number or id of the experiment.
        reason: Why; kept beside the result.
        undo: Take an earlier retraction back.
        by: Who asks.
        timeout_s: Patience with the controller [s].

    Returns:
        The answer, and number and status of each experiment whose proposal rested on the result (none with `undo`).

    Raises:
        UnknownNameError: If there is no such experiment.
        ConflictError: If it has no result, is (or is not) retracted already, or no reason is given.
    """
    from controller.engine.retracting import retraction_event, retraction_text

    experiment = find_experiment(found, number)
    argument: dict[str, Any] = {"experiment": int(experiment["number"]), "reason": reason, "undo": undo}
    rested = found.reader.rested_on(found.id, argument["experiment"])
    answer = carry_out(
        found, "retract", argument,
        here=lambda state, _, at: [retraction_event(state, experiment["id"], argument, at)],
        text=retraction_text(argument["experiment"], undo, rested), by=by, timeout_s=timeout_s,
    )  # fmt: skip
    return answer, [] if undo else rested


def tell_context(found: Found, values: Mapping[str, Any], *, by: str, timeout_s: float) -> Answer:
    """Tell what the context is now.

    Args:
        found: The campaign.
        values: Context variable -> value, a number or text.
        by: Who says so; kept with it.
        timeout_s: Patience with the controller [s].

    Raises:
        ConflictError: If a variable is none of the campaign's, or a value is beyond its range.
    """
    from controller.engine.context import context_event

    argument: dict[str, Any] = {"values": dict(values), "by": by}
    return carry_out(
        found, "context", argument,
        here=lambda state, definition, at: [context_event(state, definition, argument, at)],
        text=f"noted: {', '.join(f'{name} = {value}' for name, value in values.items())}", by=by, timeout_s=timeout_s,
    )  # fmt: skip


def audit_campaign(found: Found, *, verify: bool, head: str | None) -> AuditReport:
    """Fold the log again and compare it with every row and with the drivers' journals.

    Args:
        found: The campaign.
        verify: Walk the hash chain of the log too.
        head: A head noted earlier, which the log must still contain.
    """
    from controller.settings import folder_of
    from controller.store.audit import audit
    from instruments.rawfiles import FILES

    folder = folder_of(found.url)
    return audit(found.reader, found.id, verify=verify, head=head, labs=folder / "labs", files=folder / FILES)


def audit_told(report: AuditReport) -> dict[str, Any]:
    """Return the outcome of an audit as JSON data."""
    journals, chain = report.journals, report.verification
    told: dict[str, Any] = {
        "balanced": report.balanced, "counts": report.counts, "differences": report.differences,
        "notes": journals.notes if journals else [], "compared_with_journals": journals.n_compared if journals else 0,
    }  # fmt: skip
    if chain is not None:
        told |= {"head": chain.head, "n_events": chain.n_events, "given_head_at": chain.given_at}
    return told
