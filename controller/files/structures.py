"""Structures in files: SMILES that RDKit can read, why it cannot read others, and rows that say the same molecule twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from controller.domain.parameter import CategoricalParameter
from controller.domain.space import Problem
from controller.errors import MissingExtraError
from controller.files.faults import Faults, one_line, shown
from controller.files.tables import CellFaults, Table

if TYPE_CHECKING:
    from rdkit.Chem import Mol

MOST_TOLD: Final = 20
"""Pairs of one molecule that are told one by one; of more only the number."""


def check_smiles(table: Table, column: str, rows: Sequence[int], faults: Faults) -> tuple[str, ...]:
    """Return the structures in some rows of a column, empty where there is none, and add those that cannot be read to `faults`."""
    cells = table.column(column)
    smiles = tuple(cells[row] for row in rows)
    try:
        from rdkit import rdBase
    except ImportError:
        error = MissingExtraError("rdkit", "chem", f"the column {column!r} of structures")
        faults.add(table.path, 1, (column,), f"{error}; or remove the column")
        return smiles
    wrong = CellFaults(table.path, column)
    with rdBase.BlockLogs():  # what it says of a bad SMILES goes to stderr
        for row, text in zip(rows, smiles, strict=True):
            if text and _read(text) is None:
                wrong.add(
                    table.lines[row],
                    text,
                    f"is not a SMILES that RDKit can read{_why(text)}; correct it, or leave the cell empty for no structure",
                )
    wrong.tell(faults)
    return smiles


def remarks(problem: Problem) -> list[str]:
    """Return a line for each molecule that is listed again, under another name or in another notation: the search takes it for two.

    Without RDKit nothing is said.
    """
    try:
        from rdkit import rdBase
    except ImportError:
        return []
    lines: list[str] = []
    for name, table in problem.descriptors.items():
        parameter = problem.parameters.get(name)
        if table.smiles is None or not isinstance(parameter, CategoricalParameter):
            continue
        with rdBase.BlockLogs():
            twins = list(_twins(parameter.choices, table.smiles))
        lines += [
            f"{name}: {shown(again)} is the same molecule as {shown(first)}, and may be measured besides; keep one of them"
            for first, again in twins[:MOST_TOLD]
        ]
        if len(twins) > MOST_TOLD:
            lines.append(f"{name}: and {len(twins) - MOST_TOLD} molecules more that are listed twice")
    return lines


def _twins(choices: Sequence[str], smiles: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each choice that says the same molecule, stereochemistry and isotopes included, as an earlier one, after that one."""
    from rdkit import Chem

    known: dict[str, str] = {}
    for choice, text in zip(choices, smiles, strict=True):
        molecule = _read(text) if text else None
        if molecule is None:
            continue
        first = known.setdefault(Chem.MolToSmiles(molecule), choice)
        if first != choice:
            yield first, choice


def _read(text: str) -> Mol | None:
    from rdkit import Chem

    found: Mol | None = Chem.MolFromSmiles(text)
    return found


def _why(text: str) -> str:
    """Return what RDKit finds wrong with a structure whose notation is right, such as a valence; else nothing."""
    from rdkit import Chem

    molecule: Any = Chem.MolFromSmiles(text, sanitize=False)
    problems = Chem.DetectChemistryProblems(molecule) if molecule is not None else ()
    return f" ({one_line(str(problems[0].Message()))})" if problems else ""
