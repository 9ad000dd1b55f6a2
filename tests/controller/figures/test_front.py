"""The figure `front`, and the hypervolume that it dominates."""

from __future__ import annotations

import random
from itertools import product

import pytest

from controller.errors import ConflictError
from controller.figures.figure import Points
from controller.figures.hypervolume import growth, hypervolume
from controller.verbs.plotting import figure, kinds_of
from controller.verbs.results import best_rows
from controller.verbs.stores import Found


def test_front_is_that_of_every_other_screen(two: Found) -> None:
    (panel,) = figure(two, "front").panels
    (front,) = [layer for layer in panel.layers if isinstance(layer, Points) and layer.series == "Pareto front"]
    rows = best_rows(two.reader.definition(two.id), two.reader.experiments(two.id))
    assert [int(label) for label in front.labels] == [row["experiment"] for row in rows]
    assert 6 not in [row["experiment"] for row in rows]  # retracted, however good it was


def test_front_of_one_objective_is_refused_and_not_offered(one: Found, two: Found) -> None:
    with pytest.raises(ConflictError, match="a front needs two"):
        figure(one, "front")
    assert "front" not in kinds_of(one)
    assert "front" in kinds_of(two)


@pytest.mark.parametrize(
    ("scores", "area"),
    [
        ([], 0.0), ([(1.0, 1.0)], 1.0), ([(1.0, 2.0), (2.0, 1.0)], 3.0), ([(1.0, 2.0), (2.0, 1.0), (0.5, 0.5)], 3.0),
        ([(-1.0, 3.0)], 0.0),
    ],
)  # fmt: skip
def test_hypervolume_of_simple_fronts(scores: list[tuple[float, float]], area: float) -> None:
    assert hypervolume(scores, (0.0, 0.0)) == pytest.approx(area)


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_hypervolume_agrees_with_counting_cells(objectives: int) -> None:
    rng = random.Random(3)
    scores = [tuple(float(rng.randint(0, 12)) for _ in range(objectives)) for _ in range(15)]
    cells = sum(
        any(all(x > c for x, c in zip(row, cell, strict=True)) for row in scores)
        for cell in product(range(12), repeat=objectives)
    )
    assert hypervolume(scores, (0.0,) * objectives) == cells


@pytest.mark.parametrize("objectives", [2, 3])
def test_growth_is_the_hypervolume_after_each(objectives: int) -> None:
    rng = random.Random(4)
    scores = [tuple(rng.random() for _ in range(objectives)) for _ in range(40)]
    corner = tuple(map(min, zip(*scores, strict=True)))  # as figures take it: some results lie on it
    assert growth(scores, corner) == pytest.approx([hypervolume(scores[: i + 1], corner) for i in range(40)])
