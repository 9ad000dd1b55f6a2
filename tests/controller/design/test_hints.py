from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from controller.design.hints import Belief, WithHints, with_hints
from controller.domain.base import Point
from controller.domain.knowledge import Hint, Knowledge
from controller.domain.space import Problem
from controller.encoding.columns import Encoder
from controller.files.checking import check_file
from controller.files.loading import load_campaign
from tests.controller.files.conftest import GOOD_CAMPAIGN
from tests.controller.spaces import ask, continuous, loop, problem

MIXED = problem(
    {
        "heat": {"type": "continuous", "bounds": (20, 120)},
        "dose": {"type": "continuous", "bounds": (0.01, 10.0), "scale": "log"},
        "solvent": {"type": "categorical", "choices": ["a", "b", "c"]},
    }
)


def told(which: Problem, *hints: Hint, first: tuple[Point, ...] = ()) -> Problem:
    return which.model_copy(update={"knowledge": Knowledge(hints=hints, first=first)})


def belief(hint: Hint, **point: float | str) -> float:
    encoder = Encoder.of(MIXED)
    full = {"heat": 20.0, "dose": 1.0, "solvent": "a", **point}
    return float(Belief.of(hint, MIXED, encoder)(encoder.encode([full])))


def test_belief_is_one_at_the_guess_and_falls_as_the_spread_says() -> None:
    hint = Hint(near={"heat": 80.0}, spread={"heat": 10.0}, confidence=0.7)
    assert belief(hint, heat=80.0) == pytest.approx(1.0)
    assert belief(hint, heat=90.0) == pytest.approx(0.3 + 0.7 * torch.exp(torch.tensor(-0.5)).item())
    # Nothing is ruled out, and what is not named may be anything.
    assert belief(hint, heat=20.0) == pytest.approx(0.3, abs=1e-6)
    assert belief(hint, heat=80.0, dose=9.0, solvent="c") == pytest.approx(1.0)


def test_belief_follows_a_logarithmic_axis_and_choices() -> None:
    hint = Hint(near={"dose": 0.1, "solvent": "b"}, confidence=0.9)
    assert belief(hint, dose=0.1, solvent="b") == pytest.approx(1.0)
    assert belief(hint, dose=0.1, solvent="a") == pytest.approx(0.1 + 0.9 * torch.exp(torch.tensor(-2.0)).item())
    assert belief(hint, dose=0.2, solvent="b") == pytest.approx(belief(hint, dose=0.05, solvent="b"))


def test_power_falls_with_every_result_and_no_hint_changes_nothing() -> None:
    class Flat:
        name = "flat"

        def __call__(self, X: Tensor) -> Tensor:
            return torch.zeros(len(X), dtype=torch.float64)

        def widened(self, score: float) -> None:
            return None

    flat, encoder = Flat(), Encoder.of(MIXED)
    which = told(MIXED, Hint(near={"heat": 80.0}))
    X = encoder.encode([{"heat": 20.0, "dose": 1.0, "solvent": "a"}])
    scores = [float(with_hints(flat, which, encoder, n)(X)) for n in (1, 10, 100)]
    assert scores == sorted(scores)
    assert scores[-1] == pytest.approx(10 / 101 * torch.log(torch.tensor(0.5)).item(), abs=1e-6)
    assert isinstance(with_hints(flat, which, encoder, 3), WithHints)
    assert with_hints(flat, MIXED, encoder, 3) is flat


SQUARE = problem(continuous("a", "b"))


def hill(point: Point) -> dict[str, float]:
    return {"y": -((float(point["a"]) - 0.2) ** 2) - (float(point["b"]) - 0.8) ** 2}


def test_good_hint_leads_and_a_wrong_one_is_forgotten() -> None:
    right = Hint(near={"a": 0.2, "b": 0.8}, spread={"a": 0.05, "b": 0.05}, confidence=0.9)
    wrong = Hint(near={"a": 0.9, "b": 0.1}, spread={"a": 0.05, "b": 0.05}, confidence=0.9)
    observed, proposals = loop(told(SQUARE, right), hill, 6)
    assert proposals[5].acquisition_name is not None
    assert "with hints" in proposals[5].acquisition_name
    assert observed[5].values is not None
    assert observed[5].values["y"] > -0.02
    observed, _ = loop(told(SQUARE, wrong), hill, 16)
    assert max(o.values["y"] for o in observed if o.values) > -0.01


def test_first_settings_come_first_once() -> None:
    first = ({"a": 0.1, "b": 0.1}, {"a": 0.9, "b": 0.9})
    which = told(SQUARE, first=first)
    proposals = ask(which, n=3)
    assert [p.point for p in proposals[:2]] == list(first)
    assert [p.source for p in proposals] == ["user", "user", "space-filling"]
    assert ask(which, pending=[first[0]])[0].point == first[1]
    assert ask(which, pending=list(first))[0].source == "space-filling"


def saved(folder: Path, more: str) -> Path:
    path = folder / "campaign.yaml"
    path.write_text(GOOD_CAMPAIGN + more)
    return path


def test_campaign_file_holds_hints_and_first_settings(tmp_path: Path) -> None:
    more = (
        "hints: [{near: {temperature: 80}, spread: {temperature: 5}, confidence: 0.8}]\n"
        "first: [{temperature: 60, residence_time: 1, equivalents: 2, concentration: 0.2}]\n"
    )
    definition = load_campaign(saved(tmp_path, more))
    assert definition.problem.hints[0].near == {"temperature": 80}
    assert definition.problem.first([])[0]["concentration"] == 0.2
    assert definition.fingerprint != load_campaign(saved(tmp_path, "")).fingerprint


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("hints: [{near: {temprature: 80}}]\n", ["hints[0].near.temprature", "did you mean temperature"]),
        ("hints: [{near: {temperature: 180}}]\n", ["hints[0].near.temperature: 180", "no setting"]),
        ("hints: [{near: {}}]\n", ["hints[0].near", "at least 1"]),
        ("hints: [{near: {temperature: 80}, confidence: 1}]\n", ["hints[0].confidence", "at most 0.99"]),
        ("hints: [{near: {temperature: 80}, spread: {equivalents: 1}}]\n", ["spread.equivalents", "near says nothing"]),
        ("first: [{temperature: 60}]\n", ["first[0]", "says nothing of residence_time, equivalents, concentration"]),
        (
            "first: [{temperature: 60, residence_time: 1, equivalents: 5, concentration: 0.5}]\n",
            ["first[0]", "does not meet the constraints"],
        ),
        ("first: [{temperature: 600, residence_time: 1, equivalents: 2, concentration: 0.2}]\n", ["first[0]", "out of its range"]),
    ],
)
def test_fault_of_a_hint_says_what_to_do(tmp_path: Path, more: str, words: list[str]) -> None:
    (line,) = check_file(saved(tmp_path, more))
    assert all(word in line for word in words), line
