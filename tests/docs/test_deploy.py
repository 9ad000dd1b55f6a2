"""What `deploy/` holds fits the rest of the repository, and the units are good units where systemd can say so."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.docs.test_docs import parse

DEPLOY = ROOT / "deploy"
UNITS = sorted([*DEPLOY.glob("*.service"), *DEPLOY.glob("*.timer")])
PROGRAM = "/opt/labwright/.venv/bin/labwright"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def container() -> list[str]:
    """Return the instructions of the Containerfile, continued lines joined."""
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def argument(kind: str) -> list[str]:
    return [line.removeprefix(f"{kind} ").strip() for line in container() if line.startswith(f"{kind} ")]


def verify(units: list[Path]) -> list[str]:
    """Return what systemd objects to in these units; it may object to others of the machine too."""
    command = ["systemd-analyze", "verify", "--man=no", *map(str, units)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return [line for line in done.stderr.splitlines() if "labwright" in line]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_units_are_good(tmp_path: Path) -> None:
    for unit in UNITS:
        (tmp_path / unit.name).write_text(unit.read_text(encoding="utf-8").replace(PROGRAM, "/bin/true"), encoding="utf-8")
    assert verify(sorted(tmp_path.iterdir())) == []

    wrong = tmp_path / "labwright.service"
    wrong.write_text(wrong.read_text(encoding="utf-8").replace("KillMode=process", "KillMode=driver"), encoding="utf-8")
    (fault,) = verify([wrong])
    assert "kill mode" in fault


def test_units_and_container_call_commands_that_exist() -> None:
    text = "\n".join(unit.read_text(encoding="utf-8") for unit in UNITS)
    lines = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    called = [line.replace(PROGRAM, "labwright") for line in lines]
    called.append(" ".join(json.loads(argument("ENTRYPOINT")[0]) + json.loads(argument("CMD")[0])))
    assert len(called) == 3
    for line in called:
        parse(line)


def test_daemon_of_the_unit_leaves_drivers_alone() -> None:
    unit = (DEPLOY / "labwright.service").read_text(encoding="utf-8")
    grace = int(re.findall(r"--grace (\d+)", unit)[0])
    assert "KillMode=process" in unit
    assert int(re.findall(r"TimeoutStopSec=(\d+)", unit)[0]) > grace


def test_container_is_made_of_what_the_wheel_needs() -> None:
    copied = {source for line in argument("COPY") for source in line.split()[:-1]}
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert copied >= {*packages, "pyproject.toml", "constraints.txt", "README.md", "LICENSE"}
    assert [source for source in copied if not (ROOT / source).exists()] == []
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")}
    assert let_in == copied
    extras = argument("ARG")[1].partition("=")[2].split(",")
    assert set(extras) <= set(PROJECT["project"]["optional-dependencies"])
    assert re.findall(r"^torch==[\d.]+$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
