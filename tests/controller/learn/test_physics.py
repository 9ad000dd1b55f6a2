"""A physical model as the mean of a surrogate: Arrhenius' law of a first-order reaction, with and without what it misses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from controller.domain.base import Point
from controller.domain.knowledge import Knowledge, PhysicalParameter, Physics
from controller.domain.request import Observed
from controller.domain.space import Problem
from controller.encoding.columns import Encoder
from controller.engine.thinking import predict, propose
from controller.files.checking import check_file
from controller.files.loading import load_campaign
from controller.learn.physics import Law
from surrogates.build import build
from surrogates.data import TrainingData
from surrogates.mean import AroundMean
from surrogates.specs import GPSpec
from surrogates.testing import SurrogateContract
from tests.controller.files.conftest import GOOD_CAMPAIGN
from tests.controller.spaces import ask, problem, request

ARRHENIUS = """
import numpy as np

def conversion(settings, parameters):
    rate = parameters["A"] * np.exp(-parameters["E"] / 8.314e-3 * (1 / (273.15 + settings["T"]) - 1 / 350.0))
    return 100 * (1 - np.exp(-rate * settings["t"]))
"""
FITTED = {"A": PhysicalParameter(bounds=(0.001, 1.0), scale="log"), "E": PhysicalParameter(bounds=(20, 120))}
SPACE = {"T": {"type": "continuous", "bounds": (20, 120)}, "t": {"type": "continuous", "bounds": (1, 30)}}


def truth(point: Point, loss: float = 0.0) -> float:
    """Conversion [percent] with A = 0.05, E = 60 kJ/mol; `loss` is what side reactions take at high temperature."""
    T, t = float(point["T"]), float(point["t"])
    rate = 0.05 * np.exp(-60 / 8.314e-3 * (1 / (273.15 + T) - 1 / 350.0))
    return float(100 * (1 - np.exp(-rate * t)) - loss * (T / 100.0) ** 4)


def told(source: str = ARRHENIUS, function: str = "conversion") -> Problem:
    law = Physics(source=source, function=function, parameters=FITTED, objective="y")
    return problem(SPACE, knowledge=Knowledge(physics=law))


def observed(n: int, loss: float = 0.0) -> list[Observed]:
    rows = np.random.default_rng(1).random((n, 2))
    points = [{"T": float(20 + 100 * a), "t": float(1 + 29 * b)} for a, b in rows]
    return [Observed(point=p, values={"y": truth(p, loss)}) for p in points]


def test_parameters_of_the_law_are_found() -> None:
    which = told()
    assert which.knowledge is not None
    assert which.knowledge.physics is not None
    encoder = Encoder.of(which)
    rows = observed(8)
    Y = torch.tensor([[o.values["y"]] for o in rows if o.values], dtype=torch.float64)
    data = TrainingData(encoder.encode([o.point for o in rows]), Y, encoder.layout)
    law = Law(which.knowledge.physics, encoder, 1.0)
    theta, level, factor = law.fitted(data)
    assert theta["A"] == pytest.approx(0.05, rel=0.1)
    assert theta["E"] == pytest.approx(60, rel=0.1)
    assert factor == pytest.approx(1.0, abs=0.1)
    X = data.X.clone().requires_grad_()
    mean = law.mean(theta, level, factor)
    (gradient,) = torch.autograd.grad(mean(X).sum(), X)
    step = torch.zeros_like(data.X)
    step[:, 0] = 1e-3
    slope = (mean(data.X + step) - mean(data.X - step)) / 2e-3
    assert torch.allclose(gradient[:, 0], slope, rtol=0.02, atol=0.1)


@pytest.mark.parametrize("loss", [0.0, 10.0])
def test_law_is_believed_and_what_it_misses_is_learned(loss: float) -> None:
    rows = observed(8, loss)
    (proposal,) = ask(told(), rows)
    assert proposal.source == "model"
    assert "physics (A = " in proposal.note
    (again,) = propose(request(told(), rows, []))
    assert (proposal.point, proposal.acquisition) == (again.point, again.acquisition)
    elsewhere = [o.point for o in observed(40)[8:]]
    values = np.array([truth(p, loss) for p in elsewhere])
    policy = request(told(), rows, []).policy

    def error(which: Problem) -> float:
        return float(np.abs(np.array([f["y"].mean for f in predict(which, policy, rows, elsewhere, 0)]) - values).mean())

    assert error(told()) < (0.3 if loss == 0.0 else 0.9) * error(problem(SPACE))


def test_wrong_law_is_not_believed() -> None:
    wrong = ARRHENIUS.replace("100 * (1 -", "-3 * settings['T'] + 40 * np.sin(settings['t']) + 0 * (1 -")
    (proposal,) = ask(told(wrong), observed(12))
    share = float(proposal.note.rpartition("believed by ")[2].partition("%")[0])
    assert share < 50


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def conversion(settings, parameters):\n    return 1 / 0\n", "failed (ZeroDivisionError"),
        ("def conversion(settings, parameters):\n    return [1.0]\n", "must return 6 finite numbers"),
        ("def conversion(settings, parameters):\n    return settings['T'] * float('nan')\n", "not finite"),
        ("import nothing_like_it\ndef conversion(settings, parameters):\n    return 0\n", "ModuleNotFoundError"),
    ],
)
def test_failing_law_is_left_out_and_said(source: str, words: str) -> None:
    (proposal,) = ask(told(source), observed(6))
    assert proposal.source == "model"
    assert "done without the physics" in proposal.note
    assert words in proposal.note


def test_law_that_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.learn.physics.TIME_S", 0.2)
    (proposal,) = ask(told("def conversion(settings, parameters):\n    while True:\n        pass\n"), observed(6))
    assert "it took longer than 0.2 s" in proposal.note


def around(data: TrainingData) -> AroundMean:
    spec = GPSpec(recipe="table")
    return AroundMean(lambda left: build(spec, left, pool=True, seed=0), lambda X: 3.0 * X[:, 0] - X[:, 1].square(), data)


@pytest.mark.parametrize("check", [n for n in SurrogateContract.names() if n != "check_shift_of_units"])
def test_contract_is_kept(check: str) -> None:
    SurrogateContract(around, interpolation=0.1).check(check)


def saved(folder: Path, module: str, text: str = "def y(settings, parameters):\n    return settings['temperature']\n") -> Path:
    (folder / "law.py").write_text(text)
    path = folder / "campaign.yaml"
    one = GOOD_CAMPAIGN.replace("  e_factor: {goal: minimize}\n", "")
    path.write_text(one + f"physics: {{module: '{module}', parameters: {{k: {{bounds: [1, 2]}}}}}}\n")
    return path


def test_text_of_the_file_is_kept_with_the_campaign(tmp_path: Path) -> None:
    definition = load_campaign(saved(tmp_path, "law.py:y"))
    assert definition.problem.knowledge is not None
    assert definition.problem.knowledge.physics is not None
    assert "settings['temperature']" in definition.problem.knowledge.physics.source
    other = load_campaign(saved(tmp_path, "law.py:y", "def y(settings, parameters):\n    return settings['equivalents']\n"))
    assert other.fingerprint != definition.fingerprint


@pytest.mark.parametrize(
    ("module", "text", "words"),
    [
        ("law.py:x", "def y(s, p): return s\n", "the file has no function x; there is y"),
        ("lawe.py:y", "", "there is no such file"),
        ("law.py:y", "def y(:\n", "is not Python"),
        ("law:y", "", "physics.module"),
    ],
)
def test_fault_of_a_physical_model_says_what_to_do(tmp_path: Path, module: str, text: str, words: str) -> None:
    (line,) = check_file(saved(tmp_path, module, text))
    assert words in line
