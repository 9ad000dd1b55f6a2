"""Real processes for the tests: a campaign file, `labwright run` as a child, and what the simulated instrument wrote down."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LABWRIGHT = [sys.executable, "-m", "controller"]


def write_table(folder: Path, rows: int = 12) -> Path:
    """Write a made-up table over two numbers and a category, and return its path."""
    lines = ["a,b,c,y"]
    for i in range(rows):
        for j in range(rows):
            for k, shift in (("left", 0.2), ("right", 0.7)):
                a, b = i / (rows - 1), j / (rows - 1)
                lines.append(f"{a:.6f},{b:.6f},{k},{10 - (a - shift) ** 2 * 20 - (b - 0.4) ** 2 * 10:.6f}")
    path = folder / "table.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_campaign(
    folder: Path, *, experiments: int = 40, batch: int = 1, duration: str = "0 s", name: str = "test", extra: str = ""
) -> Path:
    """Write a campaign over `write_table`'s table and return its path."""
    write_table(folder)
    path = folder / "campaign.yaml"
    path.write_text(
        f"""campaign: {name}
parameters:
  a: {{type: continuous, bounds: [0, 1]}}
  b: {{type: continuous, bounds: [0, 1]}}
  c: {{type: categorical, choices: [left, right]}}
objectives:
  y: {{goal: maximize}}
budget: {{experiments: {experiments}}}
batch: {batch}
lab: {{simulator: table, data: table.csv, duration: {duration}}}
{extra}""",
        encoding="utf-8",
    )
    return path


def write_press_campaign(path: Path, *, experiments: int, more: str = "") -> None:
    """Write a campaign over the force of a press; the lab, `lab.yaml` beside it, is each test's own."""
    path.write_text(
        f"""campaign: test
parameters:
  force: {{type: continuous, bounds: [1, 10], unit: kN}}
objectives:
  height: {{goal: minimize, unit: mm}}
budget: {{experiments: {experiments}}}
lab: lab.yaml
{more}""",
        encoding="utf-8",
    )


@dataclass
class Bench:
    """One campaign with its store in a folder of its own."""

    folder: Path
    campaign: Path

    @property
    def store(self) -> Path:
        return self.folder / "store.db"

    def start(self, *extra: str) -> subprocess.Popen[bytes]:
        """Start `labwright run` in a session of its own, its output in `run.log`."""
        with (self.folder / "run.log").open("ab") as log:
            return subprocess.Popen(
                [*LABWRIGHT, "run", str(self.campaign), "--store", str(self.store), "--json", *extra],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )  # fmt: skip

    def run(self, *extra: str, timeout: float = 300.0) -> dict[str, Any]:
        """Run to the end and return the summary."""
        done = subprocess.run(
            [*LABWRIGHT, "run", str(self.campaign), "--store", str(self.store), "--json", *extra],
            capture_output=True, text=True, timeout=timeout, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}\n{self.logs()}"
        return dict(json.loads(done.stdout.strip().splitlines()[-1]))

    def ask(self, *words: str, code: int = 0) -> Any:
        """Run a command with `--json` on this store and return what it prints."""
        done = subprocess.run(
            [*LABWRIGHT, *words, "--store", str(self.store), "--json"],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)

    def device_logs(self) -> list[Path]:
        return sorted(self.folder.glob("store.files/labs/*/*/device.jsonl"))

    def carried_out(self) -> Counter[str]:
        """Return how often each attempt was really begun, from the simulated instruments' own logs."""
        began: Counter[str] = Counter()
        for log in self.device_logs():
            for line in log.read_text(encoding="utf-8").splitlines():
                entry = json.loads(line)
                if entry.get("event") == "began":
                    began[entry["attempt"]] += 1
        return began

    def driver_pids(self) -> list[int]:
        found = []
        for path in self.folder.glob("store.files/labs/*/*/driver.pid"):
            pid = int(path.read_text(encoding="utf-8") or 0)
            if pid and _is_driver(pid):
                found.append(pid)
        return found

    def kill_everything(self) -> None:
        """Leave no process behind."""
        for pid in self.driver_pids():
            _kill(pid)

    def logs(self) -> str:
        texts = []
        for path in (self.folder / "run.log", *self.folder.glob("store.files/**/*.log")):
            if path.exists():
                texts.append(f"--- {path.name}\n{path.read_text(encoding='utf-8', errors='replace')[-3000:]}")
        return "\n".join(texts)


def _is_driver(pid: int) -> bool:
    try:
        return b"instruments" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def wait_until(condition: Any, timeout: float, what: str) -> None:
    """Poll until `condition()` holds.

    Raises:
        AssertionError: If it does not within `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError(f"{what} did not happen within {timeout:g} s")
