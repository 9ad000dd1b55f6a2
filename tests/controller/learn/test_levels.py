from __future__ import annotations

import torch

from controller.domain.fidelity import Fidelity
from controller.domain.objective import Objective
from controller.encoding.columns import Encoder
from controller.learn.fit import fit_informed
from controller.learn.levels import at_target, level_columns, lifted, with_levels
from surrogates.base import Surrogate
from surrogates.data import TrainingData
from surrogates.specs import GPMember, GPSpec
from tests.controller.spaces import continuous, problem
from tests.surrogates.examples import smooth, uniform

LEVELS = Fidelity.model_validate({"levels": {"quick": {"cost": 1}, "real": {"cost": 10}, "rough": {"cost": 0.1}}, "target": "real"})
PROBLEM = problem({**continuous("a", "b", "c"), "fidelity": LEVELS.parameter.model_dump()}, fidelity=LEVELS)
ENCODER = Encoder.of(PROBLEM)


def points(n: int, level: str, seed: int) -> list[dict[str, object]]:
    return [{"a": x[0], "b": x[1], "c": x[2], "fidelity": level} for x in uniform(n, 3, seed).tolist()]


def results(n_target: int, n_quick: int, *, good: bool = True) -> TrainingData:
    X = ENCODER.encode([*points(n_target, "real", 0), *points(n_quick, "quick", 1)])  # type: ignore[list-item]
    Y = smooth(X)
    quick = ~at_target(X, ENCODER.layout)
    noise = torch.randn(len(X), 1, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    Y[quick] = 3.0 * Y[quick] + 10.0 if good else 5.0 * noise[quick]
    return TrainingData(X, Y, ENCODER.layout)


def fitted(data: TrainingData) -> Surrogate:
    one = GPSpec(members=(GPMember(kernel="rbf", prior="gamma"),))
    found = fit_informed(one, data, [], Objective(goal="maximize"), listed=False, seed=0, device="cpu")
    assert found is not None
    return found


def test_each_level_but_the_target_has_a_column_of_its_own() -> None:
    assert level_columns(ENCODER.layout) == (3, 4)
    X = ENCODER.encode([p for level in LEVELS.levels for p in points(1, level, 0)])  # type: ignore[misc]
    assert X[:, 3:].tolist() == [[1, 0], [0, 0], [0, 1]]
    assert at_target(X, ENCODER.layout).tolist() == [False, True, False]
    assert bool(at_target(lifted(X, ENCODER.layout), ENCODER.layout).all())
    assert [p["fidelity"] for p in ENCODER.decode(X)] == list(LEVELS.levels)


def test_cheap_level_of_another_range_tells_about_the_target() -> None:
    X = lifted(ENCODER.encode(points(200, "real", 5)), ENCODER.layout)  # type: ignore[arg-type]
    truth = smooth(X).squeeze()

    def error(data: TrainingData) -> float:
        return float((fitted(data).predict(X)[0] - truth).square().mean().sqrt())

    alone = error(results(8, 0))
    assert error(results(8, 24)) < 0.8 * alone
    assert error(results(8, 24, good=False)) < 1.3 * alone


def test_useless_level_is_not_believed() -> None:
    assert with_levels(fitted(results(12, 20, good=False)))[1] < 0.3
    assert with_levels(fitted(results(12, 20)))[1] > 0.9


def test_no_result_at_the_target_yet_is_no_obstacle() -> None:
    surrogate = fitted(results(0, 12))
    assert len(surrogate.leave_one_out().mean) == 0
    X = ENCODER.encode(points(3, "real", 5))  # type: ignore[arg-type]
    assert bool(torch.isfinite(surrogate.predict(X)[0]).all())
