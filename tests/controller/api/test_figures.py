"""Figures over HTTP: the same data as everywhere, with an ETag."""

from __future__ import annotations

from controller.figures.figure import Figure
from controller.verbs.plotting import figure, kinds_of
from controller.verbs.stores import find
from tests.controller.api.conftest import Client


def test_figures_are_those_of_the_command_line(client: Client, url: str) -> None:
    looking = client()
    listed = looking.get("/campaigns/sample/figures").json()["figures"]
    with find([url], "sample") as found:
        assert {entry["kind"]: entry["about"] for entry in listed} == kinds_of(found)
        assert {entry["kind"] for entry in listed if entry["model"]} == {"slices", "sensitivity"}
        answer = looking.get("/campaigns/sample/figures/progress")
        assert Figure.model_validate(answer.json()) == figure(found, "progress")
    again = looking.get("/campaigns/sample/figures/progress", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_unknown_figure_is_told_as_a_problem(client: Client) -> None:
    answer = client().get("/campaigns/sample/figures/pie")
    assert answer.status_code == 404
    assert "there is no figure 'pie'; there is progress" in answer.json()["detail"]
