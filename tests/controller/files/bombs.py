"""Files made to be costly, and what reads them; each is written when it is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from controller.domain.constraint import parse_constraint
from controller.files.checking import check_file
from controller.files.faults import Faults
from controller.files.tables import read_table
from instruments.units import check_unit
from simulators.devices import tabledata
from tests.controller.files.conftest import GOOD_CAMPAIGN, GOOD_LAB

check_unit("furlong")  # imports what checks units

MANY = 1_000_000
MIB = 2**20
_UNTIL_PARAMETERS = GOOD_CAMPAIGN.partition("parameters:")[0]


def _laugh(i: int) -> bytes:
    return b"k%d: &k%d [%s]\n" % (i, i, b",".join([b"*k%d" % (i - 1)] * 9))


def _parameter(kind: str, entries: str, values: Iterable[object]) -> bytes:
    return f"campaign: a\nparameters: {{a: {{type: {kind}, {entries}: [{', '.join(map(str, values))}]}}}}".encode()


def _joined(parts: Iterable[str]) -> bytes:
    return ",".join(parts).encode()


def _constrained(*constraints: str) -> bytes:
    """Return the good campaign with other constraints."""
    before, _, after = GOOD_CAMPAIGN.partition("constraints:")
    return f"{before}constraints: [{', '.join(map(repr, constraints))}]\nobjectives:{after.partition('objectives:')[2]}".encode()


_WHOLE = b"{type: integer, bounds: [-1000000000, 1000000000]}"

FILES: dict[str, Callable[[], bytes]] = {
    "laughs": lambda: b"k0: &k0 [x,x]\n" + b"".join(map(_laugh, range(1, 40))),
    "long aliases": lambda: b'k0: &k0 "' + b"x" * MIB + b'"\nk1: [' + b",".join([b"*k0"] * 40_000) + b"]\n",
    "alias of itself": lambda: b"a: &a {b: *a, c: *a}\n",
    "deep lists": lambda: b"a: " + b"[" * MIB,
    "deep mappings": lambda: b"{a: " * 500_000,
    "deep blocks": lambda: b"".join(b" " * i + b"a:\n" for i in range(2000)),
    "dashes": lambda: b"- " * MIB,
    "questions": lambda: b"? " * MIB,
    "json deep": lambda: b'{"a":' * 300_000,
    "keys": lambda: b"".join(b"k%d: 1\n" % i for i in range(300_000)),
    "json keys": lambda: b"{" + _joined(f'"k{i}": 1' for i in range(200_000)) + b"}",
    "a million keys": lambda: b"".join(b"k%d: 1\n" % i for i in range(MANY)),
    "same keys": lambda: b"campaign: a\n" * 300_000,
    "nulls": lambda: b"a: [" + b"," * MIB + b"]\n",
    "unknown keys": lambda: _UNTIL_PARAMETERS.encode() + b"".join(b"budgetx%d: 1\n" % i for i in range(20_000)),
    "long key": lambda: b"x" * MIB + b": 1\n",
    "long text": lambda: b"campaign: " + b"x" * MIB + b"\n",
    "long number": lambda: b"campaign: a\nseed: " + b"9" * MIB + b"\n",
    "long hexadecimal": lambda: b"campaign: a\nseed: 0x" + b"f" * MIB + b"\n",
    "long float": lambda: b"campaign: a\nseed: 1." + b"9" * MIB + b"e99999999999\n",
    "long time": lambda: b"campaign: a\nseed: " + b"1:" * (MIB // 2) + b"1\n",
    "long tag": lambda: b"campaign: !" + b"x" * MIB + b" 1\n",
    "long anchor": lambda: b"campaign: &" + b"x" * MIB + b" 1\n",
    "long quote": lambda: b'campaign: "' + b"\\\\n" * (MIB // 2),
    "comments": lambda: b"#\n" * (2 * MIB - 10),
    "blank lines": lambda: b"\n" * (4 * MIB - 10),
    "spaces": lambda: b"a:" + b" " * (4 * MIB - 10),
    "documents": lambda: b"---\n" * MIB,
    "directives": lambda: b"%YAML 1.2\n" * 300_000,
    "zeros": lambda: bytes(4 * MIB),
    "utf-16": lambda: GOOD_CAMPAIGN.encode("utf-16"),
    "utf-32": lambda: GOOD_CAMPAIGN.encode("utf-32"),
    "latin-1": lambda: (GOOD_CAMPAIGN + "description: é\n").encode("latin-1"),
    "escape": lambda: b"campaign: a\x1b[2J\n",
    "zero in a text": lambda: b'campaign: "a\\0b"\n',
    "lone surrogate": lambda: b'campaign: "a\\ud800b"\n',
    "five gigabytes of nothing": lambda: b"",  # made sparse, see `write`
    "values": lambda: _parameter("discrete", "values", [*range(45_000), 0]),
    "repeated values": lambda: _parameter("discrete", "values", [1] * 45_000),
    "repeated choices": lambda: _parameter("categorical", "choices", ["a"] * 45_000),
    "wrong values": lambda: _parameter("discrete", "values", ["x"] * 45_000),
    "parameters": lambda: b"campaign: a\nparameters:\n" + b"".join(b"  p%d: {type: x}\n" % i for i in range(12_000)),
    "steps": lambda: GOOD_LAB.partition("protocol:")[0].encode() + b"protocol:\n"
    + b"".join(b"  - {step: s%d, instrument: nowhere, action: x}\n" % i for i in range(6_000)),
    "constraints": lambda: _constrained(*(f"a{i} <= 1" for i in range(40_000))),
    "thousand constraints": lambda: _constrained(*(" + ".join(["t"] * 200) + f" <= {i}" for i in range(1000))),
    "deep constraint": lambda: _constrained("(" * 3000 + "t" + ")" * 3000 + " <= 1"),
    "long constraint": lambda: _constrained("t + " * 500_000 + "t <= 1"),
    "power of powers": lambda: _constrained("9**9**9**9 * t <= 1"),
    "large space": lambda: b"campaign: a\nparameters:\n" + b"".join(b"  p%d: %s\n" % (i, _WHOLE) for i in range(1000)),
    "costly unit": lambda: b"campaign: a\nparameters: {t: {type: continuous, bounds: [0, 1], unit: m**9**9**9}}\n",
    "long unit": lambda: b"campaign: a\nparameters: {t: {type: continuous, bounds: [0, 1], unit: " + b"m*" * MIB + b"m}}\n",
}  # fmt: skip
"""Name -> content of a file that is no good campaign."""

TABLES: dict[str, Callable[[], bytes]] = {
    "columns": lambda: b",".join(b"c%d" % i for i in range(MANY)) + b"\n" + b"1," * MANY + b"\n",
    "same columns": lambda: b"c," * 9_000 + b"c\n" + b"1," * 9_000 + b"1\n",
    "commas": lambda: b"," * (60 * MIB),
    "endless line": lambda: b"a" * (60 * MIB),
    "endless cell": lambda: b'a,b\n1,"' + b"x" * (60 * MIB),
    "quote that never closes": lambda: b'a,b\n1,"2\n' + b"3,4\n" * (10 * MIB),
    "quotes": lambda: b'a,b\n"' * (10 * MIB),
    "rows": lambda: b"a,b\n" + b"1,2\n" * (12 * MIB),
    "empty rows": lambda: b"a,b\n" + b"\n" * (60 * MIB),
    "zeros": lambda: bytes(60 * MIB),
    "unusual character": lambda: "😀".encode() + b"," * (60 * MIB),
    "too large": lambda: b"a,b\n" + b"1,2\n" * (20 * MIB),
    "utf-16": lambda: "a,b\n1,2\n".encode("utf-16"),
    "mixed": lambda: b"a,b\n1,\xe9\n2,\xc3\xa9\n",
    "semicolons": lambda: b"a;b\n1;2\n",
    "ragged": lambda: b"a,b\n" + b"1,2\n" * 10 + b"1,2,3\n",
    "zero in a cell": lambda: b"a,b\n1,\x002\n",
    "not numbers": lambda: b"a,b\n" + b"nan,inf\n-inf,1e999\n" * 200_000,
    "header alone": lambda: b"a,b\n",
}  # fmt: skip
"""Name -> content of a file that is no good table."""

MOST_ROWS = b"a,b\n" + b"1,2\n" * 999_990
"""The largest good table."""
SPARSE = 5 * 2**30


def write(path: Path, make: Callable[[], bytes]) -> None:
    """Write a file; one without content becomes a sparse one that looks five gigabytes large."""
    content = make()
    path.write_bytes(content)
    if not content:
        with path.open("r+b") as file:
            file.truncate(SPARSE)


def check(path: Path) -> list[str]:
    """Return the faults of a campaign file."""
    return check_file(path)


def read_largest(path: Path) -> list[str]:
    """Read the largest good table in both ways; return how many rows there were."""
    path.write_bytes(MOST_ROWS)
    table = read_table(path, Faults())
    measured = tabledata.read_table(path, {"a": tabledata.Column("a", "number")}, {"b": "b"})
    return [str(0 if table is None else len(table.rows)), str(len(measured.replicates({"a": 1.0})))]


def read(path: Path) -> list[str]:
    """Return the faults of a table, as a campaign file's reader finds them."""
    faults = Faults()
    try:
        read_table(path, faults)
    except ValueError as error:
        return [str(error)]
    return faults.lines()


def read_measured(path: Path) -> list[str]:
    """Return the fault of a table, as a simulated lab finds it."""
    try:
        tabledata.read_table(path, {"a": tabledata.Column("a", "number")}, {"b": "b"})
    except ValueError as error:
        return [str(error)]
    return []


def parse(text: str) -> list[str]:
    """Return the fault of a constraint."""
    try:
        parse_constraint(text)
    except ValueError as error:
        return [str(error)]
    return []
