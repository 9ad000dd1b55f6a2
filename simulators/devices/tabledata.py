"""A table of measured experiments: CSV columns that carry parameters and objectives, rows that may repeat a setting."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from instruments.bounded import TableError, read_rows
from simulators.devices.memory import Scalar, SettingKey, setting_key


@dataclass(frozen=True)
class Column:
    """One parameter's column of the table."""

    column: str
    kind: str
    """`number`, or `text` for the choices of a categorical parameter."""


@dataclass(frozen=True)
class MeasuredTable:
    """Rows of one CSV file that hold a value for every objective.

    Attributes:
        settings: The distinct settings in the order in which they first occur.
        rows: Setting -> its measured rows, each with one value per objective.
        n_dropped: Rows left out because an objective had no value.
    """

    settings: tuple[dict[str, Scalar], ...]
    rows: Mapping[SettingKey, tuple[dict[str, float], ...]]
    n_dropped: int

    def replicates(self, setting: Mapping[str, Scalar]) -> tuple[dict[str, float], ...]:
        """Return the measured rows of a setting, none when it was never measured."""
        return self.rows.get(setting_key(setting), ())


def read_table(path: Path, parameters: Mapping[str, Column], objectives: Mapping[str, str]) -> MeasuredTable:
    """Read a table.

    Args:
        path: A CSV file with a header line, UTF-8.
        parameters: Parameter name -> its column.
        objectives: Objective name -> its column.

    Returns:
        The table.

    Raises:
        ValueError: If the file cannot be read, lacks a column, or holds text where a number is needed; one line that names the
            place.
    """
    header, lines = _read(path)
    wanted = [*(c.column for c in parameters.values()), *objectives.values()]
    for name in wanted:
        if header.count(name) != 1:
            found = "no column" if name not in header else "more than one column"
            raise ValueError(f"{path.name}:1: {found} {name!r}; the columns are {_listed(header)}")
    place = {name: header.index(name) for name in wanted}
    settings: list[dict[str, Scalar]] = []
    rows: dict[SettingKey, list[dict[str, float]]] = {}
    n_dropped = 0
    for number, cells in lines:
        if len(cells) != len(header):
            raise ValueError(
                f"{path.name}:{number}: {len(cells)} cells where the header has {len(header)}; check the commas and quotes"
            )
        values = {
            name: _number(cells[place[column]], path, number, column, empty=True) for name, column in objectives.items()
        }
        if any(v is None for v in values.values()):
            n_dropped += 1
            continue
        setting: dict[str, Scalar] = {}
        for name, parameter in parameters.items():
            cell = cells[place[parameter.column]]
            read = (
                cell.strip() if parameter.kind == "text" else _number(cell, path, number, parameter.column, empty=False)
            )
            assert read is not None  # noqa: S101 - empty numbers of parameters are refused
            setting[name] = read
        key = setting_key(setting)
        if key not in rows:
            settings.append(setting)
        rows.setdefault(key, []).append({name: v for name, v in values.items() if v is not None})
    if not settings:
        raise ValueError(f"{path.name}: no row holds a value for {', '.join(objectives.values())}")
    return MeasuredTable(tuple(settings), {key: tuple(found) for key, found in rows.items()}, n_dropped)


def _read(path: Path) -> tuple[list[str], list[tuple[int, tuple[str, ...]]]]:
    try:
        lines = read_rows(path)
    except TableError as error:
        raise ValueError(f"{path.name}{'' if error.line is None else f':{error.line}'}: {error}") from None
    except OSError as error:
        raise ValueError(f"{path.name}: cannot be read ({error.strerror})") from None
    if len(lines) < 2:
        raise ValueError(f"{path.name}: a table needs a header line and at least one row")
    return list(lines[0][1]), lines[1:]


def _number(cell: str, path: Path, line: int, column: str, *, empty: bool) -> float | None:
    text = cell.strip()
    try:
        value = float(text) if text else math.nan
    except ValueError:
        raise ValueError(f"{path.name}:{line}: {column}: {text!r} is not a number") from None
    if math.isfinite(value):
        return value
    if not empty or math.isinf(value):
        raise ValueError(f"{path.name}:{line}: {column}: {text!r} must be a finite number")
    return None


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 12 else f"{', '.join(names[:12])} and {len(names) - 12} more"
