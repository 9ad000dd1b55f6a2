"""What is searched, checked as a whole: constraints that can be met, and spaces that can be listed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from controller.domain.base import Value
from controller.domain.campaign import CampaignFile
from controller.domain.constraint import LinearConstraint
from controller.domain.expression import functions_of
from controller.domain.parameter import (
    CategoricalParameter,
    ContinuousParameter,
    DiscreteParameter,
    IntegerParameter,
    Parameter,
)
from controller.domain.rule import Constraint, Rule, constraint_of
from controller.domain.space import circular
from controller.files.faults import Faults, Keys, listed, nearest, shortened, shown
from controller.files.reading import Document

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_SETTINGS: Final = 10_000_000
"""Most settings of a space without continuous parameters; they are listed one by one."""
_FEWEST = 100
"""Settings that a range holds at the least."""


def read_constraints(
    document: Document, parameters: Mapping[str, Parameter], faults: Faults
) -> dict[int, Constraint]:
    """Parse the constraints and check what they name.

    Args:
        document: The campaign file.
        parameters: Those without faults of their own; the document may name more.
        faults: Gathers what is wrong.

    Returns:
        Position in the file -> constraint, those without faults.
    """
    good: dict[int, Constraint] = {}
    written = document.data.get("parameters")
    names = list(written) if isinstance(written, dict) else []
    texts = document.get(("constraints",), [])
    for i, text in enumerate(texts if isinstance(texts, list) else []):
        if not isinstance(text, str):
            continue  # said already
        n_before = len(faults)
        try:
            constraint = constraint_of(text)
        except (ValueError, RecursionError, MemoryError) as error:  # the parser gives up on texts nested too deeply
            message = str(error) if isinstance(error, ValueError) else "is nested too deeply; write it flat"
            document.fault(faults, ("constraints", i), message, value=not isinstance(error, ValueError))
            continue
        for fault in _name_faults(constraint, parameters, names):
            document.fault(faults, ("constraints", i), fault)
        if len(faults) == n_before and all(name in parameters for name in constraint.names):
            good[i] = constraint
    return good


def _name_faults(constraint: Constraint, parameters: Mapping[str, Parameter], written: list[str]) -> Iterator[str]:
    """Yield what is wrong with the parameters that a constraint names; `written` are those of the file, good or not."""
    numbers = constraint.numbers
    for name in sorted(constraint.names):
        parameter = parameters.get(name)
        if name not in written:
            owners = [n for n, p in parameters.items() if isinstance(p, CategoricalParameter) and p.allows(name)]
            hint = f'it is a choice of {owners[0]}: put it in quotes, "{name}"' if owners else nearest(name, written)
            yield f"{name} is no parameter; {hint}"
        elif name in numbers and isinstance(parameter, CategoricalParameter):
            yield (
                f"{name} is categorical; only numbers can be added up: leave it out, or compare it with a choice in quotes, as in "
                f'{name} != "{shortened(parameter.choices[0])}"'
            )
        elif name not in numbers and parameter is not None and not isinstance(parameter, CategoricalParameter):
            yield f"{name} is a number; compare it with numbers, without quotes"
    if isinstance(constraint, LinearConstraint):
        for name, coefficient in constraint.coefficients:
            if not math.isfinite(coefficient):
                yield f"the coefficient of {name} is not finite; write a smaller number"
        return
    for name, choices in constraint.choices.items():
        parameter = parameters.get(name)
        if isinstance(parameter, CategoricalParameter):
            for strange in (c for c in dict.fromkeys(choices) if not parameter.allows(c)):
                yield f'{name} has no choice "{shortened(strange)}"; {nearest(strange, parameter.choices)}'
    if constraint.cardinality is not None:
        yield from _cardinality_faults(constraint, parameters)


def _cardinality_faults(rule: Rule, parameters: Mapping[str, Parameter]) -> Iterator[str]:
    limit = rule.cardinality
    assert limit is not None  # noqa: S101 - the caller has looked
    for name in limit.names:
        parameter = parameters.get(name)
        if parameter is not None and not isinstance(parameter, CategoricalParameter) and _range(parameter)[0] != 0:
            yield f"count says how many are not zero, but the range of {name} does not begin at 0; widen it, or leave {name} out"
    if limit.low > min(limit.high, len(limit.names)):
        yield f"cannot be met: it counts {len(limit.names)} parameters; correct the number"


def check_digits(document: Document, parameters: Mapping[str, Parameter], faults: Faults) -> None:
    """Add faults of numbers that the nine digits by which settings are told apart (`Problem.key`) do not tell apart."""
    for name, parameter in parameters.items():
        if isinstance(parameter, ContinuousParameter):
            low, high = parameter.bounds
            last_digit = 10.0 ** (math.floor(math.log10(max(abs(low), abs(high)))) - 8)
            if high - low < _FEWEST * last_digit:
                message = "settings are told apart by nine digits, and hardly any lie between; write how far the setting is from"
                document.fault(faults, ("parameters", name, "bounds"), f"{message} {low:.9g}, and let the driver add that")
        elif isinstance(parameter, DiscreteParameter):
            for one, other in pairwise(parameter.values):
                if f"{one:.9g}" == f"{other:.9g}":
                    message = f"settings are told apart by nine digits, in which {one!r} and {other!r} agree; leave one out"
                    document.fault(faults, ("parameters", name, "values"), message, value=False)


def check_conditions(document: Document, parameters: Mapping[str, Parameter], faults: Faults) -> bool:
    """Add faults of `active_when`: parameters and settings that are not there, and circles; say whether there was none."""
    n_before = len(faults)
    written = document.data.get("parameters")
    names = list(written) if isinstance(written, dict) else []
    for name, parameter in parameters.items():
        keys = ("parameters", name)
        if parameter.when_inactive is not None:
            if parameter.active_when is None:
                document.fault(faults, (*keys, "when_inactive"), "the parameter is always active; remove it, or add active_when")
            elif isinstance(parameter.when_inactive, str) != isinstance(parameter, CategoricalParameter):
                kind = "text, as the choices are" if isinstance(parameter, CategoricalParameter) else "a number"
                document.fault(faults, (*keys, "when_inactive"), f"must be {kind}")
        for other, wanted in (parameter.active_when or {}).items():
            place = (*keys, "active_when", other)
            on = parameters.get(other)
            if other == name:
                document.fault(faults, place, "a parameter cannot be active for itself; remove it")
            elif other not in names:
                document.fault(faults, place, f"{other} is no parameter; {nearest(other, names)}")
            elif isinstance(on, CategoricalParameter):
                for strange in (w for w in wanted if not on.allows(w)):
                    document.fault(faults, place, f"{other} has no choice {shown(strange)}; {nearest(str(strange), on.choices)}")
            elif on is not None:
                _check_range(document, place, other, on, wanted, faults)
    if len(faults) == n_before and (circle := circular(parameters)):
        message = f"is active for parameters that are active for it ({listed(circle)}); break the circle"
        document.fault(faults, ("parameters", circle[0], "active_when"), message, value=False)
    return len(faults) == n_before


def check_context(document: Document, campaign: CampaignFile, faults: Faults) -> None:
    """Add faults of the context: names that mean something else already, and what is only said of parameters."""
    for name, variable in campaign.context.items():
        place = ("context", name)
        for what, taken in (("a parameter", campaign.parameters), ("an objective", campaign.objectives)):
            if name in taken:
                document.fault(faults, place, f"{what} has that name; give each its own", value=False)
        if variable.active_when is not None:
            document.fault(faults, (*place, "active_when"), "the context is always there; remove it")
        if isinstance(variable, CategoricalParameter) and variable.descriptors is not None:
            document.fault(faults, (*place, "descriptors"), "a context variable has none; remove it")


def _check_range(
    document: Document, place: Keys, name: str, parameter: Parameter, wanted: tuple[Value, ...], faults: Faults
) -> None:
    if len(wanted) != 2 or any(isinstance(w, (str, bool)) for w in wanted) or not float(wanted[0]) <= float(wanted[1]):
        document.fault(faults, place, f"{name} is a number; write the range as [lowest, highest], for example [20, 50]")
        return
    low, high = _range(parameter)
    if float(wanted[0]) > high or float(wanted[1]) < low:
        document.fault(faults, place, f"lies beyond the range of {name}, {low:g} to {high:g}; correct it")


def check_feasible(
    every: Mapping[int, Constraint], parameters: Mapping[str, Parameter], document: Document, faults: Faults
) -> bool:
    """Add a fault when no setting within the bounds satisfies the linear constraints; say whether there was none.

    What is not linear is searched for settings when a campaign is started: see `design.drawing`.
    """
    always = {name for name, p in parameters.items() if p.active_when is None}
    constraints: dict[int, LinearConstraint] = {}
    for i, found in every.items():
        if isinstance(found, LinearConstraint):
            if found.names <= always:
                constraints[i] = found
            elif found.sense == "==":
                message = "an equality needs parameters that are always active; write it as two inequalities"
                document.fault(faults, ("constraints", i), message)
                return False
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
    constraints: Mapping[int, Constraint], parameters: Mapping[str, Parameter], document: Document, faults: Faults
) -> int | None:
    """Return how many settings a space without continuous parameters has, None when it is not finite or too large to list.

    Where parameters are not always active it is more than there are.
    """
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
    if any(p.active_when is not None for p in parameters.values()):
        return total
    bound_names = sorted({name for c in constraints.values() for name in c.names})
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


def _count_allowed(constraints: list[Constraint], parameters: Mapping[str, Parameter]) -> int:
    """Count the combinations of listed values that satisfy every constraint, to the tolerance of `LinearConstraint.allows`."""
    import numpy as np

    allowed: NDArray[np.bool_] = np.full((), True)
    axes = {name: _listed_values(p) for name, p in parameters.items()}
    for constraint in constraints:
        if isinstance(constraint, Rule):
            grid = dict(zip(axes, np.meshgrid(*axes.values(), indexing="ij", sparse=True), strict=True))
            with np.errstate(all="ignore"):
                allowed = allowed & constraint.holds(grid, functions_of(np))
            continue
        coefficients = dict(constraint.coefficients)
        total: NDArray[np.float64] = np.zeros(())
        largest: NDArray[np.float64] = np.full((), max(abs(constraint.bound), 1.0))
        for name, values in axes.items():
            terms = coefficients[name] * values if name in coefficients else np.zeros(len(values))
            total, largest = np.add.outer(total, terms), np.maximum.outer(largest, np.abs(terms))
        slack = (total - constraint.bound) / largest
        met = {"==": np.abs(slack) <= 1e-6, "<=": slack <= 1e-6, ">=": slack >= -1e-6}[constraint.sense]
        allowed = allowed & met
    return int(np.count_nonzero(allowed))


def _listed_values(parameter: Parameter) -> NDArray[Any]:
    import numpy as np

    if isinstance(parameter, CategoricalParameter):
        return np.array(parameter.choices)
    if isinstance(parameter, IntegerParameter):
        return np.arange(parameter.bounds[0], parameter.bounds[1] + 1, dtype=np.float64)
    assert not isinstance(parameter, ContinuousParameter)  # noqa: S101 - spaces are finite here
    return np.array(parameter.values, dtype=np.float64)
