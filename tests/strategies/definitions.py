"""Protocols without circles, labs that carry them out, and whole campaign definitions."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import strategies as st

from controller.domain.campaign import Budget, Definition, FailurePolicy, ProposalPolicy
from controller.domain.lab import InstrumentSpec, LabSpec, StepSpec
from surrogates.specs import AutoSpec, DeepEnsembleSpec, GPMember, GPSpec
from tests.strategies.problems import problems
from tests.strategies.values import labels, texts, values

_literals = values.filter(lambda value: not (isinstance(value, str) and value.startswith("$")))

surrogate_specs = st.sampled_from(
    [AutoSpec(), GPSpec(), GPSpec(members=(GPMember(kernel="rbf"),), recipe="table"), DeepEnsembleSpec(members=2)]
)


@st.composite
def protocols(
    draw: st.DrawFn, parameters: Iterable[str] = (), objectives: Iterable[str] = (), most: int = 5
) -> tuple[StepSpec, ...]:
    """Draw the steps of an experiment.

    Each waits for any of the earlier ones and may take what they returned; the last sets every parameter and gives every
    objective.
    """
    names = draw(st.lists(labels, min_size=1, max_size=most, unique=True))
    steps: list[StepSpec] = []
    for i, name in enumerate(names):
        after: list[str] = draw(st.lists(st.sampled_from(names[:i]), unique=True)) if i else []
        arguments = draw(st.dictionaries(st.sampled_from(["speed", "mode"]), _literals, max_size=2))
        takes = draw(st.booleans())
        if after and takes:
            arguments["taken"] = f"${after[0]}.amount"
        last = i == len(names) - 1
        if last:
            arguments |= {f"set_{p}": f"${p}" for p in parameters}
        steps.append(
            StepSpec(
                step=name,
                instrument=draw(st.sampled_from(["reactor", "hplc"])),
                action=draw(st.sampled_from(["run", "measure"])),
                arguments=arguments,
                after=tuple(after),
                gives={o: f"value_of_{o}" for o in objectives} if last else {},
            )
        )
    return tuple(steps)


@st.composite
def labs(draw: st.DrawFn, parameters: Iterable[str] = (), objectives: Iterable[str] = ()) -> LabSpec:
    """Draw a lab of two instruments."""
    simulated = draw(st.booleans())
    instruments = {
        name: InstrumentSpec(
            driver=driver,
            options={"port": draw(st.integers(0, 10)), "nested": {"on": draw(st.booleans())}},
            limits={"speed": (0.0, draw(st.floats(1.0, 100.0)))},
            capacity=draw(st.integers(1, 3)),
        )
        for name, driver in (("reactor", "simulated-reactor"), ("hplc", "external"))
    }
    return LabSpec(
        lab=draw(labels),
        instruments=instruments,
        protocol=draw(protocols(parameters, objectives)),
        simulated=simulated,
        speed=draw(st.sampled_from([1.0, 60.0])) if simulated else 1.0,
    )


@st.composite
def definitions(draw: st.DrawFn) -> Definition:
    """Draw a campaign with everything that it needs."""
    problem = draw(problems())
    return Definition(
        name=draw(labels),
        description=draw(texts),
        problem=problem,
        budget=Budget(experiments=draw(st.integers(1, 100)), hours=draw(st.none() | st.floats(0.5, 500.0))),
        batch=draw(st.integers(1, 8)),
        proposals=ProposalPolicy(
            surrogate=draw(surrogate_specs),
            first_points=draw(st.none() | st.integers(1, 10)),
            ahead=draw(st.none() | st.integers(0, 3)),
        ),
        failures=FailurePolicy(attempts=draw(st.integers(1, 5)), pause_after=draw(st.integers(1, 5))),
        seed=draw(st.integers(0, 2**63 - 1)),
        lab=draw(labs(problem.parameters, problem.objectives)),
    )
