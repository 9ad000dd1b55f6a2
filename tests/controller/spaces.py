"""Random problems for property tests, and closed loops over functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from controller.domain.base import Point
from controller.domain.campaign import ProposalPolicy
from controller.domain.proposal import Proposal
from controller.domain.request import Observations, Observed, Request
from controller.domain.space import Pool, Problem
from controller.engine.thinking import propose

Values = dict[str, float] | None


def continuous(*names: str, low: float = 0.0, high: float = 1.0) -> dict[str, Any]:
    return {name: {"type": "continuous", "bounds": (low, high)} for name in names}


def problem(parameters: dict[str, Any], objectives: dict[str, Any] | None = None, **rest: Any) -> Problem:
    return Problem.model_validate(
        {"parameters": parameters, "objectives": objectives or {"y": {"goal": "maximize"}}, **rest}
    )


def pool_problem(n: int, d: int, objectives: dict[str, Any] | None = None, seed: int = 0, **rest: Any) -> Problem:
    rows = np.random.default_rng(seed).random((n, d)).round(6)
    names = [f"x{j}" for j in range(d)]
    pool = Pool(columns={name: tuple(rows[:, j].tolist()) for j, name in enumerate(names)})
    return problem(continuous(*names), objectives, pool=pool, **rest)


def ask(
    problem: Problem,
    observed: list[Observed] | None = None,
    pending: list[Point] | None = None,
    n: int = 1,
    seed: int = 0,
    policy: ProposalPolicy | None = None,
) -> list[Proposal]:
    observed, pending = observed or [], pending or []
    return propose(request(problem, observed, pending, n, seed, policy))


def request(
    problem: Problem,
    observed: list[Observed],
    pending: list[Point],
    n: int = 1,
    seed: int = 0,
    policy: ProposalPolicy | None = None,
) -> Request:
    return Request(
        problem=problem,
        policy=policy or ProposalPolicy(),
        observed=Observations.of(observed),
        pending=tuple(pending),
        n=n,
        number=len(observed) + len(pending) + 1,
        seed=seed,
        device="cpu",
    )


def loop(
    problem: Problem, measure: Callable[[Point], Values], budget: int, n: int = 1, seed: int = 0
) -> tuple[list[Observed], list[Proposal]]:
    """Propose and measure until the budget is spent."""
    observed: list[Observed] = []
    proposals: list[Proposal] = []
    while len(observed) < budget:
        for proposal in ask(problem, observed, n=n, seed=seed):
            proposals.append(proposal)
            observed.append(Observed(point=proposal.point, values=measure(proposal.point)))
    return observed, proposals


FLIP: st.SearchStrategy[bool] = st.booleans()


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Any mixture of parameters, with up to two constraints that can be satisfied, or a pool."""
    parameters: dict[str, Any] = {}
    for j in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["continuous", "log", "integer", "discrete", "categorical"]))
        low = draw(st.sampled_from([-5.0, 0.0, 0.3, 200.0]))
        parameters[f"p{j}"] = {
            "continuous": {"type": "continuous", "bounds": (low, low + draw(st.sampled_from([0.01, 1.0, 300.0])))},
            "log": {"type": "continuous", "bounds": (1e-4, draw(st.sampled_from([1e-3, 1.0, 1e3]))), "scale": "log"},
            "integer": {"type": "integer", "bounds": (int(low), int(low) + draw(st.sampled_from([1, 7, 3000])))},
            "discrete": {"type": "discrete", "values": [low, low + 0.057, low + 0.153, low + 10.0]},
            "categorical": {
                "type": "categorical",
                "choices": ["a", "b", "c", "d", "e", "f"][: draw(st.integers(2, 6))],
            },
        }[kind]
    constraints: list[str] = []
    numeric = [name for name, p in parameters.items() if p["type"] == "continuous" and p.get("scale") != "log"]
    if draw(FLIP):
        parameters |= continuous("m1", "m2", "m3")
        constraints.append("m1 + m2 + m3 == 1")
        if draw(FLIP):
            constraints.append("m1 - 2 * m2 <= 0.1")
    bounded = draw(FLIP)
    if numeric and bounded:
        low, high = parameters[numeric[0]]["bounds"]
        constraints.append(f"{numeric[0]} >= {low + 0.4 * (high - low):.6g}")
    return problem(parameters, constraints=tuple(constraints))


_RULES = (
    "p * q <= 0.3",
    "p * q <= 0.3 if s == 'x'",
    "(p - 0.5) ** 2 + (q - 0.4) ** 2 <= 0.001",
    "s != 'y' or n <= 4",
    "exp(-p) + r ** 2 <= 1 and log10(r) >= -2",
    "n * q >= 3",
    "k * n <= 20 if k > 1 or s in ['x', 'z']",
    "count(p, q, n) <= 2",
    "q >= 0.2 if q > 0",
    "max(p, q, u) <= 0.9",
    "p + 2 * u <= 1.5",
    "m1 * m2 >= 0.02",
    "count(m1, m2, m3) <= 2",
    "p + q <= 1.2",
)


@st.composite
def ruled_problems(draw: st.DrawFn) -> Problem:
    """Spaces with up to three rules that can be met together or not, and parameters that are not always active."""
    parameters: dict[str, Any] = {
        **continuous("p", "q"),
        "r": {"type": "continuous", "bounds": (1e-3, 10.0), "scale": "log"},
        "n": {"type": "integer", "bounds": (0, draw(st.sampled_from([8, 5000])))},
        "k": {"type": "discrete", "values": [0.5, 1.0, 2.0, 7.0]},
        "s": {"type": "categorical", "choices": ["x", "y", "z"]},
    }
    if draw(FLIP):
        parameters["u"] = {"type": "continuous", "bounds": (0, 1), "active_when": {"s": ["x", "y"]}}
        parameters["w"] = {"type": "categorical", "choices": ["a", "b"], "active_when": {"u": [0.2, 0.7], "n": [0, 5000]}}
    constraints = draw(st.lists(st.sampled_from(_RULES), min_size=0 if "u" in parameters else 1, max_size=3, unique=True))
    if any("m1" in text for text in constraints):
        parameters |= continuous("m1", "m2", "m3")
        constraints.append("m1 + m2 + m3 == 1")
    kept = tuple(text for text in constraints if "u" in parameters or "u" not in text.replace("count", ""))
    return problem(parameters, constraints=kept)
