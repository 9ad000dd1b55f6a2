"""Explanations of campaigns whose answers are known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from controller.campaign import Campaign
from controller.domain.base import Point
from controller.domain.campaign import Definition
from controller.domain.event import ContextTold
from controller.domain.lab import LabSpec
from controller.domain.space import Pool, Problem
from controller.errors import ConflictError, UnknownNameError
from tests.controller.engine.test_informed import PLAIN, TWO, earlier, knowing, peak
from tests.controller.spaces import continuous, problem
from tests.controller.store.samples import make_definition


def campaign(which: Problem, **rest: Any) -> Campaign:
    lab: LabSpec = make_definition().lab
    return Campaign(Definition.model_validate({"name": "c", "problem": which, "budget": {"experiments": 99}, "lab": lab, **rest}))


def hill(point: Point) -> dict[str, float]:
    """A hill over one parameter, a gentle slope over another; the third does nothing."""
    return {"y": 50.0 - 80.0 * (float(point["x"]) - 0.6) ** 2 + 6.0 * math.log10(float(point["slope"]))}


@pytest.fixture(scope="module")
def climbed() -> Campaign:
    """26 experiments of a person, the fourth and the ninth failed; 27 and 28 by the model, and a pair under way, 29 and 30."""
    which = problem(
        continuous("x", "idle") | {"slope": {"type": "continuous", "bounds": [0.1, 10.0], "scale": "log"},
        "kind": {"type": "categorical", "choices": ["p", "q", "r"]}},
        {"y": {"goal": "maximize", "unit": "percent"}}, constraints=("x + idle <= 1.5",),
    )  # fmt: skip
    made = campaign(which)
    rng = np.random.default_rng(0)
    for number in range(1, 27):
        x, idle = rng.random(2).round(3).tolist()
        point = {"x": x, "idle": min(idle, 1.5 - x), "slope": 0.1 * 100 ** round(rng.random(), 3), "kind": "pqr"[number % 3]}
        made.tell(point, None if number in (4, 9) else hill(point))
    for asked in made.ask(2):
        made.tell(asked, hill(asked.parameters))
    made.ask(2)
    return made


def test_explanation_agrees_with_what_was_kept(climbed: Campaign) -> None:
    for number in (27, 28, 29, 30):
        told, kept = climbed.why(number), next(e for e in climbed.state.experiments.values() if e.number == number)
        assert told.exact
        assert told.same_model
        assert told.source == "model"
        assert told.novelty == kept.proposal.novelty
        assert told.expected["y"].mean == pytest.approx(kept.proposal.predictions["y"].mean)
        assert told.expected["y"].sd > kept.proposal.predictions["y"].sd
        assert told.exploiting is not None
        assert told.exploring == pytest.approx(1.0 - told.exploiting)
        assert told.learned_from == (26 if number < 29 else 28)
        assert told.under_way == (number in (28, 30))
        assert told.failed == 2
        assert told.success is not None
        assert 0.0 < told.success <= 1.0
        assert (told.expected["y"].measured is None) == (number > 28)
        assert len(told.neighbours) == 5
        assert all(n.experiment < number and n.experiment not in (4, 9) for n in told.neighbours)
        assert [n.distance for n in told.neighbours] == sorted(n.distance for n in told.neighbours)
        assert len(told.runners_up) == len(kept.proposal.runners_up)
        assert all(other.share <= 1.0 and other.why for other in told.runners_up)


def test_newest_proposal_of_the_model_in_sentences(climbed: Campaign) -> None:
    told = climbed.why()
    assert told.experiment == 30
    text = "\n".join(told.summary)
    assert "28 experiments, 2 of them failed, with 1 under way" in text
    assert "percent" in text
    assert "it succeeds with a probability of" in text
    assert "The nearest measured point is experiment" in text
    best = max(float(e.observations["y"].value) for e in climbed.state.experiments.values() if e.observations)
    assert told.best == {"y": best}
    (model,) = told.models.values()
    assert sum(m.weight for m in model.members) == pytest.approx(1.0)
    scales = {s.parameter: s for s in model.members[0].scales}
    assert scales.keys() == {"x", "idle", "slope"}
    assert scales["slope"].logarithmic
    assert scales["slope"].lengthscale > 1.0
    assert 0.0 < model.choices["kind"][0] <= model.choices["kind"][1] < 1.0


def test_what_matters_is_found_and_idle_parameters_do_not(climbed: Campaign) -> None:
    told = climbed.sensitivity()
    effects = {e.parameter: e for e in told.objectives["y"].effects}
    assert told.objectives["y"].effects[0].parameter in ("x", "slope")
    assert effects["x"].total > 5 * effects["idle"].total
    assert effects["slope"].total > 5 * effects["kind"].total
    assert effects["slope"].trend is not None
    assert effects["slope"].trend > 0.3
    assert effects["kind"].trend is None
    assert effects["x"].first is None, "the constraint ties two parameters to each other"
    assert "constraints" in told.how


def test_slice_goes_through_the_best_experiment_and_follows_the_hill(climbed: Campaign) -> None:
    told = climbed.slice("x")
    (best,) = climbed.best()
    assert told.experiment == best["experiment"]
    assert told.through == best["parameters"]
    here = [row for row in told.values if row.point == told.through]
    assert len(here) == 1
    top = max(told.values, key=lambda row: row.expected["y"].mean)
    assert float(top.value) == pytest.approx(0.6, abs=0.1)
    assert all(row.allowed and row.expected["y"].low < row.expected["y"].mean < row.expected["y"].high for row in told.values)
    assert all(row.point["idle"] == told.through["idle"] for row in told.values)
    assert climbed.slice("kind", through=2).experiment == 2


def test_points_without_a_model_say_so() -> None:
    made = campaign(problem(continuous("a", "b")))
    with pytest.raises(UnknownNameError, match="no experiment yet"):
        made.why()
    with pytest.raises(ConflictError, match="no result yet"):
        made.sensitivity()
    asked = made.ask(2)
    first = made.why()
    assert first.experiment == 2
    assert first.source == "space-filling"
    assert first.exact
    assert first.expected == {} == first.models
    assert "without a model" in first.summary[0]
    with pytest.raises(UnknownNameError, match="no experiment 7; it has 1 to 2"):
        made.why(7)
    with pytest.raises(UnknownNameError, match="no parameter 'c'; it has a, b"):
        made.slice("c")
    for suggestion in asked:
        made.tell(suggestion, {"y": float(suggestion.parameters["a"])})
    made.tell({"a": 0.5, "b": 0.25}, {"y": 0.5})
    mine = made.why(3)
    assert mine.source == "user"
    assert "A person entered this point" in mine.summary[0]
    assert mine.expected["y"].measured == 0.5
    assert any("would have expected" in sentence for sentence in mine.summary)
    assert mine.exploiting is None
    assert mine.runners_up == ()


def test_several_objectives_and_a_mixture() -> None:
    parts = continuous("a", "b", "c")
    made = campaign(
        problem(parts, {"f": {"goal": "minimize"}, "g": {"goal": "match", "target": 0.5}}, constraints=("a + b + c == 1",))
    )
    for _ in range(6):
        (asked,) = made.ask(1)
        a, b = float(asked.parameters["a"]), float(asked.parameters["b"])
        made.tell(asked, {"f": a * a, "g": b})
    told = made.why()
    assert told.expected.keys() == {"f", "g"}
    assert told.best == {}
    assert told.better is None
    assert "the constraint a + b + c == 1" in told.binding
    assert {line.parameter for line in told.local} == {"a", "b", "c"}
    assert "other parts make room" in made.sensitivity().how
    line = made.slice("b")
    assert line.moved == ("a", "c")
    assert all(math.isclose(sum(float(v) for v in row.point.values()), 1.0, abs_tol=1e-6) for row in line.values)


def test_pool_tells_which_settings_of_a_slice_it_has() -> None:
    rows = [(x / 4, y / 4) for x in range(5) for y in range(5) if (x, y) != (2, 2)]
    which = problem(continuous("a", "b"), pool=Pool(columns={"a": tuple(r[0] for r in rows), "b": tuple(r[1] for r in rows)}))
    made = campaign(which)
    for _ in range(6):
        (asked,) = made.ask(1)
        made.tell(asked, {"y": float(asked.parameters["a"])})
    told = made.slice("a")
    assert [row.allowed for row in told.values if row.point == told.through] == [True]
    assert not all(row.allowed for row in told.values)
    assert made.why().same_model


def test_conditional_parameters_rules_outcome_constraints_and_context() -> None:
    parameters = continuous("a", "b") | {
        "way": {"type": "categorical", "choices": ["heat", "light"]},
        "watts": {"type": "continuous", "bounds": [1.0, 9.0], "active_when": {"way": ("light",)}},
    }
    goals = {"y": {"goal": "maximize"}, "impurity": {"goal": "constrain", "at_most": 0.6}}
    which = problem(
        parameters, goals, constraints=("a * b <= 0.25",), context={"humidity": {"type": "continuous", "bounds": [0, 100]}}
    )
    made = campaign(which)
    rng = np.random.default_rng(1)
    for number in range(24):
        humidity = float(rng.integers(100))
        made._record(ContextTold(**made._stamp(), values={"humidity": humidity}, by="a test"))
        a = round(float(rng.random()), 3)
        point: Point = {"a": a, "b": round(min(1.0, 0.25 / (a + 1e-9)) * float(rng.random()), 3), "way": "heat"}
        if number % 2:
            point |= {"way": "light", "watts": round(1.0 + 8.0 * float(rng.random()), 3)}
        y = float(point["a"]) + 0.02 * humidity + 0.1 * float(point.get("watts", 0.0))
        made.tell(point, {"y": y, "impurity": float(point["b"])})
    (asked,) = made.ask(1)
    told = made.why()
    assert told.experiment == 25
    assert told.exact
    assert told.same_model
    assert told.context == {"humidity": humidity}
    assert told.acceptable is not None
    assert any("outcome constraints are met with a probability" in sentence for sentence in told.summary)
    assert {line.parameter for line in told.local} == asked.parameters.keys()
    if float(asked.parameters["a"]) * float(asked.parameters["b"]) > 0.2499:
        assert "the constraint a * b <= 0.25" in told.binding
    effects = {e.parameter: e.total for e in told.sensitivity["y"].effects}
    assert effects.keys() == {"a", "b", "way", "watts", "humidity"}
    assert max(effects, key=lambda name: effects[name]) == "humidity"
    line = made.slice("humidity")
    assert [row.value for row in line.values] == sorted({row.value for row in line.values})
    assert line.values[0].expected["y"].mean < line.values[-1].expected["y"].mean
    assert all(row.allowed for row in line.values)
    assert all(float(row.point["a"]) * float(row.point["b"]) <= 0.25 + 1e-6 for row in made.slice("b", through=3).values)
    assert [row.value for row in made.slice("way", through=2).values] == ["heat", "light"]
    with pytest.raises(ConflictError, match=r"watts is not active in experiment 1; name one .*when way is light\)"):
        made.slice("watts", through=1)
    assert len(made.slice("watts", through=2).values) > 20


def test_a_first_point_from_an_earlier_campaign_has_no_neighbours_yet() -> None:
    made = campaign(knowing(PLAIN, earlier()))
    for _ in range(5):  # the last of the first points is where the earlier campaign was best
        made.ask(1)
    told = made.why()
    assert told.source == "model"
    assert told.learned_from == 0
    assert told.exact
    assert told.neighbours == ()
    assert told.expected["y"].mean > 4.0
    assert told.sensitivity["y"].effects


def test_levels_of_fidelity_and_knowing_instead_of_optimising() -> None:
    made = campaign(TWO)
    for turn in range(8):
        (asked,) = made.ask(1)
        made.tell(asked, {"y": peak(asked.parameters) - (asked.parameters["fidelity"] == "screen") * 0.5 - 0.1 * turn % 0.2})
    told = made.why()
    assert told.exact
    assert told.exploiting is not None
    assert told.improvement is None, "what is searched is not in units of the objective"
    assert {line.parameter for line in told.local} == {"a", "b", "fidelity"}
    known = campaign(problem(continuous("a", "b"), {"y": {"goal": "explore"}}))
    for _ in range(6):
        (asked,) = known.ask(1)
        known.tell(asked, {"y": peak(asked.parameters)})
    told = known.why()
    assert told.exploiting is None
    assert told.best == {}
    assert "It was chosen for its share of the uncertainty everywhere" in told.summary[1]
