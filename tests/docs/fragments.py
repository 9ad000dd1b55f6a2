"""Completes the YAML that a page shows in part, so that it can be checked as a reader's file would be.

A fragment takes the place of its keys in a campaign, a lab or a notify file that is good by itself. Whose parameters and
objectives a page speaks of stands in `PAGES`.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from pyarrow import csv, parquet
from ruamel.yaml import YAML

from controller.domain.knowledge import EarlierCampaign
from controller.files.checking import LAB_KEYS, NOTIFY_KEYS
from controller.files.schema import campaign_schema

CAMPAIGN = """
campaign: fragment
parameters:
  temperature: {type: continuous, bounds: [20, 130], unit: degC}
  solvent: {type: categorical, choices: [DMF, water, MeOH]}
objectives:
  yield: {goal: maximize, unit: percent}
budget: {experiments: 3}
"""

PAGES = {
    "design-spaces": """
parameters:
  a: {type: continuous, bounds: [0, 1]}
  b: {type: continuous, bounds: [0, 1]}
  c: {type: continuous, bounds: [0, 1]}
  d: {type: continuous, bounds: [0, 1]}
  temperature: {type: continuous, bounds: [20, 130], unit: degC}
  concentration: {type: continuous, bounds: [0.1, 0.5], unit: mol/L}
  flow: {type: continuous, bounds: [0.1, 2], unit: mL/min}
  minutes: {type: continuous, bounds: [1, 10], unit: min}
  volume: {type: continuous, bounds: [1, 5], unit: mL}
  t: {type: continuous, bounds: [0, 60]}
  solvent: {type: categorical, choices: [DMF, water, MeOH]}
  base: {type: categorical, choices: [NaH, KOAc]}
context:
  humidity: {type: continuous, bounds: [0, 100]}
""",
    "more-information": """
parameters:
  temperature: {type: continuous, bounds: [20, 130], unit: degC}
  solvent: {type: categorical, choices: [DMF, water]}
  equivalents: {type: continuous, bounds: [1, 3]}
""",
}

ROWS = "temperature,solvent\n" + "".join(f"{t},{s}\n" for t in range(30, 130, 10) for s in ("DMF", "water", "MeOH"))

FILES = {
    "design-spaces": {"molecules.csv": "name,smiles\nethanol,CCO\npropanol,CCCO\nbutanol,CCCCO\n"},
    "own-table": {"settings.csv": ROWS},
    "more-information": {
        "suzuki-2023.csv": "temperature,solvent,equivalents,yield\n80,DMF,2,50\n60,DMF,1,20\n90,water,2,30\n",
        "kinetics.py": "def conversion(settings, parameters):\n    return parameters['A'] * settings['temperature']\n",
    },
}
"""Page -> the files that its fragments name and that it does not show itself."""


def earlier(name: str) -> EarlierCampaign:
    """Return what the store of a page would hold of an earlier campaign."""
    points = {"temperature": (80.0, 60.0, 90.0), "solvent": ("DMF", "DMF", "water"), "equivalents": (2.0, 1.0, 2.0)}
    return EarlierCampaign(name=name, points=points, values={"yield": (50.0, 20.0, 30.0)})


def load(text: str) -> Any:
    return YAML(typ="safe").load(text)


def complete(page: Path, fragment: str, folder: Path) -> Path | None:
    """Write a file that is as the fragment says, and good besides; None where the fragment is no file of Labwright's."""
    given = load(fragment)
    if isinstance(given, list):  # items of a protocol
        given = {"protocol": given}
    path = folder / "fragment.yaml"
    parquet.write_table(csv.read_csv(io.BytesIO(ROWS.encode())), folder / "library.parquet")
    for name, content in FILES.get(page.stem, {}).items():
        (folder / name).write_text(content, encoding="utf-8")
    if any(key in given for key in NOTIFY_KEYS):
        path.write_text(fragment, encoding="utf-8")
        path.chmod(0o600)  # it names an address, which others must not read
        return path
    if any(key in given for key in (*LAB_KEYS, "interlocks")):
        name = next(iter(given.get("instruments", {"analyser": 0})))
        steps = given.get("protocol", [{"step": "work", "instrument": name, "action": "work"}])
        base = {"lab": "fragment", "instruments": {s["instrument"]: {"driver": "external"} for s in steps}, "protocol": steps}
        write({**base, **given}, path)
        return path
    campaign = {**load(CAMPAIGN), **load(PAGES.get(page.stem, "{}"))}
    if not set(given) <= set(campaign_schema()["properties"]):
        return None
    campaign |= {"lab": "lab.yaml", **given}
    settings = [*campaign["parameters"], *(["fidelity"] if "fidelity" in campaign else ())]
    names = list(campaign["objectives"])
    step = {"step": "work", "instrument": "bench", "action": "work"}
    step |= {"with": {n: f"${n}" for n in settings}, "gives": {n: n for n in names}}
    lab: dict[str, Any] = {"lab": "bench", "instruments": {"bench": {"driver": "external"}}, "protocol": [step]}
    if "context_from" in campaign:
        lab["instruments"]["sensor"] = {"driver": "simulated-sensor", "options": {"values": {"humidity": 40.0}}}
        hood = {"interlock": "hood", "instrument": "sensor", "action": "read", "require": ["humidity <= 99"], "hold": ["bench"]}
        lab["interlocks"] = [hood]
    write(lab, folder / "lab.yaml")
    write(campaign, path)
    return path


def write(content: Any, path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(content, file)
