from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from torch import Tensor

from controller.design.candidates import Listing, distances, keys, listing
from controller.design.search import around, best_anywhere, best_listed
from controller.encoding.columns import Encoder
from controller.encoding.space import SAME, SearchSpace
from controller.errors import SpaceExhaustedError
from tests.controller.spaces import continuous, pool_problem, problem


@dataclass(frozen=True)
class Known:
    """A score whose maximum is known."""

    score: Callable[[Tensor], Tensor]
    name: str = "known"

    def __call__(self, X: Tensor) -> Tensor:
        return self.score(X)

    def widened(self, score: float) -> None:
        return None


NOTHING = np.zeros((0, 0))


def test_search_climbs_to_the_top_of_a_box() -> None:
    encoder = Encoder.of(problem(continuous("a", "b", "c", low=-1.0, high=3.0)))
    goal = torch.tensor([0.2, 1.0, 0.77], dtype=torch.float64)
    best, *others = best_anywhere(encoder, Known(lambda X: -(X - goal).square().sum(1)), set(), NOTHING, 0)
    assert [best.point[n] for n in "abc"] == pytest.approx([-0.2, 3.0, 2.08], abs=1e-4)
    assert len(others) >= 3
    assert all(o.score <= best.score for o in others)


def test_search_finds_a_narrow_peak_beside_an_incumbent() -> None:
    encoder = Encoder.of(problem(continuous(*"abcdef")))
    peak = torch.full((6,), 0.613, dtype=torch.float64)
    near = peak.numpy()[None, :] + 0.02
    # Flat to rounding beyond a few widths: no point of a coarse design has a gradient towards it.
    known = Known(lambda X: torch.exp(-(X - peak).square().sum(1) / (2 * 0.02**2)))
    (best, *_) = best_anywhere(encoder, known, set(), near, 0)
    assert best.score > 0.99


@pytest.mark.parametrize(("dimensions", "moved"), [(1, 1.0), (4, 2.0), (20, 10.0), (100, 10.0)])
def test_neighbours_differ_in_half_of_the_coordinates_or_in_ten(dimensions: int, moved: float) -> None:
    space = SearchSpace.of(problem(continuous(*(f"x{j}" for j in range(dimensions)))))
    centre = np.full((1, dimensions), 0.5)
    found = around(space, centre, np.random.default_rng(0), 400)
    assert (found != centre).sum(1).mean() == pytest.approx(moved, rel=0.1)


def test_search_climbs_in_sixty_dimensions() -> None:
    encoder = Encoder.of(problem(continuous(*(f"x{j}" for j in range(60)))))
    goal = torch.linspace(0.1, 0.9, 60, dtype=torch.float64)
    width = torch.linspace(0.2, 2.0, 60, dtype=torch.float64)
    best = best_anywhere(encoder, Known(lambda X: -((X - goal) / width).square().sum(1)), set(), NOTHING, 0)[0]
    assert best.score > -1e-3


def test_search_reaches_the_corner_of_a_polytope_that_a_linear_program_finds() -> None:
    which = problem(continuous("a", "b", "c", "d"), constraints=("a + b + c == 1", "a - 2 * b <= 0.1", "c + d <= 1.3"))
    encoder = Encoder.of(which)
    gain = np.array([1.0, 0.2, 0.7, 0.9])
    known = Known(lambda X: X @ torch.from_numpy(gain))
    (best, *_) = best_anywhere(encoder, known, set(), NOTHING, 0)
    polytope = encoder.space.polytope
    exact = linprog(-gain, A_ub=polytope.A, b_ub=polytope.b, A_eq=polytope.E, b_eq=polytope.f, bounds=(0, 1))
    assert best.score == pytest.approx(-exact.fun, abs=1e-5)
    assert which.allows(best.point)


def test_search_changes_levels_and_choices_as_well() -> None:
    which = problem(
        continuous("a")
        | {f"k{i}": {"type": "integer", "bounds": (0, 100)} for i in range(3)}
        | {"s": {"type": "categorical", "choices": list("uvwxyz")}}
    )
    encoder = Encoder.of(which)

    def score(X: Tensor) -> Tensor:
        numbers = torch.tensor([0.3, 0.41, 0.02, 0.98], dtype=torch.float64)
        return X[:, 4 + 3] - (X[:, :4] - numbers).square().sum(1)

    (best, *_) = best_anywhere(encoder, Known(score), set(), NOTHING, 0)
    assert best.point["s"] == "x"
    assert best.score > 0.999


def test_search_never_returns_what_was_proposed() -> None:
    encoder = Encoder.of(problem(continuous("a", "b")))
    known = Known(lambda X: X.sum(1))
    (best, second, *_) = best_anywhere(encoder, known, set(), NOTHING, 0)
    assert best.point == {"a": 1.0, "b": 1.0}
    assert best_anywhere(encoder, known, keys(encoder.space.problem, [best.point]), NOTHING, 0)[0].point == second.point


def test_search_without_any_finite_score_says_so() -> None:
    encoder = Encoder.of(problem(continuous("a", "b")))
    with pytest.raises(FloatingPointError, match="no finite value"):
        best_anywhere(encoder, Known(lambda X: X.sum(1) * float("nan")), set(), NOTHING, 0)


def test_best_of_a_list_is_its_maximum_among_what_is_left() -> None:
    which = pool_problem(100, 2)
    encoder = Encoder.of(which)
    found = listing(encoder.space)
    assert found is not None
    X = encoder.columns(torch.from_numpy(found.z))
    known = Known(lambda X: X.sum(1))
    order = X.sum(1).argsort(descending=True).tolist()
    seen = found.z[order[:2]]
    choices = best_listed(found, X, known, seen, False)
    assert [c.point for c in choices] == [found.point(i) for i in order[2:8]]
    assert best_listed(found, X, known, seen, True)[0].point == found.point(order[0])
    with pytest.raises(SpaceExhaustedError, match="all 100"):
        best_listed(found, X, known, found.z, False)


def test_listing_of_a_discrete_space_holds_what_the_constraints_allow() -> None:
    counts = {n: {"type": "integer", "bounds": (0, 4)} for n in "abc"}
    which = problem(counts, constraints=("a + b + c == 4",))
    found = listing(SearchSpace.of(which))
    assert found is not None
    # Compositions of 4 into three parts.
    assert len(found) == 15
    assert all(which.allows(found.point(i)) for i in range(15))
    assert listing(SearchSpace.of(problem(counts | continuous("x")))) is None


def test_settings_are_told_apart_to_nine_digits() -> None:
    candidates = np.array([[0.5, 0.1], [0.5, 0.1 + 1e-8], [0.4, 0.1]])
    found = Listing(SearchSpace.of(problem(continuous("a", "b"))), candidates, None)
    assert found.fresh(np.array([[0.5, 0.1 + 1e-12]])).tolist() == [False, True, True]


@pytest.mark.parametrize("step", [0.25, 1e-9, 1e-10])
def test_what_was_seen_is_found_among_many_neighbours(step: float) -> None:
    rng = np.random.default_rng(1)
    candidates = 0.5 + step * rng.integers(0, 5, (2000, 3))
    seen = np.vstack([candidates[:40], 0.5 + step * rng.integers(0, 5, (40, 3)), rng.random((40, 3))])
    found = Listing(SearchSpace.of(problem(continuous("a", "b", "c"))), candidates, None)
    same = (np.abs(candidates[:, None] - seen[None]) < SAME).all(-1).any(1)
    assert (found.fresh(seen) == ~same).all()


def test_distances_count_choices_by_whether_they_differ() -> None:
    space = SearchSpace.of(problem(continuous("a") | {"s": {"type": "categorical", "choices": ["u", "v", "w"]}}))
    z = np.array([[0.0, 0.0], [0.6, 2.0]])
    assert distances(space, z, z)[0].tolist() == pytest.approx([0.0, np.sqrt(1.36)])
