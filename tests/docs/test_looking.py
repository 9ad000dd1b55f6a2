"""`make docs-test`: the page on looking from the terminal is followed, block by block, on a campaign that meets a failure."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from controller.settings import normalise_url
from controller.store.reading import open_reader
from tests.docs.pages import ROOT, blocks, write_files

PAGE = ROOT / "docs" / "how-to" / "look-from-the-terminal.md"
PATIENCE_S = 90.0
TOLD = {
    "campaign show": ("SIMULATED DATA", "of 60 experiments", "labwright campaign watch snar", "labwright experiment show snar"),
    "campaign why": ("Proposed by the model", "expected"),
    "campaign calibration": ("inside 90 %", "verdict", "space_time_yield"),
    "experiment show": ("What went wrong", "simulated fault", "labwright experiment retry snar 1", "What happened"),
    "experiment retry": ("queued",),
    "campaign stop": ("snar: ",),
}
"""What a person must find there."""


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("LABWRIGHT_DOCS"), reason="takes a minute: make docs-test")
@pytest.mark.timeout(400)
def test_a_person_finds_all_that_the_page_promises(tmp_path: Path) -> None:
    write_files(PAGE, tmp_path)
    shim = tmp_path / "bin" / "labwright"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} -m controller "$@"\n')
    shim.chmod(0o755)
    environment = {
        **os.environ, "PATH": f"{shim.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1",
        "LABWRIGHT_HOME": str(tmp_path / "home"), "LABWRIGHT_STORE": "",
    }  # fmt: skip
    environment.pop("LABWRIGHT_STORE")
    (background,) = (b.text for b in blocks(PAGE) if b.mark == "background")
    with (tmp_path / "run.log").open("wb") as log:
        # exec: the campaign itself is what is ended if something goes wrong.
        running = subprocess.Popen(
            ["bash", "-c", f"exec {background.strip()}"], cwd=tmp_path, env=environment, stdout=log, stderr=log
        )
    try:
        wait_for_a_model_and_a_failure(tmp_path / "flow.db", running, tmp_path / "run.log")
        script = "\n".join(f"{line}\necho '=== end'" for line in lines())
        done = subprocess.run(
            ["bash", "-e", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr
        answers = dict(zip(lines(), done.stdout.split("=== end\n"), strict=False))
        for command, texts in TOLD.items():
            answer = next(text for line, text in answers.items() if f"labwright {command}" in line)
            for text in texts:
                assert text in answer, f"{command} does not say {text!r}:\n{answer}"
        assert running.wait(timeout=PATIENCE_S) == 0, (tmp_path / "run.log").read_text()
        assert b"stopped by" in (tmp_path / "run.log").read_bytes()
    finally:
        if running.poll() is None:
            running.terminate()
            running.wait(timeout=PATIENCE_S)


def lines() -> list[str]:
    return [line for b in blocks(PAGE) if b.mark == "run" for line in b.text.splitlines() if line.strip()]


def wait_for_a_model_and_a_failure(store: Path, running: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    with open_reader(normalise_url(str(store))) as reader:
        while True:
            assert running.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            rows = reader.experiments("snar") if reader.campaign_rows() else []
            if any(r["status"] == "failed" for r in rows) and any(r["source"] == "model" and r["objectives"] for r in rows):
                return
            time.sleep(0.2)
