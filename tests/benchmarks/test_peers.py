from __future__ import annotations

import json
import logging
import sys
import warnings
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.peers import first_hit, merged
from benchmarks.tables import shared_folder


def test_a_campaign_reaches_its_target_once() -> None:
    assert first_hit([1.0, 3.0, 2.0, 4.0], 2.0) == 2
    assert first_hit([1.0, 1.5], 2.0) is None


def test_what_was_measured_again_counts() -> None:
    recorded = [{"tool": "ax", "problem": "p", "seeds": {"0": {"hit": 4}, "1": {"hit": 5}}, "q": 1}]
    again = [
        {"tool": "ax", "problem": "p", "seeds": {"1": {"hit": None}, "2": {"hit": 7}}},
        {"tool": "baybe", "problem": "p", "seeds": {"0": {"hit": 3}}},
    ]
    ax, baybe = merged(recorded, again)
    assert ax["seeds"] == {"0": {"hit": 4}, "1": {"hit": None}, "2": {"hit": 7}}
    assert baybe["seeds"] == {"0": {"hit": 3}}
    assert recorded[0]["seeds"]["1"] == {"hit": 5}  # what was recorded stays as it is


def test_an_interrupted_run_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        shared = shared_folder()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    pytest.importorskip("pandas")
    before = logging.root.manager.disable, list(sys.path), list(warnings.filters)
    output = tmp_path / "peers.json"
    arguments = ["peers", "--tools", "random", "--problems", "benzylation_flow", "--output", str(output)]
    assert main([*arguments, "--seeds", "0-1"]) == 0
    (row,) = json.loads(output.read_text())["peers"]
    # Random choice needs no library: its hits are those that were recorded.
    recorded = json.loads((shared / "bench" / "peers.json").read_text())
    (old,) = [r for r in recorded if (r["tool"], r["problem"]) == ("random", "benzylation_flow")]
    assert row["seeds"] == {seed: {"hit": old["seeds"][seed]["hit"]} for seed in ("0", "1")}
    capsys.readouterr()
    assert main([*arguments, "--seeds", "0-2"]) == 0
    assert capsys.readouterr().err.count("seed") == 1  # only the third one ran
    # The harness silences its process and puts itself on the path, which nobody else here shall notice.
    assert (logging.root.manager.disable, list(sys.path), list(warnings.filters)) == before


def test_without_the_harness_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LABWRIGHT_SHARED", str(tmp_path))
    assert main(["peers", "--output", str(tmp_path / "peers.json")]) == 2
    assert "LABWRIGHT_SHARED" in capsys.readouterr().err
    assert not (tmp_path / "peers.json").exists()
