"""Trust regions: what they make of results, and that searches keep to them."""

from __future__ import annotations

import numpy as np
import pytest

from controller.design.region import Region, region_of
from controller.encoding.space import SearchSpace
from tests.controller.spaces import continuous, problem

NAMES = [f"x{j}" for j in range(12)]
SPACE = SearchSpace.of(problem(continuous(*NAMES)))
MIDDLE = np.full(12, 0.5)
BEGUN = [0.0, 1.0, 0.5, 0.2, 0.1]


def region(scores: list[float], z: np.ndarray | None = None) -> Region | None:
    return region_of(SPACE, np.tile(MIDDLE, (len(scores), 1)) if z is None else z, scores)


def side(scores: list[float]) -> float:
    found = region(scores)
    return 1.0 if found is None else found.side


def test_it_begins_around_the_best_of_the_first_results() -> None:
    z = np.random.default_rng(0).random((5, 12))
    assert region(BEGUN[:4], z[:4]) is None
    found = region(BEGUN, z)
    assert found is not None
    assert found.side == 0.8
    assert found.centre.tolist() == z[1].tolist()


def test_it_shrinks_by_failures_and_grows_by_successes() -> None:
    failures = BEGUN + [0.3] * 20
    assert side(failures[:-1]) == 0.8
    assert side(failures) == 0.4
    assert side(failures + [0.3] * 20) == 0.2
    assert side([*failures, 2.0, 3.0]) == 0.4
    assert side([*failures, 2.0, 3.0, 4.0]) == 0.8
    assert side([*failures, 2.0, 3.0, 0.0, 4.0]) == 0.4
    assert side([*BEGUN, 2.0, 3.0, 4.0]) == 1.0
    # An improvement of next to nothing is none.
    assert side(BEGUN + [1.0 + 1e-7 * i for i in range(20)]) == 0.4


def test_in_many_dimensions_it_is_more_patient() -> None:
    wide = SearchSpace.of(problem(continuous(*[f"x{j}" for j in range(50)])))
    z = np.full((30, 50), 0.5)
    for n, expected in ((29, 0.8), (30, 0.4)):
        found = region_of(wide, z[:n], (BEGUN + [0.3] * 25)[:n])
        assert found is not None
        assert found.side == expected


def test_results_outside_say_nothing_of_it() -> None:
    far = np.vstack([np.tile(MIDDLE, (5, 1)), np.tile(np.where(np.arange(12) == 3, 0.95, 0.5), (40, 1))])
    found = region(BEGUN + [0.3] * 40, far)
    assert found is not None
    assert found.side == 0.8


def test_one_that_has_become_very_small_begins_anew_elsewhere() -> None:
    scores = BEGUN + [0.3] * 140
    assert side(scores[:-1]) == pytest.approx(0.8 / 64)
    assert region(scores) is None
    z = np.random.default_rng(0).random((150, 12))
    z[:145] = MIDDLE
    again = region([*scores, 0.1, 0.4, 0.2, 0.3, 0.1], z)
    assert again is not None
    assert again.side == 0.8
    assert again.centre.tolist() == z[146].tolist()


def test_there_is_none_around_what_is_not_acceptable() -> None:
    assert region([-np.inf] * 8) is None
    assert side([*BEGUN, *[-np.inf] * 20]) == 0.4


def test_what_is_drawn_lies_inside_and_half_of_it_near_the_centre() -> None:
    wide = SearchSpace.of(problem(continuous(*[f"x{j}" for j in range(100)])))
    rng = np.random.default_rng(0)
    where = Region(rng.random(100), 0.2)
    z = where.within(wide, rng.random((200, 100)), rng)
    assert where.holds(z, wide.continuous).all()
    assert (where.lower >= 0.0).all()
    assert (where.upper <= 1.0).all()
    moved = (np.abs(z - where.centre) > 1e-12).sum(1)
    assert moved[::2].min() == 100
    assert 10 < moved[1::2].mean() < 30
    assert moved.min() >= 1


def test_a_mixture_stays_one_and_choices_mostly_stay() -> None:
    parts = [f"x{j}" for j in range(11)]
    kind = {"kind": {"type": "categorical", "choices": list("abcde")}}
    space = SearchSpace.of(problem(continuous(*parts) | kind, constraints=(" + ".join(parts) + " == 1", "x0 <= 0.5")))
    rng = np.random.default_rng(0)
    drawn = np.hstack([rng.dirichlet(np.ones(11), 300), rng.integers(5, size=(300, 1))])
    drawn = drawn[space.allows(drawn)]
    where = Region(np.append(np.full(11, 1 / 11), 2.0), 0.1)
    z = where.within(space, drawn, rng)
    assert len(z) == len(drawn)
    assert np.abs(z[:, :11].sum(1) - 1.0).max() < 1e-9
    assert 0.0 < (z[:, 11] != 2.0).mean() < 0.2


def test_rules_have_none() -> None:
    ruled = SearchSpace.of(problem(continuous(*NAMES), constraints=("x0 * x1 <= 0.9",)))
    assert region_of(ruled, np.tile(MIDDLE, (5, 1)), BEGUN) is None
