from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main


def test_a_small_pool_goes_the_whole_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pyarrow")
    status = main(["pools", "--smoke", "--output", str(tmp_path / "pools.json")])
    found = json.loads((tmp_path / "pools.json").read_text(encoding="utf-8"))
    assert status in (0, 1)  # how long it takes is for the benchmark to judge, not for a busy machine
    assert found["rows"] == 110_000
    assert 0.0 < found["scored"]["ours"]["memory_mb"] < 500
    assert 0.0 < found["campaign"]["to the first proposal"] < found["campaign"]["everything"]
    assert "fit, score, choose a batch" in capsys.readouterr().out
