"""Checks what a campaign says of costs."""

from __future__ import annotations

import math
from itertools import islice, product

from controller.domain.campaign import Budget
from controller.domain.cost import Cost
from controller.domain.expression import PYTHON, evaluate, names
from controller.domain.parameter import CategoricalParameter, DiscreteParameter
from controller.domain.space import Problem
from controller.files.faults import Faults, nearest
from controller.files.reading import Document

_CORNERS = 1024
"""Combinations of extreme settings at which the cost is computed."""


def check_cost(document: Document, problem: Problem, budget: Budget, faults: Faults) -> None:
    """Check that costs name what there is and are more than nothing."""
    cost = problem.cost
    if cost is None:
        if budget.cost is not None:
            document.fault(faults, ("budget", "cost"), "needs to know what an experiment costs; add cost: {each: …}")
        return
    n_before = len(faults)
    parameters = problem.parameters
    used = list(dict.fromkeys(names(cost.expression)))
    for name in used:
        if name not in parameters:
            document.fault(faults, ("cost", "each"), f"{name} is no parameter; {nearest(name, parameters)}")
        elif isinstance(parameters[name], CategoricalParameter):
            document.fault(faults, ("cost", "each"), f"{name} has choices; say what they cost under choices: {{{name}: …}}")
    for name, prices in cost.choices.items():
        parameter = parameters.get(name)
        if not isinstance(parameter, CategoricalParameter):
            known = [n for n, p in parameters.items() if isinstance(p, CategoricalParameter)]
            document.fault(faults, ("cost", "choices", name), f"{name} is no categorical parameter; {nearest(name, known)}")
            continue
        for choice in prices:
            if choice not in parameter.choices:
                message = f"is no choice of {name}; {nearest(choice, parameter.choices)}"
                document.fault(faults, ("cost", "choices", name, choice), message)
    for name in cost.change:
        if name not in parameters:
            document.fault(faults, ("cost", "change", name), f"{name} is no parameter; {nearest(name, parameters)}")
    for name in {*used, *cost.choices, *cost.change} & set(problem.conditional):
        document.fault(faults, ("cost",), f"{name} is not always active; a cost may only name parameters that are", value=False)
    if len(faults) == n_before:
        _check_values(document, problem, cost, used, faults)


def _check_values(document: Document, problem: Problem, cost: Cost, used: list[str], faults: Faults) -> None:
    ends: list[list[float]] = []
    for name in used:
        parameter = problem.parameters[name]
        assert not isinstance(parameter, CategoricalParameter)  # noqa: S101 - refused before
        values = parameter.values if isinstance(parameter, DiscreteParameter) else parameter.bounds
        ends.append([float(values[0]), float(values[-1])])
    free = all(min(prices.get(c, 0.0) for c in _choices(problem, name)) == 0.0 for name, prices in cost.choices.items())
    for corner in islice(product(*ends), _CORNERS):
        found = float(evaluate(cost.expression, dict(zip(used, corner, strict=True)), PYTHON))
        if not math.isfinite(found) or found < 0 or (found == 0 and free):
            place = ", ".join(f"{n} = {v:g}" for n, v in zip(used, corner, strict=True)) or "every setting"
            text = f"comes to {found:g} at {place}; every experiment costs something: add what one costs at least"
            document.fault(faults, ("cost", "each") if document.holds(("cost", "each")) else ("cost",), text, value=False)
            return


def _choices(problem: Problem, name: str) -> tuple[str, ...]:
    parameter = problem.parameters[name]
    return parameter.choices if isinstance(parameter, CategoricalParameter) else ()
