"""A small campaign and its log, told event by event, for the tests of the store."""

from __future__ import annotations

from controller.domain.campaign import Budget, CampaignStatus, Definition
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
from controller.domain.experiment import AttemptStatus, ExperimentStatus
from controller.domain.ids import new_id
from controller.domain.lab import InstrumentSpec, LabSpec, StepSpec
from controller.domain.objective import Objective
from controller.domain.parameter import CategoricalParameter, ContinuousParameter
from controller.domain.proposal import Alternative, Prediction, Proposal
from controller.domain.space import Problem

START = 1_780_000_000.25
"""Lab time at which every sample campaign begins [s]."""

A, E = AttemptStatus, ExperimentStatus


def make_definition(name: str = "sample", *, experiments: int = 10, seed: int = 7) -> Definition:
    problem = Problem(
        parameters={
            "temperature": ContinuousParameter(bounds=(20.0, 120.0), unit="degC"),
            "base": CategoricalParameter(type="categorical", choices=("KOAc", "CsOAc")),
        },
        objectives={"yield": Objective(goal="maximize", unit="percent"), "cost": Objective(goal="minimize")},
        constraints=("temperature <= 110",),
    )
    lab = LabSpec(
        lab="bench",
        simulated=True,
        instruments={"reactor": InstrumentSpec(driver="sim"), "hplc": InstrumentSpec(driver="sim")},
        protocol=(
            StepSpec(step="react", instrument="reactor", action="run", arguments={"temperature": "$temperature"}),
            StepSpec(step="assay", instrument="hplc", action="measure", after=("react",), gives={"yield": "area"}),
        ),
    )
    return Definition(name=name, problem=problem, budget=Budget(experiments=experiments), seed=seed, lab=lab)


class Script:
    """Makes events of one campaign, one second of lab time apart."""

    def __init__(self, definition: Definition | None = None) -> None:
        self.definition = definition or make_definition()
        self.campaign = new_id()
        self.now = START
        self.n_proposed = 0

    def _stamp(self) -> tuple[str, float]:
        self.now += 1.0
        return self.campaign, self.now

    def created(self) -> list[Event]:
        campaign, at = self._stamp()
        d = self.definition
        created = CampaignCreated(
            campaign=campaign,
            at=at,
            name=d.name,
            definition_fingerprint=d.fingerprint,
            seed=d.seed,
            simulated=d.simulated,
        )
        return [created, self.attached(), self.campaign_status(CampaignStatus.RUNNING, "begun")]

    def attached(self) -> Event:
        campaign, at = self._stamp()
        return ControllerAttached(campaign=campaign, at=at, session="s-1", version="0.1.0")

    def detached(self, *interrupted: str) -> Event:
        campaign, at = self._stamp()
        return ControllerDetached(campaign=campaign, at=at, session="s-1", reason="told to", interrupted=interrupted)

    def worked(self) -> Event:
        campaign, at = self._stamp()
        return CampaignWorked(campaign=campaign, at=at, seconds=90.5)

    def abort_requested(self) -> Event:
        campaign, at = self._stamp()
        return CampaignAbortRequested(campaign=campaign, at=at)

    def context_told(self) -> Event:
        campaign, at = self._stamp()
        return ContextTold(campaign=campaign, at=at, values={"humidity": 43.0}, by="Ada")

    def amended(self) -> Event:
        campaign, at = self._stamp()
        return CampaignAmended(campaign=campaign, at=at, changes={"budget": ("10", "20")})

    def imported(self) -> Event:
        campaign, at = self._stamp()
        return ResultsImported(
            campaign=campaign, at=at, file="old.csv", sha256="ab" * 32, form="table", first=1, last=3, by="Ada"
        )

    def campaign_status(self, status: CampaignStatus, reason: str = "") -> Event:
        campaign, at = self._stamp()
        return CampaignStatusChanged(campaign=campaign, at=at, status=status, reason=reason)

    def proposed(self) -> tuple[str, list[Event]]:
        """Return the new experiment's id and the events that propose and queue it."""
        campaign, at = self._stamp()
        self.n_proposed += 1
        experiment = new_id()
        proposal = Proposal(
            point={"temperature": 20.0 + 0.1 * self.n_proposed, "base": "KOAc"},
            source="model",
            acquisition=-1.25,
            acquisition_name="log expected improvement",
            predictions={"yield": Prediction(mean=55.5, sd=3.25)},
            surrogate={"yield": {"kind": "gp", "weights": [0.5, 0.5]}},
            runners_up=(Alternative(point={"temperature": 30, "base": "CsOAc"}, acquisition=-2.0),),
            data_fingerprint="abc",
            seed=2**62,
            seconds=0.5,
            note="β-phase",
        )
        event = ExperimentProposed(
            campaign=campaign, at=at, experiment=experiment, number=self.n_proposed, proposal=proposal
        )
        return experiment, [event, self.status(experiment, E.QUEUED)]

    def status(self, experiment: str, status: ExperimentStatus, reason: str = "", fault: Fault | None = None) -> Event:
        campaign, at = self._stamp()
        return ExperimentStatusChanged(
            campaign=campaign, at=at, experiment=experiment, status=status, reason=reason, fault=fault
        )

    def committed(self, experiment: str, step: str = "react", ordinal: int = 1) -> tuple[str, Event]:
        campaign, at = self._stamp()
        attempt = new_id()
        event = AttemptCommitted(
            campaign=campaign,
            at=at,
            attempt=attempt,
            experiment=experiment,
            step=step,
            ordinal=ordinal,
            instrument="reactor" if step == "react" else "hplc",
            action="run" if step == "react" else "measure",
            arguments={"temperature": 21.5, "stir": True, "label": "A1", "cycles": 3},
            units={"temperature": "degC"},
        )
        return attempt, event

    def attempt_status(
        self,
        experiment: str,
        attempt: str,
        status: AttemptStatus,
        measurements: tuple[Measurement, ...] = (),
        fault: Fault | None = None,
    ) -> Event:
        campaign, at = self._stamp()
        return AttemptStatusChanged(
            campaign=campaign,
            at=at,
            attempt=attempt,
            experiment=experiment,
            status=status,
            measurements=measurements,
            fault=fault,
        )

    def completed(self, experiment: str) -> Event:
        campaign, at = self._stamp()
        return ExperimentStatusChanged(
            campaign=campaign,
            at=at,
            experiment=experiment,
            status=E.COMPLETED,
            observations={"yield": Observation(value=61.25, unit="percent", sem=0.5), "cost": Observation(value=3.0)},
        )

    def retracted(self, experiment: str, number: int, reason: str = "the vial was empty\0") -> Event:
        campaign, at = self._stamp()
        return ExperimentRetracted(campaign=campaign, at=at, experiment=experiment, number=number, reason=reason)

    def reinstated(self, experiment: str, number: int) -> Event:
        campaign, at = self._stamp()
        reason = "the vial was full"
        return ExperimentReinstated(campaign=campaign, at=at, experiment=experiment, number=number, reason=reason)

    def alarm(self, message: str = "stalled") -> Event:
        campaign, at = self._stamp()
        return AlarmRaised(campaign=campaign, at=at, code="stall", message=message)

    def one_completed(self) -> list[list[Event]]:
        """Return the units of one experiment from its proposal to its observations."""
        experiment, proposed = self.proposed()
        react, react_committed = self.committed(experiment)
        assay, assay_committed = self.committed(experiment, "assay")
        yields = (
            Measurement(name="area", value=61.25, unit="percent", sem=0.5),
            Measurement(name="peaks", value=3),
            Measurement(name="saturated", value=False),
            Measurement(name="operator note", value="clear\0"),
        )
        return [
            proposed,
            [self.status(experiment, E.RUNNING), react_committed],
            [self.attempt_status(experiment, react, A.ACCEPTED)],
            [self.attempt_status(experiment, react, A.RUNNING)],
            [self.attempt_status(experiment, react, A.SUCCEEDED), assay_committed],
            [self.attempt_status(experiment, assay, A.SUCCEEDED, yields), self.completed(experiment)],
        ]

    def one_failed_then_retried(self) -> list[list[Event]]:
        """Return the units of an experiment that fails, is queued again and waits for its second attempt's end."""
        experiment, proposed = self.proposed()
        first, first_committed = self.committed(experiment)
        second, second_committed = self.committed(experiment, ordinal=2)
        fault = Fault(code="clog", message="line 3 blocked\0", retryable=True)
        return [
            proposed,
            [self.status(experiment, E.RUNNING), first_committed],
            [
                self.attempt_status(experiment, first, A.FAULTED, fault=fault),
                self.status(experiment, E.FAILED, "clogged", fault),
            ],
            [self.status(experiment, E.QUEUED, "tried again")],
            [self.status(experiment, E.RUNNING), second_committed],
            [self.attempt_status(experiment, second, A.RUNNING)],
        ]

    def everything(self) -> list[list[Event]]:
        """Return the units of a campaign that holds every kind of event."""
        units = [self.created(), *self.one_completed(), *self.one_failed_then_retried()]
        completed = units[1][0].experiment  # type: ignore[union-attr]  # it is proposed there
        units += [[self.retracted(completed, 1)], [self.reinstated(completed, 1)]]
        unknown, proposed = self.proposed()
        attempt, committed = self.committed(unknown)
        units += [
            proposed,
            [self.status(unknown, E.RUNNING), committed],
            [self.attempt_status(unknown, attempt, A.UNKNOWN), self.status(unknown, E.UNKNOWN, "driver lost")],
        ]
        cancelled, proposed = self.proposed()
        units += [proposed, [self.status(cancelled, E.CANCELLED, "stopped")]]
        _, proposed = self.proposed()
        units += [proposed, [self.alarm("stalled\0")], [self.detached(attempt)], [self.attached()]]
        return units
