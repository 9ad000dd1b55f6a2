"""Real stores with campaigns of every kind of experiment, written event by event."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from controller.domain.campaign import Budget, Definition
from controller.domain.event import Event, ExperimentProposed, ExperimentStatusChanged, Fault, Observation
from controller.domain.lab import InstrumentSpec, LabSpec, StepSpec
from controller.domain.objective import Objective
from controller.domain.parameter import CategoricalParameter, ContinuousParameter
from controller.domain.proposal import Prediction, Proposal
from controller.domain.space import Problem
from controller.store.opening import Store
from controller.verbs.stores import Found, find
from tests.controller.store.samples import A, E, Script

ONE = {"yield": Objective(goal="maximize", unit="percent")}
TWO = {**ONE, "cost": Objective(goal="minimize", unit="kg/m**3")}


def definition(name: str, objectives: Mapping[str, Objective] = ONE, *, simulated: bool = True) -> Definition:
    problem = Problem(
        parameters={
            "temperature": ContinuousParameter(bounds=(20.0, 120.0), unit="degC"),
            "flow": ContinuousParameter(bounds=(0.01, 10.0), scale="log"),
            "base": CategoricalParameter(type="categorical", choices=("KOAc", "CsOAc")),
        },
        objectives=dict(objectives), allow_replicates=True,
    )  # fmt: skip
    lab = LabSpec(
        lab="bench", simulated=simulated,
        instruments={"reactor": InstrumentSpec(driver="sim"), "hplc": InstrumentSpec(driver="sim")},
        protocol=(
            StepSpec(step="react", instrument="reactor", action="run", arguments={"temperature": "$temperature"}),
            StepSpec(step="assay", instrument="hplc", action="measure", after=("react",), gives=dict.fromkeys(objectives, "area")),
        ),
    )  # fmt: skip
    return Definition(name=name, problem=problem, budget=Budget(experiments=10_000), seed=7, lab=lab)


class Teller:
    """Writes one campaign into a store."""

    def __init__(self, store: Store, told: Definition) -> None:
        self.store, self.script = store, Script(told)
        store.commit_now(self.script.created(), definition=told)

    def propose(
        self, point: Mapping[str, object], *, source: str = "model", expected: Mapping[str, tuple[float, float]] | None = None
    ) -> str:
        """Propose an experiment; `expected`: objective -> mean and scale of what would be measured."""
        experiment, (proposed, queued) = self.script.proposed()
        assert isinstance(proposed, ExperimentProposed)
        predictions = {n: Prediction(mean=m, sd=s, scale=s, freedom=5.0) for n, (m, s) in (expected or {}).items()}
        proposal = Proposal.model_validate({"point": dict(point), "source": source, "predictions": predictions})
        first = proposed.model_copy(update={"proposal": proposal})
        self._events: list[Event] = [first, queued, self.script.status(experiment, E.RUNNING)]
        return experiment

    def leave(self) -> None:
        """Leave the experiment under way."""
        self.store.commit_now(self._events)

    def complete(self, experiment: str, values: Mapping[str, float]) -> None:
        done = self.script.status(experiment, E.COMPLETED)
        assert isinstance(done, ExperimentStatusChanged)
        told = {name: Observation(value=value) for name, value in values.items()}
        self.store.commit_now([*self._events, *self._steps(experiment), done.model_copy(update={"observations": told})])

    def fail(self, experiment: str) -> None:
        fault = Fault(code="device", message="leak")
        self.store.commit_now([*self._events, self.script.status(experiment, E.FAILED, "leak", fault)])

    def retract(self, experiment: str, number: int) -> None:
        self.store.commit_now([self.script.retracted(experiment, number, "bubble")])

    def _steps(self, experiment: str) -> Iterator[Event]:
        for step in ("react", "assay"):
            attempt, event = self.script.committed(experiment, step)
            yield event
            for status in (A.ACCEPTED, A.RUNNING, A.SUCCEEDED):
                yield self.script.attempt_status(experiment, attempt, status)


POINT = {"temperature": 80.0, "flow": 1.0, "base": "KOAc"}


def tell_everything(
    store: Store, name: str = "everything", objectives: Mapping[str, Objective] = ONE, *, simulated: bool = True
) -> Teller:
    """A campaign with an experiment of every role; the best of `yield` is experiment 7."""
    teller = Teller(store, definition(name, objectives, simulated=simulated))
    yields: Sequence[float | None] = (20.0, 35.0, None, 30.0, 50.0, 99.0, 61.0, 61.5, 40.0)
    sources = ("space-filling", "space-filling", "model", "stand-in", "model", "model", "model", "reference", "user")
    for i, (value, source) in enumerate(zip(yields, sources, strict=True), start=1):
        point = {**POINT, "temperature": 75.0 if i in (5, 7) else 30.0 + 8.0 * i, "flow": 0.1 * i}
        if i == 7:
            point["flow"] = 0.5  # the setting of experiment 5 again
        expected = {"yield": (45.0, 5.0), "cost": (3.0, 0.5)} if source == "model" else None
        experiment = teller.propose(point, source=source, expected=expected and {n: expected[n] for n in objectives})
        if value is None:
            teller.fail(experiment)
        else:
            teller.complete(experiment, {"yield": value, "cost": 10.0 - 8.0 * value / 100.0 + math.sin(i)} if len(objectives) > 1
                            else {"yield": value})  # fmt: skip
        if i == 6:
            teller.retract(experiment, i)
    teller.propose({**POINT, "temperature": 111.0}, expected=dict.fromkeys(objectives, (64.0, 2.0)))
    teller.leave()
    return teller


@contextmanager
def opened(path: Path, name: str) -> Iterator[Found]:
    with find([f"sqlite:///{path}"], name) as found:
        yield found
