"""The benchmark of commands that look, small."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.__main__ import main


def test_looking_makes_a_store_and_times_the_commands(tmp_path: Path) -> None:
    output, store = tmp_path / "looking.json", tmp_path / "full.db"
    assert main(["looking", "--smoke", "--store", str(store), "--output", str(output)]) == 0
    written = json.loads(output.read_text())
    assert {"campaign show", "campaign list", "experiment show"} <= written["commands"].keys()
    assert written["commands"]["campaign show"]["cpu_s"] > written["commands"]["import typer, rich"]["cpu_s"]
    assert (written["experiments"], written["campaigns"]) == (60, 3)
