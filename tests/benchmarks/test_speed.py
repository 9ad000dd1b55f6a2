from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main


def test_both_tools_are_measured_in_processes_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["speed", "--smoke", "--output", str(tmp_path / "speed.json")])
    (row,) = json.loads((tmp_path / "speed.json").read_text(encoding="utf-8"))["rows"]
    assert status in (0, 1)  # how long it takes is for the benchmark to judge, not for a busy machine
    assert row["observations"] == 10
    assert row["medians"].keys() == {"ours", "botorch"}
    assert min(row["medians"].values()) > 0.0
    assert "share" in capsys.readouterr().out


def test_a_tool_that_is_unknown_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["speed", "--peers", "nobody"]) == 2
    assert "nobody: expected baybe or ax" in capsys.readouterr().err
