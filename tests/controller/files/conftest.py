"""Files to break: a campaign and a lab that are right, and a folder that must not change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

GOOD_CAMPAIGN = """\
campaign: demo
parameters:
  temperature: {type: continuous, bounds: [30, 120], unit: degC}
  residence_time: {type: continuous, bounds: [0.5, 2], unit: min}
  equivalents: {type: continuous, bounds: [1, 5]}
  concentration: {type: continuous, bounds: [0.1, 0.5], unit: mol/L}
constraints:
  - equivalents + 6 * concentration <= 7
objectives:
  space_time_yield: {goal: maximize, unit: kg/m**3/h}
  e_factor: {goal: minimize}
budget: {experiments: 20}
lab: {simulator: flow-chemistry}
"""

GOOD_LAB = """\
lab: bench
speed: 100
instruments:
  reactor: {driver: simulated-reactor, options: {seed: 1}, limits: {temperature: [25, 125]}}
  hplc: {driver: simulated-hplc}
protocol:
  - step: react
    instrument: reactor
    action: run
    with: {temperature: $temperature, residence_time: $residence_time, equivalents: $equivalents, concentration: $concentration}
  - step: assay
    instrument: hplc
    action: measure
    after: [react]
    with: {residence_time: $residence_time, substrate: $react.substrate, amine: $react.amine, ortho: $react.ortho,
           para: $react.para, bis: $react.bis}
    gives: {space_time_yield: space_time_yield, e_factor: e_factor}
"""

HERE = "tests.controller.files.drivers"
OVEN_CAMPAIGN = """\
campaign: oven
parameters:
  heat: {type: continuous, bounds: [300, 400], unit: kelvin}
  gas: {type: categorical, choices: [air, argon]}
  rounds: {type: integer, bounds: [1, 3]}
objectives:
  weight: {goal: minimize, unit: mg}
budget: {experiments: 10}
lab: oven.yaml
"""
OVEN_LAB = f"""\
lab: oven-room
instruments:
  oven: {{driver: "{HERE}:Oven", options: {{port: COM1}}}}
protocol:
  - {{step: bake, instrument: oven, action: bake, gives: {{weight: mass}},
     with: {{temperature: $heat, atmosphere: $gas, cycles: $rounds}}}}
"""

POOL_CAMPAIGN = """\
campaign: pool
parameters:
  solvent: {type: categorical, choices: [DMF, THF, MeCN], descriptors: solvents.csv}
  temperature: {type: discrete, values: [60, 80], unit: degC}
objectives:
  yield: {goal: maximize, unit: percent}
budget: {experiments: 5}
lab: {simulator: table, data: data.csv}
"""

SOLVENTS = "solvent,dielectric,boiling\nDMF,36.7,153\nTHF,7.6,66\nMeCN,37.5,81.6\n"
DATA = "solvent,temperature,yield\n" + "".join(
    f"{solvent},{temperature},{10 * i + temperature / 10}\n"
    for i, solvent in enumerate(["DMF", "THF", "MeCN"])
    for temperature in (60, 80)
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with good files; afterwards it must hold what the test wrote and nothing else."""
    home = tmp_path / "files"
    home.mkdir()
    write(home, {"solvents.csv": SOLVENTS, "data.csv": DATA, "lab.yaml": GOOD_LAB})
    yield home
    strays = [p for p in home.rglob("*") if p.suffix not in (".csv", ".yaml", ".json", ".py")]
    assert strays == []


def write(folder: Path, texts: dict[str, str]) -> None:
    """Write several files, lines as they are."""
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="")


def on_lab_file(campaign: str) -> str:
    """Return a campaign whose lab is the file `lab.yaml`, not a simulator."""
    return campaign.replace("{simulator: flow-chemistry}", "lab.yaml")
