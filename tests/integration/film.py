"""A lab in which a person coats films and an instrument that is a program measures them, for the tests of tasks."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from controller.verbs import tasks
from controller.verbs.stores import readers
from tests.integration.support import Bench, wait_until

LAB = """lab: films
instruments:
  people:
    driver: person
    options:
      actions:
        coat:
          instructions: "Coat a film at {{speed:g}} rpm."
          arguments: {{speed: {{unit: rpm, low: 500, high: 6000}}}}
          returns:
            thickness: {{unit: nm, low: 10, high: 2000}}
            colour: {{choices: [yellow, brown]}}
          duration: [{typical}, {longest}]
          consequence: {consequence}
  meter:
    driver: command
    options:
      actions:
        measure:
          command: ["{python}", "-c", "print(300 - {{thickness}})"]
          parse: last_line
          arguments: {{thickness: {{unit: nm}}}}
          returns: {{haze: {{unit: percent}}}}
          duration: [1, 20]
          consequence: safe
protocol:
  - {{step: coat, instrument: people, action: coat, with: {{speed: $speed}}}}
  - {{step: measure, instrument: meter, action: measure, with: {{thickness: $coat.thickness}}, gives: {{haze: haze}}}}
"""
CAMPAIGN = """campaign: film
parameters:
  speed: {{type: continuous, bounds: [1000, 5000], unit: rpm}}
objectives:
  haze: {{goal: minimize, unit: percent}}
budget: {{experiments: {experiments}}}
{more}lab: lab.yaml
"""


def make_bench(
    folder: Path, *, experiments: int = 1, typical: float = 60, longest: float = 3600, consequence: str = "consumes", more: str = ""
) -> Bench:
    """Write the lab and the campaign into `folder`."""
    lab = LAB.format(python=sys.executable, typical=typical, longest=longest, consequence=consequence)
    (folder / "lab.yaml").write_text(lab, encoding="utf-8")
    campaign = folder / "campaign.yaml"
    campaign.write_text(CAMPAIGN.format(experiments=experiments, more=more), encoding="utf-8")
    return Bench(folder, campaign)


def urls(bench: Bench) -> list[str]:
    return [f"sqlite:///{bench.store}"]


def waiting(bench: Bench) -> list[dict[str, Any]]:
    with readers(urls(bench)) as opened:
        return tasks.waiting(opened)


def wait_for_task(bench: Bench) -> dict[str, Any]:
    """Wait until a task waits, and return it."""
    wait_until(lambda: waiting(bench), 90, "a task")
    return waiting(bench)[0]


def answer(bench: Bench, task: str, thickness: object = 350, *, by: str = "ada", patience_s: float = 20.0) -> dict[str, Any]:
    values = {"thickness": thickness, "colour": "brown"}
    return tasks.answer(urls(bench), task, by=by, values=values, patience_s=patience_s)


def status_of(bench: Bench, number: int, wanted: str, timeout: float = 60) -> dict[str, Any]:
    """Wait until an experiment stands there, and return it."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        with readers(urls(bench)) as ((_, reader),):
            found = reader.experiments("film")
        if len(found) >= number and found[number - 1]["status"] == wanted:
            return found[number - 1]
        time.sleep(0.1)
    raise AssertionError(f"experiment {number} is not {wanted}: {found}\n{bench.logs()}")
