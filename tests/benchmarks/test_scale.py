from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.scale import at, exponent


def test_every_axis_is_measured_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    status = main(["scale", "--smoke", "--output", str(tmp_path / "scale.json"), "--picture", str(tmp_path / "scale.png")])
    found = json.loads((tmp_path / "scale.json").read_text(encoding="utf-8"))
    assert status in (0, 1)  # how fast it grows is for the benchmark to judge, not for two small points
    assert found["commit"]
    assert list(found["axes"]) == ["observations", "parameters", "batch", "members", "wide"]
    for entry in found["axes"].values():
        assert len(entry["medians"]) == len(entry["sizes"]) == 2
        assert min(entry["medians"]) > 0.0
    assert (tmp_path / "scale.png").read_bytes().startswith(b"\x89PNG")
    assert "exponent" in capsys.readouterr().out


def test_an_exponent_is_a_slope() -> None:
    assert exponent([(1, 2.0), (10, 200.0), (100, 20_000.0)]) == pytest.approx(2.0)


def test_the_wide_axis_has_a_hundred_parameters() -> None:
    assert at("wide", 50) == {"observations": 50, "parameters": 100, "batch": 1, "members": 0}
    assert at("batch", 3) == {"observations": 100, "parameters": 6, "batch": 3, "members": 0}


def test_an_unknown_axis_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scale", "--axes", "observations,colours"]) == 2
    assert "colours: expected some of observations, parameters, batch, members, wide" in capsys.readouterr().err
