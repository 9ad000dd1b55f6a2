"""One campaign with its store, its folder, its controller and its drivers, all of them real processes that may be killed."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from controller.store.reading import open_reader
from tests.chaos.labwright import REAL
from tests.chaos.proxy import StormyProxy

ROOT = Path(__file__).parents[2]
DEVICES = Path(__file__).with_name("devices.py")
EXIT_STORE = 5
"""Exit code of a controller that could not open its store."""
CAMPAIGN = "chaos"


def write_files(
    folder: Path, *, experiments: int, seed: int, batch: int = 4, mill_seconds: float = 0.4, mill: Path = DEVICES
) -> None:
    """Write a campaign of one bench: react (remembered), cut (forgotten), weigh (repeatable); `mill` is the mill's driver file."""
    (folder / "lab.yaml").write_text(
        f"""lab: chaos
instruments:
  reactor: {{driver: "{DEVICES}:Reactor", options: {{seconds: 0.2}}}}
  mill: {{driver: "{mill}:Mill", options: {{seconds: {mill_seconds}}}}}
  scale: {{driver: "{DEVICES}:Scale", options: {{seconds: 0.1}}}}
protocol:
  - {{step: react, instrument: reactor, action: react, with: {{x: $x}}}}
  - {{step: cut, instrument: mill, action: cut, after: [react], with: {{depth: $y}}}}
  - {{step: weigh, instrument: scale, action: weigh, after: [cut], with: {{x: $x, y: $y}}, gives: {{weight: weight}}}}
""",
        encoding="utf-8",
    )
    # Space-filling points, many at once: what is tried here is the books, not the model.
    (folder / "campaign.yaml").write_text(
        f"""campaign: {CAMPAIGN}
parameters:
  x: {{type: continuous, bounds: [0, 1]}}
  y: {{type: continuous, bounds: [0, 1]}}
objectives:
  weight: {{goal: maximize}}
budget: {{experiments: {experiments}}}
batch: {batch}
seed: {seed}
proposals: {{first_points: {experiments}, ahead: 100}}
failures: {{attempts: 20, pause_after: 1000}}
lab: lab.yaml
""",
        encoding="utf-8",
    )


@dataclass
class Bench:
    """Everything of one campaign. Nothing of it is left behind after `close`."""

    folder: Path
    store: str
    """URL of the store."""
    experiments: int
    proxy: StormyProxy = field(init=False)
    process: subprocess.Popen[bytes] | None = None
    n_starts: int = 0

    def __post_init__(self) -> None:
        self.proxy = StormyProxy(lambda: next(self.folder.glob(f"**/labs/chaos/{REAL}"), None))

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "LABWRIGHT_HOME": str(self.folder / "home"),
            "LABWRIGHT_STORE": self.store,  # not on the command line: it holds a password
            "CHAOS_PROXY": self.proxy.address,
            "CHAOS_CLOCKS": str(self.folder / "clocks"),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT),
        }

    def start(self) -> None:
        """Start the controller: `labwright run`, its output in `run.log`."""
        self.n_starts += 1
        with (self.folder / "run.log").open("ab") as log:
            log.write(f"--- start {self.n_starts}\n".encode())
            log.flush()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.labwright", "run", str(self.folder / "campaign.yaml"), "--json"],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True, cwd=ROOT, env=self.environment,
            )  # fmt: skip

    def ask(self, *words: str) -> object:
        """Run a command with `--json` on this store and return what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "controller", *words, "--json"],
            capture_output=True, text=True, timeout=120, check=False, cwd=ROOT, env=self.environment,
        )  # fmt: skip
        assert done.returncode in (0, 1), f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)

    def lab_folder(self) -> Path | None:
        return next(self.folder.glob("**/labs/chaos"), None)

    def device_logs(self) -> list[Path]:
        return sorted(self.folder.glob("**/labs/chaos/*/device.jsonl"))

    def n_begun(self) -> int:
        """Return how much the devices have written down: the storm's sense of progress."""
        return sum(path.stat().st_size for path in self.device_logs())

    def drivers(self) -> list[psutil.Process]:
        """Return the driver processes of this bench, and of no other."""
        return list(self._mine(b"instruments"))

    def proposers(self) -> list[psutil.Process]:
        """Return the proposer processes of the controller."""
        if self.process is None:
            return []
        with contextlib.suppress(psutil.Error):
            return psutil.Process(self.process.pid).children()
        return []

    def _mine(self, word: bytes) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            try:
                words = process.cmdline()
            except psutil.Error:
                continue
            if word.decode() in words and any(str(self.folder) in w for w in words):
                yield process

    def attempts(self) -> list[dict[str, Any]]:
        """Return what the store holds of each attempt."""
        with closing(open_reader(self.store)) as reader:
            return reader.attempts(CAMPAIGN)

    def statuses(self, step: str) -> Counter[str]:
        """Count the attempts of a step by status."""
        return Counter(a["status"] for a in self.attempts() if a["step"] == step)

    def set_clock(self, of: str, offset_s: float) -> None:
        """Let the wall clock of the `controller` or of the `drivers` be so far off [s] from now on."""
        folder = self.folder / "clocks"
        folder.mkdir(exist_ok=True)
        draft = folder / f".{of}"
        draft.write_text(repr(offset_s), encoding="utf-8")
        draft.replace(folder / of)

    def logs(self) -> str:
        """Return the last words of everybody."""
        texts = []
        for path in (self.folder / "run.log", *self.folder.glob("**/*.log")):
            if path.exists():
                texts.append(f"--- {path.name}\n{path.read_text(encoding='utf-8', errors='replace')[-3000:]}")
        return "\n".join(texts)

    def close(self) -> None:
        """Leave no process behind."""
        found = [] if self.process is None or self.process.poll() is not None else self.proposers()
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            self.process.wait()
        for process in [*found, *self.drivers()]:
            with contextlib.suppress(psutil.Error):
                process.kill()
        self.proxy.close()
