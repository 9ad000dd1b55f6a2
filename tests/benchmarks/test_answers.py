"""The benchmark of answers over HTTP, small."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from controller.settings import HOME_VARIABLE


def test_every_answer_is_asked_for_and_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    output = tmp_path / "answers.json"
    assert main(["answers", "--smoke", "--output", str(output)]) == 0
    written = json.loads(output.read_text())
    answers = written["answers"]
    assert {"/v1/campaigns", "/v1/campaigns/large", "/v1/campaigns/large/figures/progress", "/v1/instruments", "/v1/metrics",
            "/v1/campaigns/large/experiments/30", "/v1/campaigns/large/audit"} <= answers.keys()  # fmt: skip
    assert all(row["changed_s"] > 0.0 for row in answers.values())
    assert {row["status"] for path, row in answers.items() if not path.endswith(("/front", "/health", "/plan"))} == {200}
    assert written["telling_s_per_minute"] >= 0.0
