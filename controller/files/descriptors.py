"""Descriptor files: numbers, and a structure where known, for each choice of a categorical parameter."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from controller.domain.parameter import CategoricalParameter
from controller.domain.space import DescriptorTable
from controller.files.faults import Faults, listed, nearest
from controller.files.reading import Document
from controller.files.structures import check_smiles
from controller.files.tables import CellFaults, Table, number, read_table

CHOICE_COLUMNS: Final = ("choice", "name", "label")
"""Names of the column that holds the choices, besides the parameter's own."""
MOST_CHOICES: Final = 100_000
"""Most choices that a file can name."""


def read_descriptors(
    name: str, parameter: CategoricalParameter, document: Document, faults: Faults
) -> DescriptorTable | None:
    """Read the file that `parameters.NAME.descriptors` names, or add what is wrong with it to `faults`.

    The choices stand in the column named as the parameter, or `choice`, `name` or `label`, or the first that holds them all. A
    column `NAME_smiles`, as data tables have it, is used alone; otherwise `smiles` holds structures and every other column numbers.
    Columns named as objectives are what is to be found out: they are never used.
    """
    keys = ("parameters", name, "descriptors")
    path = document.path.parent / str(parameter.descriptors)
    n_before = len(faults)
    try:
        table = read_table(path, faults)
    except ValueError as error:
        document.fault(faults, keys, str(error))
        return None
    if table is None:
        return None
    own_smiles, measured = f"{name}_smiles", _measured(document)
    choice_column = _choice_column(name, parameter, table)
    if choice_column is None:
        faults.add(path, table.lines[0] - 1, (), f"no column holds the choices of {name}; name it {name!r} or 'choice', beside "
                   f"{listed(table.header)}")  # fmt: skip
        return None
    used = [own_smiles] if own_smiles in table.header else [
        c for c in table.header if (c != choice_column or c == "smiles") and c not in measured
    ]
    if not used:
        faults.add(
            path, 1, (), f"says nothing about the choices; add a column of numbers, or {own_smiles!r} with structures"
        )
        return None
    rows = _one_row_each(parameter, table, choice_column, used, faults)
    structures = next((c for c in used if c in ("smiles", own_smiles)), None)
    columns = {c: _numbers(table, c, rows, faults) for c in used if c != structures}
    smiles = check_smiles(table, structures, rows, faults) if structures is not None else None
    if len(faults) > n_before:
        return None
    # A column that is the same for every choice tells no two apart.
    telling = {c: values for c, values in columns.items() if len(set(values)) > 1}
    if not telling and (smiles is None or len(set(smiles)) == 1):
        faults.add(
            path, 1, (), f"holds the same for every choice of {name}; give values that differ, or leave descriptors out"
        )
        return None
    return DescriptorTable(columns=telling, smiles=smiles)


def read_choices(name: str, file: str, document: Document, faults: Faults) -> tuple[list[str], bool] | None:
    """Return the choices that `parameters.NAME.choices: FILE.csv` stands for: the different cells of one column of the file.

    And whether the file says more of them than their names.

    It is the column named as the parameter, or `choice`, `name`, `label` or `smiles`, or else the first one.
    """
    try:
        table = read_table(document.path.parent / file, faults)
    except ValueError as error:
        document.fault(faults, ("parameters", name, "choices"), str(error))
        return None
    if table is None:
        return None
    column = next((c for c in (name, *CHOICE_COLUMNS, "smiles") if c in table.header), table.header[0])
    choices = list(dict.fromkeys(cell for cell in table.column(column) if cell))
    if len(choices) < 2:
        faults.add(table.path, 1, (column,), "names fewer than two choices; add rows")
        return None
    if len(choices) > MOST_CHOICES:
        message = f"names {len(choices)} choices, at most {MOST_CHOICES} are possible; narrow it, or give numbers as candidates"
        faults.add(table.path, 1, (column,), message)
        return None
    return choices, column == "smiles" or any(c != column and c not in _measured(document) for c in table.header)


def _measured(document: Document) -> Collection[str]:
    """Return the names of the objectives."""
    objectives = document.data.get("objectives")
    return objectives.keys() if isinstance(objectives, dict) else ()


def _choice_column(name: str, parameter: CategoricalParameter, table: Table) -> str | None:
    for candidate in (name, *CHOICE_COLUMNS):
        if candidate in table.header:
            return candidate
    if "smiles" in table.header and set(parameter.choices) <= set(table.column("smiles")):
        return "smiles"
    return next((c for c in table.header if set(parameter.choices) <= set(table.column(c))), None)


def _one_row_each(
    parameter: CategoricalParameter, table: Table, choice_column: str, used: list[str], faults: Faults
) -> list[int]:
    """Return the index of the row of each choice that has one."""
    labels = table.column(choice_column)
    columns = {c: table.column(c) for c in used}
    rows: dict[str, int] = {}
    for row, label in enumerate(labels):
        first = rows.setdefault(label, row)
        differing = [c for c in used if columns[c][row] != columns[c][first]]
        if differing and label in parameter.choices:
            here = (
                f"{columns[differing[0]][row]!r} here but {columns[differing[0]][first]!r} in line {table.lines[first]}"
            )
            faults.add(
                table.path, table.lines[row], (differing[0],), f"two rows for {label!r} differ: {here}; keep one"
            )
    for choice in parameter.choices:
        if choice not in rows:
            message = f"no row for the choice {choice!r}; add one, or correct a name: {nearest(choice, rows)}"
            faults.add(table.path, None, (choice_column,), message)
    return [rows[choice] for choice in parameter.choices if choice in rows]


def _numbers(table: Table, column: str, rows: list[int], faults: Faults) -> tuple[float, ...]:
    wrong = CellFaults(table.path, column)
    cells = table.column(column)
    values = []
    for row in rows:
        value = number(cells[row])
        if value is None:
            wrong.add(
                table.lines[row],
                cells[row],
                "is not a number; a descriptor is one number per choice: correct it or remove the column",
            )
        else:
            values.append(value)
    wrong.tell(faults)
    return tuple(values)
