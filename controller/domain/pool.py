"""Pools: the only settings possible, as columns of numbers or of names; millions of rows are held without copying them.

A small pool is part of the data that it belongs to. A large one is *referred to* by the SHA-256 of its content, which is kept once
(`store/pools.py`) and lies in a file that several processes map into memory. The content is a run of bytes whose meaning never
changes: `LWPOOL1` and a line feed, the length of the header [8 bytes], the header as JSON (rows; per column its name, kind and
choices), and the columns one after the other: `number` 64-bit floats, `whole` 64-bit integers, `text` 32-bit positions in the list
of choices. All is little-endian; what comes before the columns, and each column, is filled up with zeros to a multiple of 64 bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

from pydantic import GetCoreSchemaHandler, ValidationInfo
from pydantic_core import core_schema

from controller.domain.base import Point, Value
from controller.errors import PoolError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Kind = Literal["number", "whole", "text"]
MOST_INLINE = 20_000
"""Cells of the largest pool that travels within its problem; of a larger one a reference does."""
_MAGIC = b"LWPOOL1\n"
_ALIGNED = 64
_TYPES: dict[Kind, str] = {"number": "<f8", "whole": "<i8", "text": "<i4"}
_LONGEST_HEADER = 64 * 2**20


class Column(Sequence[Value]):
    """One column of a pool.

    Attributes:
        kind: `number`, `whole` or `text`.
        data: n numbers, or positions in `choices`.
        choices: The different texts of a `text` column; empty for numbers.
    """

    __slots__ = ("choices", "data", "kind")

    def __init__(self, kind: Kind, data: NDArray[Any], choices: Sequence[str] = ()) -> None:
        self.kind: Kind = kind
        self.data: NDArray[Any] = data.astype(_TYPES[kind], copy=False)
        self.choices = tuple(choices)

    @classmethod
    def of(cls, values: Sequence[Value]) -> Column:
        """Return `values` as a column.

        Raises:
            ValueError: If they are numbers and texts, or a number is not finite.
        """
        import numpy as np

        if isinstance(values, Column):
            return values
        kinds = {type(v) for v in values}
        if kinds == {str}:
            position = {choice: i for i, choice in enumerate(dict.fromkeys(values))}
            return cls("text", np.fromiter((position[v] for v in values), np.int32, len(values)), [str(c) for c in position])
        if not kinds <= {int, float, bool}:
            raise ValueError("a column of a pool holds numbers or texts, not both")
        try:
            whole = kinds <= {int, bool}
            data = np.array(values, dtype=np.int64 if whole else np.float64)
        except OverflowError:
            raise ValueError("a whole number of a pool is too large") from None
        if not np.isfinite(data).all():
            raise ValueError("a number of a pool is not finite")
        return cls("whole" if whole else "number", data)

    def __len__(self) -> int:
        return len(self.data)

    @overload
    def __getitem__(self, index: int) -> Value: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Value]: ...

    def __getitem__(self, index: int | slice) -> Value | Sequence[Value]:
        if isinstance(index, slice):
            return Column(self.kind, self.data[index], self.choices)
        value = self.data[index].item()
        return self.choices[value] if self.kind == "text" else value  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[Value]:
        plain = self.data.tolist()
        return (self.choices[i] for i in plain) if self.kind == "text" else iter(plain)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # equal to lists and tuples of the same values

    def __repr__(self) -> str:
        return f"Column({self.kind}, {len(self)} rows)"

    @property
    def settings(self) -> NDArray[Any]:
        """The numbers, or the texts."""
        import numpy as np

        return np.asarray(self.choices).take(self.data) if self.kind == "text" else self.data

    def take(self, rows: NDArray[Any]) -> Column:
        """Return the column at some rows."""
        return Column(self.kind, self.data[rows], self.choices)


Columns: TypeAlias = dict[str, Column]
Source: TypeAlias = "Callable[[str], Columns]"
"""Opens the content of a pool by its SHA-256; raises `PoolError` where it is missing or damaged."""


class Pool:
    """The only settings possible, as columns of equal length.

    Within JSON it is `{"columns": {name: values}}`, above `MOST_INLINE` cells a reference `{"sha256": …, "rows": …, "names": […]}`.
    Who reads references gives the validation the context `{"pools": SOURCE}`; the content is opened when it is first needed.

    Raises:
        ValueError: If the columns have no equal lengths.
    """

    def __init__(self, columns: Mapping[str, Sequence[Value]]) -> None:
        self._columns: Columns | None = {name: Column.of(values) for name, values in columns.items()}
        if len({len(c) for c in self._columns.values()}) != 1:
            raise ValueError("the columns of a pool must have equal lengths")
        self._rows = len(next(iter(self._columns.values())))
        self.names = tuple(self._columns)
        """Of the columns."""
        self._source: Source | None = None

    @classmethod
    def referred(cls, sha256: str, rows: int, names: Sequence[str], source: Source | None = None) -> Pool:
        """Return a pool whose content is opened when it is needed."""
        made = cls.__new__(cls)
        made._columns, made._rows, made.names, made._source = None, rows, tuple(names), source
        made.__dict__["sha256"] = sha256
        return made

    def __len__(self) -> int:
        return self._rows

    def __repr__(self) -> str:
        return f"Pool({len(self)} rows of {', '.join(self.names)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pool) and (self is other or self.sha256 == other.sha256)

    def __hash__(self) -> int:
        return hash(self.sha256)

    @property
    def columns(self) -> Columns:
        """The columns by name.

        Raises:
            PoolError: If the content of a referred pool is not at hand, or is not the one referred to.
        """
        if self._columns is None:
            if self._source is None:
                raise PoolError(f"the list of candidates {self.sha256[:16]} is referred to, but nothing says where it is kept")
            columns = self._source(self.sha256)
            if tuple(columns) != self.names or {len(c) for c in columns.values()} != {self._rows}:
                raise PoolError(f"the list of candidates {self.sha256[:16]} has other rows or columns than what refers to it says")
            self._columns = columns
        return self._columns

    @property
    def cells(self) -> int:
        """Rows times columns."""
        return self._rows * len(self.names)

    @property
    def inline(self) -> bool:
        """Whether it travels within its problem."""
        return self.cells <= MOST_INLINE

    def row(self, index: int) -> Point:
        """Return the setting at `index`."""
        return {name: column[index] for name, column in self.columns.items()}

    def take(self, rows: NDArray[Any]) -> Pool:
        """Return the pool of some of the rows."""
        return Pool({name: column.take(rows) for name, column in self.columns.items()})

    @cached_property
    def sha256(self) -> str:
        """Hash of the content [64 hexadecimal digits]."""
        digest = hashlib.sha256()
        for part in self.parts():
            digest.update(part)
        return digest.hexdigest()

    def parts(self) -> Iterator[bytes | memoryview]:
        """Yield the content, piece by piece."""
        import numpy as np

        described = [
            {"name": name, "kind": column.kind} | ({"choices": column.choices} if column.kind == "text" else {})
            for name, column in self.columns.items()
        ]
        header = json.dumps({"rows": len(self), "columns": described}, ensure_ascii=False, separators=(",", ":")).encode()
        yield from _filled(_MAGIC + len(header).to_bytes(8, "little") + header)
        for column in self.columns.values():
            yield from _filled(np.ascontiguousarray(column.data).view(np.uint8).data)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(
            cls._validated, serialization=core_schema.plain_serializer_function_ser_schema(cls._plain)
        )

    @classmethod
    def _validated(cls, content: Any, info: ValidationInfo) -> Pool:
        match content:
            case Pool():
                return content
            case {"columns": dict() as columns} if len(content) == 1 and columns:
                return cls(columns)
            case {"sha256": str() as sha256, "rows": int() as rows, "names": list() | tuple() as names} if len(content) == 3:
                return cls.referred(sha256, rows, names, (info.context or {}).get("pools"))
        raise ValueError("a pool is columns of values of equal lengths, or a reference by sha256, rows and names")

    def _plain(self) -> dict[str, Any]:
        if self.inline:
            return {"columns": {name: list(column) for name, column in self.columns.items()}}
        return {"sha256": self.sha256, "rows": len(self), "names": list(self.names)}


def columns_of(content: NDArray[np.uint8]) -> Columns:
    """Return the columns that a run of bytes holds, without copying it.

    Raises:
        ValueError: If it is no content of a pool.
    """
    head = len(_MAGIC) + 8
    if content[: len(_MAGIC)].tobytes() != _MAGIC:
        raise ValueError("it does not begin as the content of a pool does")
    length = int.from_bytes(content[len(_MAGIC) : head].tobytes(), "little")
    if not 0 < length <= min(_LONGEST_HEADER, len(content) - head):
        raise ValueError("its header is cut off")
    columns: Columns = {}
    try:
        header = json.loads(content[head : head + length].tobytes())
        rows, at = int(header["rows"]), _up(head + length)
        for column in header["columns"]:
            kind: Kind = column["kind"]
            width = int(_TYPES[kind][-1])
            data = content[at : at + rows * width].view(_TYPES[kind])
            if len(data) != rows:
                raise ValueError("a column is cut off")
            columns[str(column["name"])] = Column(kind, data, column.get("choices", ()))
            at = _up(at + rows * width)
    except (KeyError, TypeError) as error:
        raise ValueError(f"its header cannot be read ({error})") from None
    return columns


def _up(length: int) -> int:
    return -(-length // _ALIGNED) * _ALIGNED


def _filled(part: bytes | memoryview) -> Iterator[bytes | memoryview]:
    yield part
    if missing := _up(len(part)) - len(part):
        yield bytes(missing)
