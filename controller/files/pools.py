"""Pools: the only settings possible, checked against the campaign and made distinct."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from controller.domain.base import Value
from controller.domain.constraint import LinearConstraint
from controller.domain.parameter import Parameter
from controller.domain.rule import Constraint
from controller.domain.space import Pool, Problem
from controller.files.candidates import allowed_text
from controller.files.faults import Faults, Keys, listed, nearest, shown
from controller.files.reading import Document

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_GOLDEN = 0.6180339887498949
_ROUNDING = 1e-13
_TURNS = 3
_NEARLY = 0.02
"""A row that misses an equality by less than this, relative to its terms, was meant to meet it."""


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
                           f"the lab's table holds settings beyond {allowed_text(parameter)}: {some}; widen it, or remove the rows",
                           value=False)  # fmt: skip
    return Pool(columns={name: columns[name] for name in parameters}) if len(faults) == n_before else None


def settle_pool(
    pool: Pool, problem: Problem, constraints: Mapping[int, Constraint], document: Document, faults: Faults
) -> Pool | None:
    """Return the pool's distinct settings that satisfy every constraint, or add to `faults` why none are left."""
    import numpy as np

    kept = np.ones(len(pool), bool)
    dropped_by = dict.fromkeys(constraints, 0)
    for i, constraint in constraints.items():
        columns = {name: pool.columns[name].settings for name in constraint.names}
        failing = ~constraint.met(columns)
        dropped_by[i] = int(failing.sum())
        equality = constraint if isinstance(constraint, LinearConstraint) and constraint.sense == "==" else None
        if equality is not None and (nearly := failing & equality.met(columns, _NEARLY)).any():
            point = pool.row(int(nearly.argmax()))
            text = f"the listed setting {shown(point)} misses it by {equality.residual(point):.3g}, as rounded tables do"
            document.fault(faults, ("constraints", i), f"{text}; correct the table, or leave the constraint out: a list of "
                           "settings needs none")  # fmt: skip
            return None
        kept &= ~failing
    if not kept.any():
        blame = max(dropped_by, key=lambda i: dropped_by[i])
        message = (
            f"leaves none of the {len(pool)} listed settings ({dropped_by[blame]} fail it); correct it or the table"
        )
        document.fault(faults, ("constraints", blame), message)
        return None
    rows = distinct(pool, np.flatnonzero(kept), problem)
    return pool if len(rows) == len(pool) else pool.take(rows)


def distinct(pool: Pool, rows: NDArray[np.int64], problem: Problem) -> NDArray[np.int64]:
    """Return which of `rows` (ascending) are the first of their setting, to the nine digits by which settings are compared.

    Only rows that may have an equal are compared digit by digit: all are sorted by a sum of their numbers, each with a weight of
    its own, in which equal settings are next to each other; those that have a close neighbour again, with other weights.
    """
    import numpy as np

    keep = np.ones(len(rows), bool)
    places = np.arange(len(rows))
    for turn in range(_TURNS):
        total, room = np.zeros(len(places)), _ROUNDING * len(pool.names)
        for j, name in enumerate(problem.parameters):
            column = pool.columns[name]
            values = column.data[rows[places]].astype(np.float64)
            low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
            if (span := high - low) == 0.0:
                continue
            weight = 0.5 + (_GOLDEN * (j * _TURNS + turn + 1) % 1.0) / 2
            total += weight * ((values - low) / span)
            if column.kind != "text":  # nine digits of a number are equal where it differs by less than this share
                room += weight * 2e-8 * max(abs(low), abs(high)) / span
        order = np.argsort(total, kind="stable")
        close = np.diff(total[order]) <= room
        doubtful = np.zeros(len(places), bool)
        doubtful[order[:-1][close]] = doubtful[order[1:][close]] = True
        places = places[doubtful]
    known: set[tuple[Value | None, ...]] = set()
    columns = [list(pool.columns[name].take(rows[places])) for name in problem.parameters]
    for place, values_there in zip(places.tolist(), zip(*columns, strict=True), strict=True):
        key = problem.key(dict(zip(problem.parameters, values_there, strict=True)))
        keep[place] = key not in known
        known.add(key)
    return rows[keep]


def check_subset(pool: Pool, offered: Pool, problem: Problem, document: Document, faults: Faults) -> None:
    """Add a fault when candidates hold settings that the lab's own table does not."""
    known = {problem.key(offered.row(i)) for i in range(len(offered))}
    strange = [i for i in range(len(pool)) if problem.key(pool.row(i)) not in known]
    if strange:
        message = f"{len(strange)} of its {len(pool)} settings are not in the lab's table, first {shown(pool.row(strange[0]))}"
        document.fault(faults, ("candidates",), f"{message}; remove them, or leave candidates out")
