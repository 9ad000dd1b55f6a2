"""Every example is carried out from end to end, with fewer experiments, by the command that its head names."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from controller.domain.lab import PERSON
from controller.files.loading import load_campaign
from tests.examples.test_examples import EXAMPLES, FOLDERS, by_name, needs


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("folder", FOLDERS, ids=by_name)
def test_example_runs_to_its_end(folder: Path, tmp_path: Path) -> None:
    needs(folder)
    people = {i.driver for i in load_campaign(folder / "campaign.yaml").lab.instruments.values()} & {PERSON}
    if folder.name == "by_hand":
        pytest.skip("its plans are filled in by docs/how-to/people.md, which is run")
    home = tmp_path / folder.name
    shutil.copytree(folder, home, ignore=shutil.ignore_patterns("__pycache__"))
    campaign = home / "campaign.yaml"
    # Fidelities begin with the cheap one, and the best is told of the target alone.
    wanted = 7 if "\nfidelity:" in campaign.read_text(encoding="utf-8") else 4
    text, n = re.subn(r"experiments: \d+", f"experiments: {wanted}", campaign.read_text(encoding="utf-8"))
    assert n == 1
    campaign.write_text(text, encoding="utf-8")
    store = f"sqlite:///{tmp_path / 'store' / 'labwright.db'}"
    done = subprocess.run(
        [sys.executable, "-m", "controller", "run", str(campaign), "--store", store, "--json",
         *(["--simulate", "--speed", "10000"] if people else [])],
        cwd=EXAMPLES.parent, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["status"] == "completed"
    assert {status: count for status, count in told["counts"].items() if count} == {"completed": wanted}
    assert told["best"]
