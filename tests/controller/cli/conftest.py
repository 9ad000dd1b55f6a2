"""A command line to call, and a store that holds a campaign with every kind of event."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from controller.cli.app import app
from controller.settings import HOME_VARIABLE
from controller.store.opening import Store
from tests.controller.store.samples import Script


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        return dict(json.loads(self.err))


Call = Callable[..., Said]


@pytest.fixture(autouse=True)
def state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test touches the user's own state folder, nor takes a store from the environment."""
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    monkeypatch.delenv("LABWRIGHT_STORE", raising=False)
    return tmp_path / "home"


@pytest.fixture
def call() -> Call:
    """Call the command line in this process; what was not raised on purpose is raised here."""

    def call(*arguments: object) -> Said:
        result = CliRunner().invoke(app, [str(a) for a in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Said(result.exit_code, result.stdout, result.stderr)

    return call


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def store_file(tmp_path: Path, script: Script) -> Path:
    """A store with the campaign `sample`: 1 completed, 1 running again after a failure, 1 unknown, 1 cancelled, 1 queued."""
    path = tmp_path / "sample.db"
    with Store.open(str(path)) as store:
        first, *others = script.everything()
        store.commit_now(first, definition=script.definition)
        for unit in others:
            store.commit_now(unit)
    return path


CAMPAIGN = """\
campaign: quick
parameters:
  temperature: {type: continuous, bounds: [40, 120], unit: degC}
  residence_time: {type: continuous, bounds: [0.5, 2.0], unit: min}
  equivalents: {type: continuous, bounds: [1.0, 5.0]}
  concentration: {type: continuous, bounds: [0.1, 0.5], unit: mol/L}
objectives:
  space_time_yield: {goal: maximize, unit: kg/m**3/h}
budget: {experiments: 2}
lab: {simulator: flow-chemistry, speed: 3000}
"""


@pytest.fixture
def campaign_file(tmp_path: Path) -> Path:
    """A campaign of two experiments on the simulated flow reactor."""
    path = tmp_path / "quick.yaml"
    path.write_text(CAMPAIGN)
    return path
