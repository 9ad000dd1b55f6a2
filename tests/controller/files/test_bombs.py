"""Files made to be costly: each is refused in clear lines, within bounded time and memory, measured in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.controller.files import bombs
from tests.limits import Cost, under_limits

pytestmark = pytest.mark.timeout(120)


def refused(cost: Cost, path: Path | None) -> None:
    """Assert that something was refused at a bounded price: few lines, none of them long, the first with place and remedy."""
    assert isinstance(cost.told, list), repr(cost.told)[:500]
    assert 1 <= len(cost.told) <= 201
    for line in cost.told:
        assert line.isprintable(), line[:200]
        assert len(line) <= 1000
        if path is not None and not line.startswith("and "):
            assert line.startswith(str(path)), line[:200]
    assert cost.seconds < 15.0, f"{cost.seconds:.1f} s"  # a few seconds by itself; other tests run beside it
    assert cost.mebibytes < 800.0, f"{cost.mebibytes:.0f} MiB"


@pytest.mark.parametrize("name", bombs.FILES)
def test_file_made_to_be_costly_is_refused_in_bounded_time_and_memory(name: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    bombs.write(path, bombs.FILES[name])
    cost = under_limits(bombs.check, path)
    refused(cost, path)


@pytest.mark.parametrize("name", bombs.TABLES)
def test_table_made_to_be_costly_is_refused_in_bounded_time_and_memory(name: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    bombs.write(path, bombs.TABLES[name])
    for reader in (bombs.read, bombs.read_measured):
        if (name, reader) != ("not numbers", bombs.read):  # which cells must be numbers, its readers say
            refused(under_limits(reader, path), None)


def test_largest_table_is_read_in_bounded_time_and_memory(tmp_path: Path) -> None:
    cost = under_limits(bombs.read_largest, tmp_path / "t.csv")
    assert cost.told == ["999990", "999990"]
    assert cost.seconds < 30.0
    assert cost.mebibytes < 1500.0


CONSTRAINTS = {
    "brackets": "(" * 1990 + "a" + ")" * 1990 + " <= 1",
    "minus": "-" * 3990 + "a <= 1",
    "sum": "a" + "+a" * 1990 + " <= 1",
    "products": "a" + "*2" * 1990 + " <= 1",
    "quotients": "a" + "/2" * 1990 + " <= 1",
    "digits": "9" * 3990 + "*a <= 1",
    "power": "9**9**9**9*a <= 1",
    "comparisons": "a" + "<=1" * 1300,
    "names": " + ".join(f"{c}{i}" for i in range(100) for c in "abcdef") + " <= 1",
    "long": "a + " * 1_000_000 + "a <= 1",
    "zero": "a\0b <= 1",
    "unicode": "ａ <= 1",
    "code": "__import__('os').system('true') <= 1",
    "subscript": "a[0] <= 1",
    "call": "abs(a) <= 1",
    "not": "a <= nan",
    "infinite": "1e999 * a <= 1",
}


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_constraint_made_to_be_costly_is_refused_in_bounded_time_and_memory(name: str) -> None:
    cost = under_limits(bombs.parse, CONSTRAINTS[name], seconds=10)
    assert isinstance(cost.told, list), repr(cost.told)[:500]
    assert all(text.isprintable() for text in cost.told)
    assert cost.told or name in ("quotients", "not"), cost.told
    assert cost.seconds < 3.0
    assert cost.mebibytes < 200.0
