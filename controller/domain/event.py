"""The facts that the append-only log holds. Each is past; none is ever changed or removed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from controller.domain.base import LATER, Model, Value
from controller.domain.campaign import CampaignStatus
from controller.domain.experiment import AttemptStatus, ExperimentStatus
from controller.domain.proposal import Proposal
from controller.domain.raw_file import RawFile
from instruments.protocol.capabilities import Consequence


class Measurement(Model):
    """A measured value with unit, uncertainty and where it came from."""

    name: str
    value: Value
    unit: str | None = None
    sem: float | None = None
    """Standard error of the mean, where the instrument gives one [unit]."""


class Observation(Model):
    """The value of one objective that the model learns from."""

    value: float
    unit: str | None = None
    sem: float | None = None


class Fault(Model):
    """Why an attempt or an experiment failed, in a form that programs can branch on."""

    code: str
    message: str
    retryable: bool = False


class _Event(Model):
    campaign: str
    """Id of the campaign."""
    at: float
    """Lab time [s since 1970-01-01 UTC]."""


class CampaignCreated(_Event):
    """A campaign was entered into the store."""

    kind: Literal["campaign.created"] = "campaign.created"
    name: str
    definition_fingerprint: str
    seed: int
    simulated: bool


class CampaignStatusChanged(_Event):
    """A campaign changed its status."""

    kind: Literal["campaign.status_changed"] = "campaign.status_changed"
    status: CampaignStatus
    reason: str = ""


class CampaignAbortRequested(_Event):
    """A person asked for the campaign to end now: what runs is cancelled, nothing begins, and it ends as failed."""

    kind: Literal["campaign.abort_requested"] = "campaign.abort_requested"
    reason: str = "aborted by request"


class ContextTold(_Event):
    """A person told what the context is now: variables that are given, not chosen."""

    kind: Literal["campaign.context_told"] = "campaign.context_told"
    values: dict[str, Value]
    """Context variable -> its value from now on [its unit]; the others stay as they are."""
    by: str = ""
    """Who said so."""


class CampaignWorked(_Event):
    """A campaign whose hours are limited has been at work for so long in all, by a clock that cannot be set."""

    kind: Literal["campaign.worked"] = "campaign.worked"
    seconds: Annotated[float, Field(ge=0)]
    """Lab time [s]."""


class CampaignAmended(_Event):
    """Budget, batch or policy was changed by its user (the search itself cannot be)."""

    kind: Literal["campaign.amended"] = "campaign.amended"
    changes: dict[str, tuple[str, str]]
    """What -> (before, after), as JSON."""


class ResultsImported(_Event):
    """Results that were measured elsewhere were taken from a file; the experiments that follow are theirs, and cost no budget."""

    kind: Literal["campaign.results_imported"] = "campaign.results_imported"
    file: str
    """Its name, without the folder."""
    sha256: str
    """Of its content."""
    form: str
    """Who wrote it: `labwright`, `baybe`, `ax`, `olympus` or `table`."""
    first: Annotated[int, Field(ge=1)]
    """Number of the first experiment."""
    last: Annotated[int, Field(ge=1)]
    by: str = ""
    """Who had it imported."""


class ControllerAttached(_Event):
    """A controller took the campaign up, after a start or a crash."""

    kind: Literal["controller.attached"] = "controller.attached"
    session: str
    version: str


class ControllerDetached(_Event):
    """A controller left the campaign in good order; `interrupted` names attempts that were still with a driver."""

    kind: Literal["controller.detached"] = "controller.detached"
    session: str
    reason: str
    interrupted: tuple[str, ...] = ()


class ExperimentProposed(_Event):
    """A proposal was accepted as an experiment."""

    kind: Literal["experiment.proposed"] = "experiment.proposed"
    experiment: str
    number: Annotated[int, Field(ge=1)]
    """1, 2, 3 … within the campaign."""
    proposal: Proposal


class ExperimentStatusChanged(_Event):
    """An experiment changed its status."""

    kind: Literal["experiment.status_changed"] = "experiment.status_changed"
    experiment: str
    status: ExperimentStatus
    reason: str = ""
    fault: Fault | None = None
    observations: dict[str, Observation] = {}
    """Objective name -> value; only with status completed."""


class ExperimentRetracted(_Event):
    """A person took a completed experiment's result out of what the model learns from; the experiment stays completed."""

    kind: Literal["experiment.retracted"] = "experiment.retracted"
    experiment: str
    number: Annotated[int, Field(ge=1)]
    reason: str


class ExperimentReinstated(_Event):
    """A person took a retraction back: the model learns from the result again."""

    kind: Literal["experiment.reinstated"] = "experiment.reinstated"
    experiment: str
    number: Annotated[int, Field(ge=1)]
    reason: str


class AttemptCommitted(_Event):
    """It was decided to dispatch a step; written before the command leaves."""

    kind: Literal["attempt.committed"] = "attempt.committed"
    attempt: str
    experiment: str
    step: str
    ordinal: Annotated[int, Field(ge=1)]
    """1 for the first dispatch of this step of this experiment, 2 for the next."""
    instrument: str
    action: str
    arguments: dict[str, Value]
    units: dict[str, str] = {}
    consequence: Consequence | None = None
    """Of the action, as its driver announced it then; None where nobody had."""


class AttemptStatusChanged(_Event):
    """A driver told what became of an attempt."""

    kind: Literal["attempt.status_changed"] = "attempt.status_changed"
    attempt: str
    experiment: str
    status: AttemptStatus
    reason: str = ""
    fault: Fault | None = None
    measurements: tuple[Measurement, ...] = ()
    files: Annotated[tuple[RawFile, ...], LATER] = ()
    """What it left behind besides its values."""


class AlarmRaised(_Event):
    """Something needs a person's eye while the campaign goes on."""

    kind: Literal["alarm.raised"] = "alarm.raised"
    code: str
    message: str
    experiment: str | None = None
    attempt: str | None = None


Event = Annotated[
    CampaignCreated
    | CampaignStatusChanged
    | CampaignAbortRequested
    | ContextTold
    | CampaignWorked
    | CampaignAmended
    | ResultsImported
    | ControllerAttached
    | ControllerDetached
    | ExperimentProposed
    | ExperimentStatusChanged
    | ExperimentRetracted
    | ExperimentReinstated
    | AttemptCommitted
    | AttemptStatusChanged
    | AlarmRaised,
    Field(discriminator="kind"),
]

event_adapter: TypeAdapter[Event] = TypeAdapter(Event)
"""Reads and writes any event as JSON."""
