"""Notes, logs and journals made to be costly, or simply broken: each is passed over or refused in one line, at a bounded price."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.instruments import bombs
from tests.limits import under_limits

pytestmark = pytest.mark.timeout(120)


@pytest.mark.parametrize("name", bombs.CONTENTS)
def test_note_made_to_be_costly_is_refused_or_passed_over(name: str, tmp_path: Path) -> None:
    cost = under_limits(bombs.read_everything, tmp_path, name)
    assert isinstance(cost.told, list), repr(cost.told)[:500]
    for line in cost.told:
        assert len(line) < 1000, line[:300]
        assert "\n" not in line.rstrip(), line
    assert any(line.startswith("daemon: {'running': False, 'pid': None") for line in cost.told)
    assert any(line.startswith("watch: {'watch': None") for line in cost.told), "a number that means all processes, or none"
    refused = [line.partition(":")[0] for line in cost.told if "Error: " in line]
    assert {"key pair", "public key", "journal", "own journal"} <= set(refused), cost.told
    assert cost.seconds < 10.0
    assert cost.mebibytes < 300.0


CELLS = {
    "empty": "", "lists": "[" * 100_000, "mappings": '{"a":' * 50_000, "digits": "9" * 5000, "text": '"' + "x" * 2_000_000 + '"',
    "nan": "NaN", "zero": "\x00", "number": "5", "list": '["a"]', "outcome": '{"kind": "succeeded"}',
}  # fmt: skip


@pytest.mark.parametrize("name", CELLS)
def test_cell_of_a_journal_made_to_be_costly_is_told_in_one_line(name: str, tmp_path: Path) -> None:
    cost = under_limits(bombs.read_journals, tmp_path, CELLS[name])
    assert isinstance(cost.told, list), repr(cost.told)[:500]
    assert all(len(line) < 1500 for line in cost.told)
    assert cost.seconds < 5.0
    assert cost.mebibytes < 300.0
