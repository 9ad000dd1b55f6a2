"""Problems that can be solved: every constraint holds in at least one point."""

from __future__ import annotations

from hypothesis import strategies as st

from controller.domain.base import Point
from controller.domain.objective import Objective
from controller.domain.parameter import CategoricalParameter
from controller.domain.space import DescriptorTable, Pool, Problem
from tests.strategies.points import parameter_sets, points
from tests.strategies.values import identifiers, numbers, units


@st.composite
def objectives(draw: st.DrawFn) -> Objective:
    """Draw an objective with any goal."""
    goal = draw(st.sampled_from(["maximize", "minimize", "match"]))
    return Objective(goal=goal, unit=draw(st.none() | units), target=draw(numbers) if goal == "match" else None)


def objective_sets(most: int = 3) -> st.SearchStrategy[dict[str, Objective]]:
    """Return a strategy of one to `most` named objectives."""
    return st.dictionaries(identifiers, objectives(), min_size=1, max_size=most)


@st.composite
def problems_with_points(draw: st.DrawFn) -> tuple[Problem, Point]:
    """Draw a problem and a point that it allows; inequalities leave the point some room."""
    parameters = draw(parameter_sets())
    point = draw(points(parameters))
    numeric = [name for name, p in parameters.items() if not isinstance(p, CategoricalParameter)]
    constraints = []
    for _ in range(draw(st.integers(0, 2)) if numeric else 0):
        chosen = draw(st.lists(st.sampled_from(numeric), min_size=1, unique=True))
        terms = {name: draw(st.sampled_from([-3.0, -1.0, -0.5, 1.0, 2.0, 100.0])) for name in chosen}
        total = sum(c * float(point[name]) for name, c in terms.items())
        sense = draw(st.sampled_from(["<=", ">="]))
        room = draw(st.floats(1.0, 100.0)) * (1 if sense == "<=" else -1)
        written = " + ".join(f"{c!r} * {name}" for name, c in terms.items())
        constraints.append(f"{written} {sense} {total + room!r}")
    descriptors = {
        name: DescriptorTable(columns={"size": tuple(draw(numbers) for _ in p.choices)})
        for name, p in parameters.items()
        if isinstance(p, CategoricalParameter) and draw(st.booleans())
    }
    pool = None
    if draw(st.booleans()):
        rows = [point, *draw(st.lists(points(parameters), max_size=3))]
        pool = Pool(columns={name: tuple(row[name] for row in rows) for name in parameters})
    problem = Problem(
        parameters=parameters,
        objectives=draw(objective_sets()),
        constraints=tuple(constraints),
        descriptors=descriptors,
        pool=pool,
        allow_replicates=draw(st.booleans()),
    )
    return problem, point


def problems() -> st.SearchStrategy[Problem]:
    """Return a strategy of problems that allow at least one point."""
    return problems_with_points().map(lambda drawn: drawn[0])
