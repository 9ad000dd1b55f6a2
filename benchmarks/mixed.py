"""Functions of numbers and categories whose best value is known: the group `mixed` of `python -m benchmarks tables`.

What choices have in common differs: a place in an order that is not told (`hartmann_choices`, `ackley_choices`), the shape but
not the place and height of a peak (`moved_peak`), parts of the landscape (`chosen_functions`, after B. Ru and others, *Bayesian
optimisation over multiple continuous and categorical inputs*, ICML 2020), or nothing (`four_landscapes`). Targets lie as those of
the standard functions do: a share of the way from what a random setting is worth to the best one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks.own import Own, _problem, _range

# Hartmann's function in six dimensions, negated so that more is better (L. C. W. Dixon, G. P. Szegö, 1978).
_HEIGHTS = np.array([1.0, 1.2, 3.0, 3.2])
_WIDTHS = np.array([[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]])
_PLACES = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886], [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650], [4047, 8828, 8732, 5743, 1091, 381],
    ]
)  # fmt: skip


def _choices(letters: str) -> dict[str, Any]:
    return {"type": "categorical", "choices": list(letters)}


def hartmann_choices() -> Own:
    """Hartmann's function of six numbers, two of which are choices in disorder."""
    problem = _problem({**{f"x{i}": _range(0, 1) for i in (1, 2, 3, 5)}, "c4": _choices("abcde"), "c6": _choices("abcd")})
    fourth = dict(zip("abcde", (0.725, 0.275, 0.95, 0.05, 0.5), strict=True))
    sixth = dict(zip("abcd", (0.65, 0.05, 0.95, 0.35), strict=True))

    def value(x: Mapping[str, Any]) -> float:
        z = np.array([x["x1"], x["x2"], x["x3"], fourth[x["c4"]], x["x5"], sixth[x["c6"]]])
        return float(_HEIGHTS @ np.exp(-(_WIDTHS * (z - _PLACES) ** 2).sum(1)))

    return Own("hartmann_choices", problem, value, 3.320987, 2.5128517)


def ackley_choices() -> Own:
    """Ackley's function of five numbers, two of which are choices in disorder (D. H. Ackley, 1987)."""
    problem = _problem({**{f"x{i}": _range(-5, 10) for i in (1, 2, 3)}, "c4": _choices("abcde"), "c5": _choices("abc")})
    fourth, fifth = dict(zip("abcde", (3, -1.5, 7, -4, 0), strict=True)), dict(zip("abc", (5, 0, -3), strict=True))

    def value(x: Mapping[str, Any]) -> float:
        z = np.array([x["x1"], x["x2"], x["x3"], fourth[x["c4"]], fifth[x["c5"]]])
        return float(20 * math.exp(-0.2 * math.sqrt((z**2).mean())) + math.exp(np.cos(2 * math.pi * z).mean()) - 20 - math.e)

    return Own("ackley_choices", problem, value, 0.0, -3.9009538)


def moved_peak() -> Own:
    """One peak over three numbers, which a catalyst and a solvent move and lift; one pair is better than its parts."""
    problem = _problem({**{f"x{i}": _range(0, 1) for i in (1, 2, 3)}, "catalyst": _choices("abcdef"), "solvent": _choices("wxyz")})
    lifts, rises = (0.2, 0.9, 0.5, 0.0, 0.7, 0.35), (0.3, 0.0, 0.55, 0.1)

    def value(x: Mapping[str, Any]) -> float:
        a, s = "abcdef".index(x["catalyst"]), "wxyz".index(x["solvent"])
        top = lifts[a] + rises[s] + (0.25 if (a, s) == (4, 2) else 0.0)
        return top - 2 * ((x["x1"] - 0.3 - 0.08 * a) ** 2 + (x["x2"] - 0.7 + 0.1 * s) ** 2 + (x["x3"] - 0.5) ** 2)

    return Own("moved_peak", problem, value, 1.5, 1.4313247)


def chosen_functions() -> Own:
    """The sum of two functions of the same two numbers, each chosen by a category: Rosenbrock's, the six-hump camel's, Beale's."""
    problem = _problem({"x1": _range(-1, 1), "x2": _range(-1, 1), "first": _choices("abc"), "second": _choices("abcde")})

    def rosenbrock(u: float, v: float) -> float:
        return (100 * (v - u**2) ** 2 + (1 - u) ** 2) / 300

    def camel(u: float, v: float) -> float:
        return (4 - 2.1 * u**2 + u**4 / 3) * u**2 + u * v + (-4 + 4 * v**2) * v**2

    def beale(u: float, v: float) -> float:
        return ((1.5 - u + u * v) ** 2 + (2.25 - u + u * v**2) ** 2 + (2.625 - u + u * v**3) ** 2) / 50

    def nothing(u: float, v: float) -> float:
        return 0.0

    def value(x: Mapping[str, Any]) -> float:
        first = (rosenbrock, camel, beale)["abc".index(x["first"])]
        second = (rosenbrock, camel, beale, camel, nothing)["abcde".index(x["second"])]
        return -first(2 * x["x1"], 2 * x["x2"]) - second(2 * x["x1"], 2 * x["x2"])

    return Own("chosen_functions", problem, value, 2.0632569, 1.9789172)


def four_landscapes() -> Own:
    """A landscape of its own for each of four choices, with peaks of other places, heights and widths."""
    problem = _problem({"x1": _range(0, 1), "x2": _range(0, 1), "choice": _choices("abcd")})
    peaks = {"a": (0.2, 0.3, 0.7, 0.3), "b": (0.75, 0.6, 0.85, 0.2), "c": (0.4, 0.85, 1.0, 0.15), "d": (0.85, 0.15, 0.6, 0.25)}

    def value(x: Mapping[str, Any]) -> float:
        p, q, height, width = peaks[x["choice"]]
        peak = height * math.exp(-((x["x1"] - p) ** 2 + (x["x2"] - q) ** 2) / (2 * width**2))
        return peak + 0.2 * math.sin(5 * x["x1"] + "abcd".index(x["choice"])) * math.cos(4 * x["x2"])

    return Own("four_landscapes", problem, value, 1.1507724, 0.9401361)


MADE: dict[str, Callable[[], Own]] = {
    made.__name__: made for made in (hartmann_choices, ackley_choices, moved_peak, chosen_functions, four_landscapes)
}
"""By name."""
