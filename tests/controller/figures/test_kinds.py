"""Settings and results, calibration, timeline, and campaigns beside each other: what is in the figure is what is in the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.domain.objective import Objective
from controller.errors import ConflictError, UnknownNameError
from controller.figures.figure import Figure, Line, Parallel, Points, Rule, Spans
from controller.figures.given import Given
from controller.figures.timeline import Attempt, timeline
from controller.store.opening import Store
from controller.verbs.aside import answer
from controller.verbs.plotting import compare, figure, figures
from controller.verbs.stores import Found, find
from controller.verbs.trust import calibration_told
from tests.controller.figures.stores import ONE, Teller, definition, tell_everything


def test_parallel_has_a_scale_for_each_parameter_and_objective(one: Found) -> None:
    told = figure(one, "parallel")
    (layer,) = told.panels[0].layers
    assert isinstance(layer, Parallel)
    assert [scale.label for scale in layer.scales] == ["temperature", "flow", "base", "yield (maximize)"]
    assert len(layer.rows) == 9  # the one under way has no end yet
    numbers = [row[0] for row in told.table.rows]
    assert [numbers[i] for i in layer.best] == [8]
    first = layer.rows[0]
    # 38 °C of 20 to 120, 0.1 of 0.01 to 10 on a logarithmic scale, the first of two choices
    assert first[:3] == (pytest.approx(0.18), pytest.approx(1 / 3), 0.25)
    shade = dict(zip(numbers, layer.shade, strict=True))
    assert shade[3] is None  # failed
    assert shade[6] is None  # retracted
    assert shade[8] == 1.0
    assert shade[1] == 0.0


def test_calibration_agrees_with_what_is_told_of_it(one: Found) -> None:
    told, said = figure(one, "calibration"), calibration_told(one)
    (panel,) = told.panels
    points = {layer.series: layer for layer in panel.layers if isinstance(layer, Points)}
    inside = said["objectives"]["yield"]["inside_90"]
    assert len(points["inside its interval"].x) == inside
    assert len(points["outside"].x) == said["objectives"]["yield"]["results"] - inside
    assert f"{inside} of {said['objectives']['yield']['results']} results inside their 90 % interval" in told.summary


def test_timeline_has_a_lane_for_each_instrument_and_every_attempt(one: Found) -> None:
    told = figure(one, "timeline")
    (panel,) = told.panels
    assert panel.y.categories == ("hplc", "reactor")
    (spans,) = [layer for layer in panel.layers if isinstance(layer, Spans)]
    assert len(spans.lane) == 16  # eight completed experiments of two steps
    assert all(start < end for start, end in zip(spans.start, spans.end, strict=True))
    began = {a["started_at"] for a in one.reader.attempts(one.id)}
    assert len(began) == len({*spans.start}) == 16


def test_kinds_without_anything_to_show_are_told_or_left_out(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path / 'new.db'}") as store:
        Teller(store, definition("new"))
    with find([f"sqlite:///{tmp_path / 'new.db'}"], "new") as found:
        for kind in ("parallel", "calibration", "timeline"):
            with pytest.raises(ConflictError, match=rf"{kind}: new has .* yet|{kind}: new has sent nothing"):
                figure(found, kind)
        told = figure(found, "progress")
        assert told.summary == "new has no result yet that counts."
        assert told.text(80)
        drawn, refused = figures(found, ["progress"])
        assert [f.kind for f in drawn] == ["progress"]
        assert refused == []


def climb(store: Store, name: str, values: list[float], objectives: dict[str, Objective] = ONE) -> None:
    teller = Teller(store, definition(name, objectives))
    for i, value in enumerate(values):
        point = {"temperature": 30.0 + i, "flow": 1.0, "base": "KOAc"}
        experiment = teller.propose(point, source="space-filling" if i < 2 else "model")
        teller.complete(experiment, {next(iter(objectives)): value})


def test_comparison_counts_experiments_to_nine_tenths_of_the_way(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'c.db'}"
    with Store.open(url) as store:
        climb(store, "slow", [10.0, 20.0, 30.0, 40.0, 92.0, 110.0])
        climb(store, "fast", [10.0, 20.0, 101.0])
        climb(store, "never", [10.0, 20.0, 50.0])
        climb(store, "other", [1.0, 2.0], {"yield": Objective(goal="minimize", unit="percent")})
    with find([url], "slow") as slow, find([url], "fast") as fast, find([url], "never") as never:
        told = compare([slow, fast, never])
        # From the median of 10, 20, 10, 20, 10, 20, which is 15, to 110.
        assert told.threshold == pytest.approx(15.0 + 0.9 * 95.0)
        assert [(e.campaign, e.to_share, e.reached) for e in told.entries] == [
            ("slow", 6, 110.0), ("fast", 3, 101.0), ("never", None, 50.0)
        ]  # fmt: skip
        lines = {layer.series: layer for layer in told.figure.panels[0].layers if isinstance(layer, Line)}
        assert lines["fast"].x == (1.0, 2.0, 3.0, 3.0)
        assert [layer.value for layer in told.figure.panels[0].layers if isinstance(layer, Rule)] == [told.threshold]
        with find([url], "other") as other, pytest.raises(ConflictError, match="only campaigns that want the same"):
            compare([slow, other])


def test_comparison_of_what_is_minimized_and_of_fronts(tmp_path: Path, two: Found) -> None:
    url = f"sqlite:///{tmp_path / 'c.db'}"
    down = {"yield": Objective(goal="minimize")}
    with Store.open(url) as store:
        climb(store, "a", [10.0, 8.0, 1.0], down)
        climb(store, "b", [10.0, 8.0, 0.0], down)
        tell_everything(store, "front", {**two_objectives()})
    with find([url], "a") as a, find([url], "b") as b, find([url], "front") as front:
        told = compare([a, b])
        assert told.threshold == pytest.approx(0.9)
        assert [(e.to_share, e.reached) for e in told.entries] == [(None, 1.0), (3, 0.0)]
        fronts = compare([two, front])
        assert fronts.measure == "hypervolume [% of the largest]"
        assert [e.reached for e in fronts.entries] == [pytest.approx(100.0)] * 2


def two_objectives() -> dict[str, Objective]:
    return {**ONE, "cost": Objective(goal="minimize", unit="kg/m**3")}


def test_model_is_asked_once_for_slices_along_everything(one: Found) -> None:
    told = figure(one, "slices")
    assert [panel.title for panel in told.panels] == ["yield along temperature", "yield along flow", "yield along base"]
    assert [panel.x.scale for panel in told.panels] == ["linear", "log", "band"]
    assert "through experiment 8" in told.subtitle
    assert figure(one, "slices", parameters=["flow"]).panels == told.panels[1:2]
    question = {"verb": "figure_told", "url": one.url, "campaign": one.id, "arguments": {"kind": "sensitivity"}}
    effects = Figure.model_validate(answer(question)["told"])  # as the HTTP server has it computed
    assert {*effects.panels[0].y.categories} == {"temperature", "flow", "base"}
    with pytest.raises(UnknownNameError, match="has no parameter 'pressure'; it has temperature, flow, base"):
        figure(one, "slices", parameters=["pressure"])
    with pytest.raises(ConflictError, match="belongs to slices alone"):
        figure(one, "progress", parameters=["flow"])


def test_very_many_attempts_are_told_as_shares_of_the_time() -> None:
    given = Given(name="long", simulated=False, objectives=ONE, parameters={}, experiments=())
    # A reactor that works all the time, an assay that takes a tenth of it, and one attempt that faulted.
    attempts = [Attempt("reactor", i, "react", "succeeded", 10.0 * i, 10.0 * i + 10.0) for i in range(2000)]
    attempts += [Attempt("hplc", i, "assay", "faulted" if i == 7 else "succeeded", 10.0 * i, 10.0 * i + 1.0) for i in range(2000)]
    told = timeline(given, attempts)
    layers = {layer.series: layer for layer in told.panels[0].layers if isinstance(layer, Spans)}
    assert layers["at work more than 67 % of the time"].lane == ("reactor",)
    whole = layers["at work less than 33 %"]
    assert (whole.lane, whole.start, whole.end) == (("hplc",), (0.0,), (pytest.approx(20000.0),))
    assert layers["faulted"].start == (70.0,)
    assert "hplc 10 %, reactor 100 %; 1 attempt faulted or unknown" in told.summary
    assert "share of each 66.7 s" in told.notes[0]
