"""Pools: the only settings possible, from a candidates file or from the table of a simulated lab."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from controller.domain.base import Value
from controller.domain.constraint import LinearConstraint
from controller.domain.parameter import CategoricalParameter, IntegerParameter, Parameter
from controller.domain.rule import Constraint
from controller.domain.space import Pool, Problem
from controller.files.faults import Faults, Keys, listed, nearest, shown
from controller.files.reading import Document
from controller.files.tables import CellFaults, Table, number, read_table

_NEARLY = 0.02
"""A row that misses an equality by less than this, relative to its terms, was meant to meet it."""


def read_candidates(document: Document, parameters: Mapping[str, Parameter], name: str, faults: Faults) -> Pool | None:
    """Read the CSV file `name` beside the campaign file; its columns are named as the parameters, others are ignored."""
    try:
        table = read_table(document.path.parent / name, faults)
    except ValueError as error:
        document.fault(faults, ("candidates",), str(error))
        return None
    if table is None:
        return None
    n_before = len(faults)
    for parameter in parameters:
        if parameter not in table.header:
            faults.add(
                table.path, 1, (), f"has no column {parameter!r} for the parameter; {nearest(parameter, table.header)}"
            )
    columns = {p: _cells(table, p, parameter, faults) for p, parameter in parameters.items() if p in table.header}
    return Pool(columns=columns) if len(faults) == n_before else None


def check_pool(
    columns: Mapping[str, Sequence[Value]],
    parameters: Mapping[str, Parameter],
    document: Document,
    keys: Keys,
    faults: Faults,
) -> Pool | None:
    """Check the settings that a simulated lab offers against the campaign; faults are placed at `keys`."""
    n_before = len(faults)
    for name, parameter in parameters.items():
        if name not in columns:
            document.fault(faults, keys, f"holds no settings of {name}; {nearest(name, columns)}", value=False)
            continue
        outside = [value for value in dict.fromkeys(columns[name]) if not parameter.allows(value)]
        if outside:
            some = listed([shown(value) for value in outside], 5)
            document.fault(faults, ("parameters", name),
                           f"the lab's table holds settings beyond {_range(parameter)}: {some}; widen it, or remove those rows",
                           value=False)  # fmt: skip
    return Pool(columns={name: tuple(columns[name]) for name in parameters}) if len(faults) == n_before else None


def settle_pool(
    pool: Pool, problem: Problem, constraints: Mapping[int, Constraint], document: Document, faults: Faults
) -> Pool | None:
    """Return the pool's distinct settings that satisfy every constraint, or add to `faults` why none are left."""
    kept: dict[tuple[Value | None, ...], int] = {}
    dropped_by = dict.fromkeys(constraints, 0)
    n_before = len(faults)
    for index in range(len(pool)):
        point = pool.row(index)
        failing = [i for i, c in constraints.items() if not c.allows(point)]
        for i in failing:
            dropped_by[i] += 1
            constraint = constraints[i]
            if isinstance(constraint, LinearConstraint) and constraint.sense == "==" and constraint.allows(point, _NEARLY):
                text = f"the listed setting {shown(point)} misses it by {constraint.residual(point):.3g}, as rounded tables do"
                document.fault(faults, ("constraints", i), f"{text}; correct the table, or leave the constraint out: a list of "
                               "settings needs none")  # fmt: skip
                return None
        if not failing:
            kept.setdefault(problem.key(point), index)
    if not kept:
        blame = max(dropped_by, key=lambda i: dropped_by[i])
        message = (
            f"leaves none of the {len(pool)} listed settings ({dropped_by[blame]} fail it); correct it or the table"
        )
        document.fault(faults, ("constraints", blame), message)
    if len(faults) > n_before:
        return None
    rows = list(kept.values())
    return Pool(columns={name: tuple(column[i] for i in rows) for name, column in pool.columns.items()})


def check_subset(pool: Pool, offered: Pool, problem: Problem, document: Document, faults: Faults) -> None:
    """Add a fault when candidates hold settings that the lab's own table does not."""
    known = {problem.key(offered.row(i)) for i in range(len(offered))}
    strange = [i for i in range(len(pool)) if problem.key(pool.row(i)) not in known]
    if strange:
        message = f"{len(strange)} of its {len(pool)} settings are not in the lab's table, first {shown(pool.row(strange[0]))}"
        document.fault(faults, ("candidates",), f"{message}; remove them, or leave candidates out")


def _cells(table: Table, name: str, parameter: Parameter, faults: Faults) -> tuple[Value, ...]:
    wrong = CellFaults(table, name)
    values: list[Value] = []
    for row, cell in enumerate(table.column(name)):
        value: Value | None = cell if isinstance(parameter, CategoricalParameter) else number(cell)
        if value is None:
            wrong.add(row, cell, "must be a number")
        elif not parameter.allows(value):
            wrong.add(row, cell, f"is beyond {_range(parameter)}; correct the cell or widen parameters.{name}")
        else:
            values.append(int(value) if isinstance(parameter, IntegerParameter) else value)
    wrong.tell(faults)
    return tuple(values)


def _range(parameter: Parameter) -> str:
    match parameter:
        case CategoricalParameter(choices=choices):
            return f"the choices {_short(choices)}"
        case IntegerParameter(bounds=(low, high)):
            return f"the whole numbers from {low} to {high}"
    if parameter.type == "discrete":
        return f"the values {_short(f'{v:g}' for v in parameter.values)}"
    return f"the bounds [{parameter.bounds[0]:g}, {parameter.bounds[1]:g}]"


def _short(names: Iterable[str]) -> str:
    return listed(names, 6)
