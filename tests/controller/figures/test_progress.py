"""The figure `progress`: every experiment as what it is, predictions, and a line that only results that count move."""

from __future__ import annotations

import pytest

from controller.figures.figure import Edge, Figure, Interval, Line, Panel, Points
from controller.verbs.plotting import figure
from controller.verbs.stores import Found


def points(panel: Panel) -> dict[str, dict[float, float]]:
    """Return series -> x -> y."""
    layers = [layer for layer in panel.layers if isinstance(layer, Points)]
    return {layer.series: dict(zip(layer.x, layer.y, strict=True)) for layer in layers}  # type: ignore[arg-type]


def line(panel: Panel, series: str) -> list[tuple[object, object]]:
    (found,) = [layer for layer in panel.layers if isinstance(layer, Line) and layer.series == series]
    return list(zip(found.x, found.y, strict=True))


def test_every_experiment_is_marked_as_what_it_is(one: Found) -> None:
    told = figure(one, "progress")
    (panel,) = told.panels
    assert points(panel) == {
        "space-filling": {1: 20.0, 2: 35.0}, "stand-in for the model": {4: 30.0}, "proposed by the model": {5: 50.0},
        "retracted": {6: 99.0}, "replicate": {7: 61.0}, "reference experiment": {8: 61.5}, "set by a person": {9: 40.0},
        "under way, as expected": {10: 64.0},
    }  # fmt: skip
    (failed,) = [layer for layer in panel.layers if isinstance(layer, Edge)]
    assert failed.x == (3.0,)
    assert "experiment 3 (failed)" in failed.tips[0]


def test_best_so_far_is_moved_by_results_that_count_alone(one: Found) -> None:
    told = figure(one, "progress")
    assert line(told.panels[0], "best so far") == [(1, 20.0), (2, 35.0), (5, 50.0), (7, 61.0), (8, 61.5), (10, 61.5)]
    assert "the best is experiment 8 with yield 61.5 %" in told.summary
    assert "1 later result brought nothing better" in told.summary


def test_predictions_are_shown_with_their_interval(one: Found) -> None:
    (panel,) = figure(one, "progress").panels
    (interval,) = [layer for layer in panel.layers if isinstance(layer, Interval)]
    assert interval.at == (5.0, 6.0, 7.0, 10.0)
    # The 80 % interval of Student's t with five degrees of freedom is 1.4759 scales to either side.
    assert interval.low[0] == pytest.approx(45.0 - 1.4759 * 5.0, abs=1e-3)
    assert interval.high[0] == pytest.approx(45.0 + 1.4759 * 5.0, abs=1e-3)


def test_simulated_data_say_so_and_the_figure_survives_json(one: Found) -> None:
    told = figure(one, "progress")
    assert told.simulated
    assert told.subtitle.startswith("SIMULATED DATA · 10 experiments of 10000")
    assert Figure.model_validate_json(told.model_dump_json()) == told
    assert len(told.table.rows) == 10
    assert told.table.columns[3] == "yield [%]"


def test_several_objectives_have_a_panel_each_and_one_for_what_they_dominate(two: Found) -> None:
    told = figure(two, "progress")
    assert [panel.title for panel in told.panels] == ["yield (maximize)", "cost (minimize)", "What the front dominates"]
    assert told.panels[1].y.text == "cost [kg/m³]"
    grown = [y for _, y in line(told.panels[2], "hypervolume")]
    assert grown == sorted(grown)  # type: ignore[type-var]
    assert grown[-1] == pytest.approx(100.0)
