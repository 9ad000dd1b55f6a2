"""The benchmark of the live page, small."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from controller.settings import HOME_VARIABLE


def test_page_is_measured_with_viewers_who_see_every_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    output = tmp_path / "page.json"
    assert main(["page", "--smoke", "--output", str(output)]) == 0
    written = json.loads(output.read_text())
    assert (written["viewers"], written["changes"], written["shown"]) == (2, 2, 4)
    assert 0.0 < written["cpu_s_per_update"] < 5.0
