"""What is searched, checked as a whole: constraints that can be met, and spaces that can be listed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from controller.domain.constraint import LinearConstraint, parse_constraint
from controller.domain.parameter import CategoricalParameter, ContinuousParameter, IntegerParameter, Parameter
from controller.files.faults import Faults, listed, nearest
from controller.files.reading import Document

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_SETTINGS: Final = 10_000_000
"""Most settings of a space without continuous parameters; they are listed one by one."""


def read_constraints(
    document: Document, parameters: Mapping[str, Parameter], faults: Faults
) -> dict[int, LinearConstraint]:
    """Parse the constraints and check what they name.

    Args:
        document: The campaign file.
        parameters: Those without faults of their own; the document may name more.
        faults: Gathers what is wrong.

    Returns:
        Position in the file -> constraint, those without faults.
    """
    good: dict[int, LinearConstraint] = {}
    written = document.data.get("parameters")
    names = list(written) if isinstance(written, dict) else []
    texts = document.get(("constraints",), [])
    for i, text in enumerate(texts if isinstance(texts, list) else []):
        if not isinstance(text, str):
            continue  # said already
        n_before = len(faults)
        try:
            constraint = parse_constraint(text)
        except (ValueError, RecursionError, MemoryError) as error:  # the parser gives up on texts nested too deeply
            message = str(error) if isinstance(error, ValueError) else "is nested too deeply; write it flat"
            document.fault(faults, ("constraints", i), message, value=not isinstance(error, ValueError))
            continue
        for name, coefficient in constraint.coefficients:
            if name not in names:
                document.fault(faults, ("constraints", i), f"{name} is no parameter; {nearest(name, names)}")
            elif isinstance(parameters.get(name), CategoricalParameter):
                document.fault(
                    faults, ("constraints", i), f"{name} is categorical; only numbers can be added up: leave it out"
                )
            elif not math.isfinite(coefficient):
                document.fault(
                    faults, ("constraints", i), f"the coefficient of {name} is not finite; write a smaller number"
                )
        if len(faults) == n_before and all(name in parameters for name, _ in constraint.coefficients):
            good[i] = constraint
    return good


def check_feasible(
    constraints: Mapping[int, LinearConstraint], parameters: Mapping[str, Parameter], document: Document, faults: Faults
) -> bool:
    """Add a fault when no setting within the bounds satisfies the constraints; say whether there was none."""
    ranges = {name: _range(p) for name, p in parameters.items() if not isinstance(p, CategoricalParameter)}
    alone_possible = True
    for i, constraint in constraints.items():
        ends = [sorted((c * ranges[name][0], c * ranges[name][1])) for name, c in constraint.coefficients]
        low, high = math.fsum(e[0] for e in ends), math.fsum(e[1] for e in ends)
        slack = 1e-9 * max(1.0, abs(low), abs(high))
        if (constraint.sense != ">=" and low > constraint.bound + slack) or (
            constraint.sense != "<=" and high < constraint.bound - slack
        ):
            sums = " + ".join(name if c == 1 else f"{c:g} * {name}" for name, c in constraint.coefficients)
            wanted = f"never {constraint.sense} {constraint.bound:g}"
            message = f"cannot be met: {sums} lies between {low:g} and {high:g} within the bounds, {wanted}"
            document.fault(faults, ("constraints", i), f"{message}; correct it or widen the bounds")
            alone_possible = False
    if alone_possible and len(constraints) > 1 and not _jointly_feasible(list(constraints.values()), ranges):
        document.fault(
            faults, ("constraints",), "cannot all be met within the bounds; relax one of them or widen the bounds"
        )
        return False
    return alone_possible


def count_settings(
    constraints: Mapping[int, LinearConstraint], parameters: Mapping[str, Parameter], document: Document, faults: Faults
) -> int | None:
    """Return how many settings a space without continuous parameters has, None when it is not finite or too large to list."""
    sizes = {name: _size(p) for name, p in parameters.items()}
    if any(size is None for size in sizes.values()):
        return None
    total = math.prod(size for size in sizes.values() if size is not None)
    if total > MAX_SETTINGS:
        message = (
            f"about 1e{len(str(total)) - 1} settings are too many to list (at most {MAX_SETTINGS:.0g}); name those possible in "
            "candidates: FILE.csv, give fewer choices or values, or make a number continuous"
        )
        document.fault(faults, ("parameters",), message, value=False)
        return None
    bound_names = sorted({name for c in constraints.values() for name, _ in c.coefficients})
    free = math.prod(size for name, size in sizes.items() if size is not None and name not in bound_names)
    allowed = (
        _count_allowed(list(constraints.values()), {name: parameters[name] for name in bound_names})
        if bound_names
        else 1
    )
    if not allowed:
        document.fault(faults, ("constraints",), f"none of the {total} settings meets them; relax one, or add values to "
                       f"{listed(bound_names)}")  # fmt: skip
        return None
    return free * allowed


def _range(parameter: Parameter) -> tuple[float, float]:
    if isinstance(parameter, (ContinuousParameter, IntegerParameter)):
        return float(parameter.bounds[0]), float(parameter.bounds[1])
    assert not isinstance(parameter, CategoricalParameter)  # noqa: S101 - callers leave those out
    return parameter.values[0], parameter.values[-1]


def _size(parameter: Parameter) -> int | None:
    match parameter:
        case ContinuousParameter():
            return None
        case IntegerParameter(bounds=(low, high)):
            return high - low + 1
        case CategoricalParameter(choices=choices):
            return len(choices)
    return len(parameter.values)


def _jointly_feasible(constraints: list[LinearConstraint], ranges: Mapping[str, tuple[float, float]]) -> bool:
    import numpy as np
    from scipy.optimize import linprog  # imported here: a second that a file with one constraint need not wait

    names = sorted({name for c in constraints for name, _ in c.coefficients})
    rows = np.array([[dict(c.coefficients).get(name, 0.0) for name in names] for c in constraints])
    bounds = np.array([c.bound for c in constraints])
    # Each row over its largest coefficient, so that the solver's tolerances mean the same for all.
    scale = np.abs(rows).max(axis=1)
    rows, bounds = rows / scale[:, None], bounds / scale
    equal = np.array([c.sense == "==" for c in constraints])
    sign = np.array([-1.0 if c.sense == ">=" else 1.0 for c in constraints])
    upper, upper_bounds = (rows * sign[:, None])[~equal], (bounds * sign)[~equal]
    result = linprog(
        np.zeros(len(names)),
        A_ub=upper if len(upper) else None, b_ub=upper_bounds if len(upper) else None,
        A_eq=rows[equal] if equal.any() else None, b_eq=bounds[equal] if equal.any() else None,
        bounds=[ranges[name] for name in names], method="highs",
    )  # fmt: skip
    return int(result.status) != 2  # 2: infeasible; anything else is no proof


def _count_allowed(constraints: list[LinearConstraint], parameters: Mapping[str, Parameter]) -> int:
    """Count the combinations of listed values that satisfy every constraint, to the tolerance of `LinearConstraint.allows`."""
    import numpy as np

    allowed: NDArray[np.bool_] = np.full((), True)
    axes = {name: _listed_values(p) for name, p in parameters.items()}
    for constraint in constraints:
        coefficients = dict(constraint.coefficients)
        total: NDArray[np.float64] = np.zeros(())
        largest: NDArray[np.float64] = np.full((), max(abs(constraint.bound), 1.0))
        for name, values in axes.items():
            terms = coefficients.get(name, 0.0) * values
            total, largest = np.add.outer(total, terms), np.maximum.outer(largest, np.abs(terms))
        slack = (total - constraint.bound) / largest
        met = {"==": np.abs(slack) <= 1e-6, "<=": slack <= 1e-6, ">=": slack >= -1e-6}[constraint.sense]
        allowed = allowed & met
    return int(np.count_nonzero(allowed))


def _listed_values(parameter: Parameter) -> NDArray[np.float64]:
    import numpy as np

    if isinstance(parameter, IntegerParameter):
        return np.arange(parameter.bounds[0], parameter.bounds[1] + 1, dtype=np.float64)
    assert not isinstance(parameter, (CategoricalParameter, ContinuousParameter))  # noqa: S101 - constraints name numbers, spaces are finite
    return np.array(parameter.values, dtype=np.float64)
