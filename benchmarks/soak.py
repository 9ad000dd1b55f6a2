"""A simulated lab of three instruments with failures, for as long as asked, many times faster than a real one.

It answers three questions: does memory grow, does an experiment get stuck, does an instrument stand idle for want of a proposal?
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import tempfile
import time
from pathlib import Path

import psutil

from controller.daemon import RunOptions, run_campaign
from controller.engine.snapshot import Snapshot
from controller.files.loading import load_campaign

SAMPLE_S = 10.0

_SAMPLE = "residence_time: $residence_time, " + ", ".join(
    f"{species}: $react.{species}" for species in ("substrate", "amine", "ortho", "para", "bis")
)
LAB = """lab: soak
speed: SPEED
instruments:
  reactor:
    driver: simulated-reactor
    options: {seed: 1, faults: {fail: 0.02, slow: {probability: 0.02, factor: 1.4}}}
  hplc: {driver: simulated-hplc, options: {seed: 2, noise: 0.02, faults: {fail: 0.03, nan: 0.01}}}
  second_hplc: {driver: simulated-hplc, options: {seed: 3, noise: 0.02, faults: {fail: 0.02}}}
protocol:
  - step: react
    instrument: reactor
    action: run
    with:
      temperature: $temperature
      residence_time: $residence_time
      equivalents: $equivalents
      concentration: $concentration
  - {step: assay, instrument: hplc, action: measure, with: {SAMPLE}, gives: {space_time_yield: space_time_yield}}
  - {step: check, instrument: second_hplc, action: measure, with: {SAMPLE}, gives: {e_factor: e_factor}}
""".replace("SAMPLE", _SAMPLE)

CAMPAIGN = """campaign: soak
parameters:
  temperature: {type: continuous, bounds: [30, 120], unit: degC}
  residence_time: {type: continuous, bounds: [0.5, 2], unit: min}
  equivalents: {type: continuous, bounds: [1, 5]}
  concentration: {type: continuous, bounds: [0.1, 0.5], unit: mol/L}
objectives:
  space_time_yield: {goal: maximize, unit: kg/m**3/h}
  e_factor: {goal: minimize}
budget: {experiments: 1000000}
batch: 3
proposals: {ahead: 3, patience: 0.2}
failures: {pause_after: 1000}
lab: lab.yaml
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--minutes", type=float, default=60.0, help="real time; lab time is SPEED times as long")
    parser.add_argument("--speed", type=float, default=1000.0)
    parser.add_argument("--folder", type=Path, default=None, help="where the store goes; a temporary folder by default")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/soak.json"))


class _Watch:
    """Samples memory and ends the campaign when the time is over."""

    def __init__(self, seconds: float) -> None:
        self.samples: list[dict[str, float]] = []
        self.longest_running_s = 0.0
        self._end = time.monotonic() + seconds
        self._next = 0.0
        self._told = False

    def look(self, snapshot: Snapshot) -> None:
        now = time.monotonic()
        for running in snapshot.running:
            self.longest_running_s = max(self.longest_running_s, snapshot.now - running["since"])
        if now >= self._next:
            self._next = now + SAMPLE_S
            self.samples.append({"at": now, "done": sum(snapshot.counts.values()), **_memory()})
            memory = "  ".join(f"{name} {mb:.0f} MB" for name, mb in self.samples[-1].items() if name not in ("at", "done"))
            print(f"{self.samples[-1]['done']:6.0f} experiments  {memory}  idle {snapshot.idle_s:.2f} s", flush=True)
        if now >= self._end and not self._told:
            self._told = True
            os.kill(os.getpid(), signal.SIGINT)


def _memory() -> dict[str, float]:
    """Return the resident memory of each process [MB]."""
    me = psutil.Process()
    found = {"controller": me.memory_info().rss / 1e6}
    for child in me.children():
        try:
            command = child.cmdline()
            name = "proposer" if any("thinking_process" in c for c in command) else command[command.index("--instrument") + 1]
            found[name] = child.memory_info().rss / 1e6
        except (psutil.Error, ValueError):
            continue  # it has just ended
    return found


def run(chosen: argparse.Namespace) -> int:
    """Run the soak and print what was seen; 0 when nothing grew, stuck or stood idle."""
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="labwright-soak-"))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lab.yaml").write_text(LAB.replace("SPEED", f"{chosen.speed:g}"), encoding="utf-8")
    (folder / "campaign.yaml").write_text(CAMPAIGN, encoding="utf-8")
    watch = _Watch(60.0 * chosen.minutes)
    options = RunOptions(store_url=f"sqlite:///{folder / 'soak.db'}", device="cpu", grace_s=30.0)
    last = run_campaign(load_campaign(folder / "campaign.yaml"), options, watch.look)
    settled = watch.samples[len(watch.samples) // 5 :]
    growth = {
        k: settled[-1][k] - settled[0][k] for k in settled[0] if k not in ("at", "done") and k in settled[-1]
    } if settled else {}  # fmt: skip
    result = {
        "minutes": chosen.minutes, "speed": chosen.speed, "counts": last.counts, "idle_s": last.idle_s,
        "longest_attempt_lab_s": watch.longest_running_s, "growth_mb_after_first_fifth": growth,
        "experiments_meanwhile": settled[-1]["done"] - settled[0]["done"] if settled else 0, "samples": watch.samples,
    }  # fmt: skip
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps(result, indent=1), encoding="utf-8")
    print(json.dumps({k: v for k, v in result.items() if k != "samples"}, indent=1))
    stuck = last.counts["running"] + last.counts["unknown"]
    return 0 if not stuck and last.idle_s < 0.01 * 60 * chosen.minutes else 1
