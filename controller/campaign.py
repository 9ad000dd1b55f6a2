"""A campaign in a script or a notebook, without a daemon: ask for points, tell what was measured.

The same proposals, bookkeeping and store as everywhere else; only the measuring is yours.

```python
from controller.campaign import Campaign

campaign = Campaign.load("campaign.yaml")
for suggestion in campaign.ask(2):
    campaign.tell(suggestion, {"yield": measure(**suggestion.parameters)})
print(campaign.best())
```
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from controller.domain.base import Point, Value
from controller.domain.campaign import CampaignStatus, Definition
from controller.domain.event import (
    CampaignAmended,
    CampaignCreated,
    CampaignStatusChanged,
    ControllerAttached,
    Event,
    ExperimentProposed,
    ExperimentStatusChanged,
    Fault,
    Observation,
)
from controller.domain.experiment import ExperimentStatus
from controller.domain.explanation import Explanation, SensitivityReport, Slice
from controller.domain.ids import new_id
from controller.domain.proposal import Prediction, Proposal
from controller.domain.request import Request
from controller.domain.state import CampaignState, Experiment, fold
from controller.engine.asking import request_for
from controller.engine.context import context_event, untold
from controller.engine.pricing import previous_point, priced
from controller.engine.retracting import retraction_event
from controller.engine.snapshot import best_experiments, rows_of
from controller.engine.suspecting import suspicions
from controller.engine.thinking import predict, propose
from controller.engine.thinking_sensitivity import sensitivity, slice_through
from controller.engine.thinking_why import explain
from controller.errors import ConflictError

if TYPE_CHECKING:
    from controller.figures.figure import Figure
    from controller.store.opening import Store
    from controller.verbs.frames import Library, Units

_S = ExperimentStatus


@dataclass(frozen=True)
class Suggestion:
    """An experiment to be carried out."""

    experiment: int
    """Its number; `tell` takes it back."""
    parameters: Point
    proposal: Proposal
    """The reasons."""
    units: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    """Parameter -> unit of its setting."""
    simulated: bool = field(default=False, repr=False)
    """Whether the campaign's data are."""

    def _repr_html_(self) -> str:
        from controller.verbs.markup import facts_html
        from controller.verbs.overview import why_in_short

        settings = {f"{n} [{self.units[n]}]" if self.units.get(n) else n: v for n, v in self.parameters.items()}
        facts = {**settings, "why": why_in_short(self.proposal.model_dump(mode="json"))}
        return facts_html(f"Experiment {self.experiment}", facts, simulated=self.simulated)


class Campaign:
    """One campaign, held in memory and, when a store is given, on disk.

    Args:
        definition: What is searched.
        store: Where to keep it; None keeps it in memory only.
        device: `cpu`, `cuda` or `auto`, for the models.

    Raises:
        ConflictError: If the store holds another campaign of this name.
        CampaignLockedError: If another controller works on it.
    """

    def __init__(self, definition: Definition, *, store: Store | None = None, device: str = "auto") -> None:
        self.definition = definition
        self.state = CampaignState()
        self._log: list[Event] = []
        self._store = store
        self._device = device
        self._resources = ExitStack()
        if store is not None:
            self._resources.callback(store.close)
            try:
                self._resources.enter_context(store.lock_campaign(definition.name))
                self._take_up(store)
            except BaseException:  # whatever ends it, Ctrl-C too: the lock and the store are let go
                self._resources.close()
                raise
        if not self.state.id:
            self._begin()

    @classmethod
    def load(
        cls, path: str | Path, *, seed: int | None = None, store: str | None = None, device: str = "auto"
    ) -> Campaign:
        """Read a campaign file.

        Args:
            path: The file.
            seed: Used instead of the file's.
            store: URL or path of a store to keep the campaign in; with one, the campaign goes on where it was.
            device: `cpu`, `cuda` or `auto`.

        Raises:
            FileFaultsError: If the file is wrong; lists everything that is.
        """
        from controller.files.loading import load_campaign
        from controller.verbs.earlier import earlier_reader
        from controller.verbs.stores import store_urls

        definition = load_campaign(Path(path), seed=seed, read_campaign=earlier_reader(store_urls(store)))
        if store is None:
            return cls(definition, device=device)
        from controller.store.opening import Store

        return cls(definition, store=Store.open(store), device=device)

    def ask(self, n: int = 1) -> list[Suggestion]:
        """Return `n` experiments to be carried out next; those asked for before and not yet told count as under way.

        Raises:
            SpaceExhaustedError: If every allowed setting has been proposed.
            ConflictError: If the campaign has a context that was not told; see `tell_context`.
        """
        if n < 1:
            raise ValueError(f"ask for one experiment or more, got {n=}")
        if missing := untold(self.definition.problem, self.state):
            raise ConflictError(f"the context is not known yet: call tell_context with {', '.join(missing)}")
        proposals = propose(self._request(n))
        return [self._enter(proposal) for proposal in proposals]

    def tell(
        self,
        experiment: Suggestion | int | Mapping[str, Value],
        objectives: Mapping[str, float] | None,
        *,
        sem: Mapping[str, float] | None = None,
        reason: str = "",
    ) -> None:
        """Take in what was measured.

        Args:
            experiment: What `ask` returned, its number, or the parameters of an experiment of your own.
            objectives: A value for every objective [the unit in the campaign file]; None says that the experiment failed.
            sem: Standard errors by objective, where known.
            reason: Why it failed.

        A value beyond the physical limits that the campaign file states is taken in like every other, with an alarm in the log.

        Raises:
            ConflictError: If the experiment is unknown or was told before, or a value is missing, too many or not finite.
        """
        wanted = self.definition.problem.objectives
        if objectives is not None and objectives.keys() != wanted.keys():
            raise ConflictError(
                f"expected a value for each of {', '.join(wanted)}; got {', '.join(objectives) or 'none'}"
            )
        for name, number in [*(objectives or {}).items(), *(sem or {}).items()]:
            if not math.isfinite(number):
                raise ConflictError(f"{name} must be a finite number, got {number}; tell None where the experiment failed")
        observations = {
            name: Observation(value=float(value), unit=wanted[name].unit, sem=(sem or {}).get(name))
            for name, value in (objectives or {}).items()
        }
        found = self._find(experiment)
        events: list[Event] = []
        if found.status is _S.QUEUED:
            events.append(ExperimentStatusChanged(**self._stamp(), experiment=found.id, status=_S.RUNNING))
        status = _S.COMPLETED if objectives is not None else _S.FAILED
        fault = None if objectives is not None else Fault(code="told", message=reason or "it failed")
        events.append(
            ExperimentStatusChanged(
                **self._stamp(),
                experiment=found.id,
                status=status,
                reason=reason,
                fault=fault,
                observations=observations,
            )
        )
        self._record(*events, *suspicions(wanted, events, {found.id: found.number}))

    def tell_context(self, values: Mapping[str, Value]) -> None:
        """Take in what the context is now: for what it is the next proposals are, and what is told from now on met it.

        Args:
            values: Context variable -> value [its unit]; the others stay as they were.

        Raises:
            ConflictError: If a variable is none of the campaign's, or a value is beyond its range.
        """
        self._record(context_event(self.state, self.definition, {"values": values, "by": "Python"}, time.time()))

    def import_results(
        self, path: str | Path, *, columns: Mapping[str, str] | None = None, convert: bool = False, leave_out: bool = False,
        sheet: str | None = None,
    ) -> str:  # fmt: skip
        """Take earlier results in from a file, as experiments that cost no budget; all of them, or none.

        Args:
            path: CSV, Parquet or XLSX; tables as BayBE, Ax and Olympus write them are understood.
            columns: Parameter or objective -> heading of its column, where that has another name.
            convert: Convert units that differ from the campaign's.
            leave_out: Leave rows out whose setting the campaign does not allow.
            sheet: Of a spreadsheet.

        Returns:
            What was imported, for people.

        Raises:
            FileFaultsError: If something in the file is wrong; lists everything that is, each with row and column.
            ConflictError: If it cannot be read at all, was imported before, or the campaign can take nothing in.
        """
        from controller.engine.importing import import_events, imported_text
        from controller.verbs.importing import read_results

        results = read_results(
            Path(path), self.definition, named=columns, converting=convert, leaving_out=leave_out, sheet=sheet
        )
        argument = results.argument("Python")
        self._record(*import_events(self.state, self.definition, argument, time.time()))
        return "\n".join([*results.lines(), imported_text(argument)])

    def retract(self, experiment: int, reason: str, *, undo: bool = False) -> list[int]:
        """Take a wrong measurement out of what the model learns from; nothing is deleted, and it still counts as spent.

        Args:
            experiment: Number of a completed experiment.
            reason: Why its result is wrong; kept beside it.
            undo: Take an earlier retraction back instead.

        Returns:
            Numbers of the experiments that the model proposed when it knew the result.

        Raises:
            ConflictError: If the experiment has no result, or is (or is not) retracted already, or no reason is given.
        """
        found = next((e for e in self.state.experiments.values() if e.number == experiment), None)
        argument = {"experiment": experiment, "reason": reason, "undo": undo}
        self._record(retraction_event(self.state, found.id if found else None, argument, time.time()))
        if found is None or found.ended_at is None:  # neither has a result
            return []
        later = (e for e in self.state.experiments.values() if e.proposal.source == "model")
        return [e.number for e in later if found.counted_at(e.proposed_at)]

    def move(self, status: CampaignStatus, reason: str) -> None:
        """Change where the campaign stands; a paused one is left alone by every daemon, a completed one asks for nothing more.

        Raises:
            IllegalTransitionError: If it cannot follow.
        """
        self._record(CampaignStatusChanged(**self._stamp(), status=status, reason=reason))

    def best(self) -> list[dict[str, Any]]:
        """Return the best experiment so far, or the Pareto front: `experiment`, `parameters`, `objectives`."""
        return best_experiments(self.definition, self.state)

    def predict(self, points: Sequence[Mapping[str, Value]]) -> list[dict[str, Prediction]]:
        """Return what the model expects at `points`: per point, objective name -> mean and standard deviation.

        Raises:
            ValueError: If a point is not a full setting of the parameters. Of the context it may say something; else it is as now.
        """
        problem = self.definition.problem
        parameters = problem.parameters
        points = [{**self.state.context, **point} for point in points] if problem.context else points
        for point in points:
            if not problem.sets_what_is_active(problem.settings(point)):
                raise ValueError(f"a point sets each of {', '.join(parameters)}; got {', '.join(point)}")
        request = self._request(1)
        return predict(
            problem, self.definition.proposals, request.observed.rows(), [dict(p) for p in points], self.state.seed, self._device,
            request.surprises,
        )  # fmt: skip

    def why(self, experiment: int | None = None) -> Explanation:
        """Return why the point of an experiment was proposed; by default of the newest that the model proposed.

        Raises:
            UnknownNameError: If there is no such experiment, or none at all.
        """
        return explain(self.definition, self._log, experiment, self._device)

    def sensitivity(self) -> SensitivityReport:
        """Return which parameters matter for what, by all that is known now.

        Raises:
            ConflictError: If nothing was measured yet.
        """
        return sensitivity(self.definition, self._log, self._device)

    def slice(self, parameter: str, through: int | None = None) -> Slice:
        """Return what is expected along `parameter`, the setting of experiment `through` held, by default that of the best.

        Raises:
            UnknownNameError: If there is no such parameter or experiment.
            ConflictError: If nothing was measured yet.
        """
        return slice_through(self.definition, self._log, parameter, number=through, device=self._device)

    def plot(self, kind: str = "progress", *, parameters: Sequence[str] = (), through: int | None = None) -> Figure:
        """Return a picture; a notebook shows it, `save("x.png")` writes it, `text()` draws it with characters.

        Args:
            kind: `progress`, `front`, `parallel`, `slices` or `sensitivity`.
            parameters: Of `slices`: along which; none takes all.
            through: Of `slices`: the experiment whose setting is held, by default the best.

        Raises:
            UnknownNameError: If there is no such kind, parameter or experiment.
            ConflictError: If there is nothing to show yet.
        """
        from controller.verbs.plotting import figure_in_memory

        return figure_in_memory(self.definition, self._log, kind, parameters=parameters, through=through, device=self._device)

    def _request(self, n: int) -> Request:
        best = [found["experiment"] for found in self.best()]
        return request_for(self.definition, self.state, best, n, self._device, most_others=math.inf)

    def frame(self, library: Library = "pandas", *, units: Units = "attrs") -> Any:
        """Return its experiments as a frame, a row each.

        Args:
            library: `pandas` or `polars`.
            units: `attrs` keeps plain names, and units in `frame.attrs["units"]` (pandas); `names` writes `temperature [degC]`.

        Raises:
            MissingExtraError: If the library is not installed.
        """
        from controller.verbs.frames import frame
        from controller.verbs.sheets import experiments_sheet

        definition = self.definition.model_dump(mode="json", by_alias=True)
        sheet = experiments_sheet(self.state.name, definition, rows_of(self.state), simulated=self.state.simulated)
        return frame(sheet, library, units=units)

    def __repr__(self) -> str:
        simulated = ", SIMULATED" if self.state.simulated else ""
        done = self.state.counts()["completed"]
        return f"<campaign {self.state.name}: {self.state.status.value}, {done} experiments completed{simulated}>"

    def _repr_html_(self) -> str:
        from controller.verbs.markup import campaign_html

        state = self.state
        return campaign_html(
            {
                "campaign": state.name, "status": state.status.value, "reason": state.reason, "simulated": state.simulated,
                "counts": state.counts(), "spent": state.spent, "imported": len(state.imported),
                "budget_experiments": self.definition.budget.experiments, "best": self.best(), "alarms": (),
                "definition": {"problem": self.definition.problem.model_dump(mode="json", include={"parameters", "objectives"})},
            }
        )  # fmt: skip

    def close(self) -> None:
        """Give the store back."""
        self._resources.close()

    def __enter__(self) -> Campaign:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take_up(self, store: Store) -> None:
        from controller.engine.supervisor import amended

        record = store.find(self.definition.name)
        if record is None:
            return
        self._log = store.events(record.id)
        self.state = fold(self._log)
        self.definition, changes = amended(store.definition(record.id), self.definition, self.state)
        events: list[Event] = [CampaignAmended(**self._stamp(), changes=changes)] if changes else []
        attached = ControllerAttached(**self._stamp(), session=new_id(), version=version("labwright"))
        self._record(*events, attached, definition=self.definition if changes else None)

    def _begin(self) -> None:
        key, definition = new_id(), self.definition
        created = CampaignCreated(
            campaign=key, at=time.time(), name=definition.name, definition_fingerprint=definition.fingerprint,
            seed=definition.seed, simulated=definition.simulated,
        )  # fmt: skip
        begun = CampaignStatusChanged(campaign=key, at=time.time(), status=CampaignStatus.RUNNING, reason="begun")
        self._record(created, begun, definition=definition)

    def _enter(self, proposal: Proposal) -> Suggestion:
        key, number = new_id(), self.state.n_experiments + 1
        (proposal,) = priced(self.definition.problem, [proposal], previous_point(self.state))
        self._record(
            ExperimentProposed(**self._stamp(), experiment=key, number=number, proposal=proposal),
            ExperimentStatusChanged(**self._stamp(), experiment=key, status=_S.QUEUED),
        )
        units = {name: parameter.unit for name, parameter in self.definition.problem.parameters.items()}
        return Suggestion(number, proposal.point, proposal, units, self.definition.simulated)

    def _find(self, experiment: Suggestion | int | Mapping[str, Value]) -> Experiment:
        if isinstance(experiment, Mapping):
            point = dict(experiment)
            if not self.definition.problem.allows(point):
                raise ConflictError(f"{point} is not a setting that this campaign allows")
            experiment = self._enter(Proposal(point=point, source="user"))
        number = experiment.experiment if isinstance(experiment, Suggestion) else experiment
        for found in self.state.experiments.values():
            if found.number == number:
                if found.status not in (_S.QUEUED, _S.RUNNING):
                    raise ConflictError(f"experiment {number} is {found.status.value} already")
                return found
        raise ConflictError(f"there is no experiment {number}; {self.state.n_experiments} were asked for")

    def _stamp(self) -> dict[str, Any]:
        return {"campaign": self.state.id, "at": time.time()}

    def _record(self, *events: Event, definition: Definition | None = None) -> None:
        for event in events:
            self.state.apply(event)
            self._log.append(event)
        if self._store is not None:
            self._store.commit_now(events, definition=definition)
