"""Interlocks of a lab file that cannot be: each is named with its line and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.files.checking import check_file
from controller.files.loading import load_lab
from tests.controller.files.conftest import GOOD_LAB, write

LAB = GOOD_LAB.replace(
    "  hplc: {driver: simulated-hplc}\n",
    "  hplc: {driver: simulated-hplc, on_lost_controller: go_safe}\n"
    "  hood: {driver: simulated-sensor, options: {values: {sash: 2.0}}}\n",
) + """\
interlocks:
  - {interlock: hood-closed, instrument: hood, action: read, require: [sash <= 5], hold: [reactor, hplc], every: 5}
"""

CASES: dict[str, tuple[str, str, list[str]]] = {
    "instrument_unknown": ("instrument: hood", "instrument: hod", ["interlocks[0].instrument", '"hod"', "did you mean hood"]),
    "instrument_used": ("instrument: hood", "instrument: hplc", ["interlocks[0].instrument", "step assay uses it"]),
    "action_unknown": ("action: read", "action: reed", ["interlocks[0].action", "did you mean read"]),
    "value_unknown": ("sash <= 5", "sesh <= 5", ["interlocks[0].require[0]", "read returns no sesh; did you mean sash"]),
    "strictly": ("sash <= 5", "sash < 5", ["interlocks[0].require", "not < or >"]),
    "code": ("sash <= 5", "__import__('os') <= 5", ["interlocks[0].require", "may hold only"]),
    "no_condition": ("[sash <= 5]", "[]", ["interlocks[0].require"]),
    "condition_alone": ("[sash <= 5]", "sash <= 5", ["interlocks[0].require", "a list"]),
    "hold_unknown": ("[reactor, hplc]", "[reacter]", ["interlocks[0].hold[0]", "did you mean reactor"]),
    "hold_missing": (", hold: [reactor, hplc]", "", ["interlocks[0].hold", "is missing", "hold: [reactor]"]),
    "every_zero": ("every: 5", "every: 0", ["interlocks[0].every"]),
    "key_unknown": ("every: 5", "evry: 5", ["interlocks[0].evry", "every"]),
    "argument_unknown": ("action: read", "action: read, with: {channel: 1}", ["interlocks[0].with.channel", "takes no argument"]),
    "policy_unknown": ("controller: go_safe", "controller: go_save", ["instruments.hplc.on_lost_controller", "go_safe"]),
}


@pytest.mark.parametrize(("good", "bad", "told"), CASES.values(), ids=CASES.keys())
def test_fault_is_named_where_it_stands(folder: Path, good: str, bad: str, told: list[str]) -> None:
    assert good in LAB
    write(folder, {"lab.yaml": LAB.replace(good, bad, 1)})
    faults = check_file(folder / "lab.yaml")
    assert len(faults) == 1, faults
    for text in told:
        assert text in faults[0]


def test_action_that_is_not_safe_is_no_reading(folder: Path) -> None:
    oven = "hood: {driver: 'tests.controller.files.drivers:SimulatedOven'}"
    lab = LAB.replace("hood: {driver: simulated-sensor, options: {values: {sash: 2.0}}}", oven)
    lab = lab.replace("action: read", "action: bake")
    write(folder, {"lab.yaml": lab.replace("sash <= 5", "mass <= 5")})
    faults = check_file(folder / "lab.yaml")
    assert "its consequence is consumes" in faults[0]


def test_name_of_its_own_is_needed(folder: Path) -> None:
    line = LAB.splitlines()[-1]
    write(folder, {"lab.yaml": LAB + line + "\n"})
    (fault,) = check_file(folder / "lab.yaml")
    assert "an interlock of that name stands before" in fault


def test_good_interlock_is_read_as_it_stands(folder: Path) -> None:
    write(folder, {"lab.yaml": LAB})
    lab = load_lab(folder / "lab.yaml")
    (lock,) = lab.interlocks
    assert (lock.interlock, lock.require, lock.hold, lock.latch) == ("hood-closed", ("sash <= 5",), ("reactor", "hplc"), False)
    assert lab.instruments["hplc"].on_lost_controller == "go_safe"
