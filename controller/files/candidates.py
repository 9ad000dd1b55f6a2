"""Candidate files: the only settings possible, as CSV or Parquet, of up to millions of rows; read a column at a time.

Numbers are kept as they are read, eight bytes each; no row is ever held as text.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from controller.domain.parameter import (
    CategoricalParameter,
    ContinuousParameter,
    DiscreteParameter,
    IntegerParameter,
    Parameter,
)
from controller.domain.pool import Column
from controller.domain.space import Pool
from controller.errors import FileFaultsError, MissingExtraError
from controller.files.faults import Faults, listed, nearest, one_line
from controller.files.reading import Document, check_file_kind
from controller.files.tables import NO_ROWS, CellFaults, check_header, number, unequal
from instruments.bounded import TableError, iter_rows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_ROWS: Final = 10_000_000
MAX_CELLS: Final = 100_000_000
"""Most cells of the columns that are parameters: 800 MB."""
MAX_BYTES: Final = 4 * 2**30
"""Largest file [bytes]."""
_PARQUET: Final = (".parquet", ".pq")
_BATCH: Final = 65_536
_NO_NUMBER: Final = "must be a number"


def read_candidates(document: Document, parameters: Mapping[str, Parameter], name: str, faults: Faults) -> Pool | None:
    """Read the file `name` beside the campaign file; its columns are named as the parameters, others are ignored.

    Args:
        document: The campaign file.
        parameters: Those of the campaign.
        name: Of the file: Parquet where it ends in `.parquet` or `.pq`, else CSV.
        faults: Gathers what is wrong, with line (CSV) or row (Parquet) and column.
    """
    path = document.path.parent / name
    n_before = len(faults)
    try:
        check_file_kind(path)
        read = _parquet if path.suffix.lower() in _PARQUET else _csv
        found = read(path, parameters, faults)
    except FileFaultsError as error:
        document.fault(faults, ("candidates",), error.faults[0].partition(": ")[2])
        return None
    except (MissingExtraError, ValueError) as error:
        document.fault(faults, ("candidates",), one_line(str(error)))
        return None
    except OSError as error:
        why = one_line(str(error))
        document.fault(faults, ("candidates",), f"cannot be read ({why}); check its name and permissions")
        return None
    if found is None or len(faults) > n_before:
        return None
    columns = {name: column for name, reader in found.items() if (column := reader.column(faults)) is not None}
    return Pool(columns) if len(faults) == n_before else None


class _Reader(Protocol):
    """Takes in one column."""

    def column(self, faults: Faults) -> Column | None:
        """Return the column, or add what is wrong with it."""
        ...


def _csv(path: Path, parameters: Mapping[str, Parameter], faults: Faults) -> dict[str, _Cells] | None:
    rows = iter_rows(path, most_bytes=MAX_BYTES, most_cells=2 * MAX_CELLS)
    try:
        return _csv_cells(path, rows, parameters, faults)
    except TableError as error:
        if error.line is None:
            raise
        faults.add(path, error.line, (), str(error))
        return None


def _csv_cells(
    path: Path, rows: Iterator[tuple[int, tuple[str, ...]]], parameters: Mapping[str, Parameter], faults: Faults
) -> dict[str, _Cells] | None:
    n_before = len(faults)
    line, header = next(rows, (1, ()))
    check_header(path, header, line, faults)
    if len(faults) == n_before and header:
        _check_columns(path, header, parameters, faults, line=1)
    if len(faults) > n_before:
        return None
    lines = array("q")
    readers = {name: _Cells(path, name, parameter, lines) for name, parameter in parameters.items()}
    takers = [(header.index(name), reader.take) for name, reader in readers.items()] if header else []
    for line, cells in rows:
        if len(cells) != len(header):
            faults.add(path, line, (), unequal(len(cells), len(header)))
            return None
        if len(lines) == MAX_ROWS or len(lines) * len(parameters) >= MAX_CELLS:
            faults.add(path, line, (), _too_many(len(parameters)))
            return None
        lines.append(line)
        for place, take in takers:
            take(cells[place])
    if not lines:
        faults.add(path, 1, (), NO_ROWS)
        return None
    return readers


class _Cells:
    """Takes in one column of a CSV file, cell by cell."""

    def __init__(self, path: Path, name: str, parameter: Parameter, lines: Sequence[int]) -> None:
        self._parameter, self._lines = parameter, lines
        self._wrong = CellFaults(path, name)
        self._numbers, self._codes = array("d"), array("i")
        choices = parameter.choices if isinstance(parameter, CategoricalParameter) else ()
        self._position = {choice: i for i, choice in enumerate(choices)}
        self.take = self._take_choice if choices else self._take_number

    def _take_choice(self, cell: str) -> None:
        code = self._position.get(cell, -1)
        if code < 0:
            self._wrong.add(self._lines[-1], cell, f"is beyond {allowed_text(self._parameter)}; {self._remedy}")
        self._codes.append(code)

    def _take_number(self, cell: str) -> None:
        value = number(cell)
        if value is None:
            self._wrong.add(self._lines[-1], cell, _NO_NUMBER)
        self._numbers.append(float("nan") if value is None else value)

    @property
    def _remedy(self) -> str:
        return f"correct the cell or widen parameters.{self._wrong.column}"

    def column(self, faults: Faults) -> Column | None:
        import numpy as np

        if isinstance(self._parameter, CategoricalParameter):
            wrong, codes = self._wrong.tell(faults), np.frombuffer(self._codes, np.intc)
            return None if wrong else Column("text", codes, self._parameter.choices)
        values = np.frombuffer(self._numbers, np.float64)
        for row in np.flatnonzero(~_inside(self._parameter, values) & ~np.isnan(values)).tolist():
            message = f"is beyond {allowed_text(self._parameter)}; {self._remedy}"
            self._wrong.add(self._lines[row], f"{values[row]:.15g}", message)
        return None if self._wrong.tell(faults) else _numbers(self._parameter, values)


def _parquet(path: Path, parameters: Mapping[str, Parameter], faults: Faults) -> dict[str, _Chunks] | None:
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"is larger than {MAX_BYTES >> 20} MiB; keep the columns and rows that are needed")
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        extra = MissingExtraError("pyarrow", "parquet", "a Parquet file")
        raise ValueError(f"{extra}; or save it as CSV") from None
    n_before = len(faults)
    try:
        with parquet.ParquetFile(path) as file:
            schema, n = file.schema_arrow, file.metadata.num_rows
            check_header(path, schema.names, None, faults)
            _check_columns(path, schema.names, parameters, faults, line=None)
            if n == 0:
                faults.add(path, None, (), "holds no rows; at least one is needed")
            if n > MAX_ROWS or n * len(parameters) > MAX_CELLS:
                faults.add(path, None, (), _too_many(len(parameters)))
            readers = {name: _Chunks(path, name, p, n) for name, p in parameters.items() if name in schema.names}
            for name, reader in readers.items():
                reader.check(schema.field(name).type, pa, faults)
            if len(faults) > n_before:
                return None
            for name, reader in readers.items():  # one after the other: a file written in one group would be in memory as a whole
                for batch in file.iter_batches(batch_size=_BATCH, columns=[name]):
                    reader.take(batch.column(0), pa)
        pa.default_memory_pool().release_unused()
        return readers
    except pa.ArrowException as error:
        raise ValueError(f"is no Parquet file that can be read ({one_line(str(error))[:200]}); write it anew") from None


class _Chunks:
    """Takes in one column of a Parquet file, batch by batch."""

    def __init__(self, path: Path, name: str, parameter: Parameter, n: int) -> None:
        import numpy as np

        self._path, self._name, self._parameter = path, name, parameter
        self._wrong = CellFaults(path, name, "row")
        self._values: NDArray[Any] = np.zeros(n, np.int32 if isinstance(parameter, CategoricalParameter) else np.float64)
        self._n = 0

    def check(self, kind: Any, pa: Any, faults: Faults) -> None:
        """Add a fault where the column's type is not one of what the parameter takes."""
        inner, types = kind.value_type if pa.types.is_dictionary(kind) else kind, pa.types
        if isinstance(self._parameter, CategoricalParameter):
            fits, wanted = types.is_string(inner) or types.is_large_string(inner) or types.is_integer(inner), "texts"
        else:
            fits, wanted = types.is_integer(inner) or types.is_floating(inner) or types.is_decimal(inner), "numbers"
        if not fits:
            faults.add(self._path, None, (self._name,), f"holds values of type {kind}; it must hold {wanted}")

    def take(self, batch: Any, pa: Any) -> None:
        """Take in the next rows."""
        import numpy as np

        begin, self._n = self._n, self._n + len(batch)
        part = self._values[begin : self._n]
        empty = batch.is_null().to_numpy(zero_copy_only=False)
        if isinstance(self._parameter, CategoricalParameter):
            position = {choice: i for i, choice in enumerate(self._parameter.choices)}
            coded = batch if pa.types.is_dictionary(batch.type) else batch.dictionary_encode()
            names = [str(name).strip() for name in coded.dictionary.to_pylist()]
            place = np.array([position.get(name, -1) for name in names] or [-1], np.int32)
            codes = coded.indices.fill_null(0).to_numpy(zero_copy_only=False)
            part[:] = place[codes]
            wrong = part < 0
            found: Sequence[object] = [names[code] for code in codes[wrong]]
        else:
            values = batch.dictionary_decode() if pa.types.is_dictionary(batch.type) else batch
            part[:] = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
            wrong = ~_inside(self._parameter, part)
            found = part[wrong].tolist()
        for row in np.flatnonzero(empty).tolist():
            self._wrong.add(begin + row + 1, "", "is empty; every candidate sets every parameter")
        for row, value in zip(np.flatnonzero(wrong).tolist(), found, strict=True):
            if empty[row]:
                continue
            if isinstance(value, float) and not math.isfinite(value):
                self._wrong.add(begin + row + 1, str(value), _NO_NUMBER)
            else:
                self._wrong.add(begin + row + 1, value, self._beyond)

    @property
    def _beyond(self) -> str:
        return f"is beyond {allowed_text(self._parameter)}; correct the cell or widen parameters.{self._name}"

    def column(self, faults: Faults) -> Column | None:
        if self._wrong.tell(faults):
            return None
        if isinstance(self._parameter, CategoricalParameter):
            return Column("text", self._values, self._parameter.choices)
        return _numbers(self._parameter, self._values)


def _check_columns(
    path: Path, header: Sequence[str], parameters: Mapping[str, Parameter], faults: Faults, *, line: int | None
) -> None:
    for name in parameters:
        if name not in header:
            faults.add(path, line, (), f"has no column {name!r} for the parameter; {nearest(name, header)}")


def _too_many(n_parameters: int) -> str:
    most = min(MAX_ROWS, MAX_CELLS // n_parameters)
    return f"holds more than {most} rows, the most that {n_parameters} parameters may have; keep those that are worth it"


def _numbers(parameter: Parameter, values: NDArray[np.float64]) -> Column:
    return Column("whole" if isinstance(parameter, IntegerParameter) else "number", values)


def _inside(parameter: Parameter, values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say of each number what `parameter.allows` says of it."""
    import numpy as np

    inside: NDArray[np.bool_] = np.isfinite(values)
    if isinstance(parameter, ContinuousParameter):
        slack = 1e-9 * (parameter.bounds[1] - parameter.bounds[0])
        inside &= (values >= parameter.bounds[0] - slack) & (values <= parameter.bounds[1] + slack)
    elif isinstance(parameter, IntegerParameter):
        inside &= (values >= parameter.bounds[0]) & (values <= parameter.bounds[1]) & (np.floor(values) == values)
    elif isinstance(parameter, DiscreteParameter):
        known = np.array(parameter.values)
        place = np.searchsorted(known, values)
        near = np.zeros(len(values), bool)
        for beside in (known[np.maximum(place - 1, 0)], known[np.minimum(place, len(known) - 1)]):
            near |= np.abs(values - beside) <= np.maximum(1e-9 * np.maximum(np.abs(values), np.abs(beside)), 1e-12)
        inside &= near
    return inside


def allowed_text(parameter: Parameter) -> str:
    """Say what a parameter allows."""
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
