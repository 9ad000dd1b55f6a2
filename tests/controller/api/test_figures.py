"""Figures over HTTP: the same data as everywhere, with an ETag."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import httpx

from controller.domain.access import Role
from controller.figures.figure import Figure
from controller.store.opening import Store
from controller.verbs.plotting import compare, comparison_told, figure, kinds_of
from controller.verbs.stores import find
from tests.controller.api.conftest import Client
from tests.controller.api.people import bearer, enter
from tests.controller.api.process import served
from tests.controller.store.conftest import fill
from tests.controller.store.samples import Script, make_definition


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


def test_campaigns_are_compared_as_by_the_command_line_and_anew_when_one_goes_on(tmp_path: Path) -> None:
    url, other = f"sqlite:///{tmp_path / 'two.db'}", Script(make_definition("other"))
    token = enter(url, "ada", Role.LOOK)
    with Store.open(url) as store:
        fill(store, Script())
        fill(store, other)
    wanted = {"campaign": ["sample", "other"]}

    def compared() -> object:
        with ExitStack() as stack:
            found = [stack.enter_context(find([url], name)) for name in wanted["campaign"]]
            return json.loads(json.dumps(comparison_told(compare(found))))

    with served(tmp_path, url) as api, httpx.Client(base_url=f"{api.url}/v1", headers=bearer(token), timeout=30.0) as looking:
        first = looking.get("/comparison", params=wanted)
        assert first.json() == compared()
        assert [row["campaign"] for row in first.json()["campaigns"]] == ["sample", "other"]
        assert looking.get("/comparison", params=wanted, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
        _, events = other.proposed()
        with Store.open(url) as store:
            store.commit_now(events)
        again = looking.get("/comparison", params=wanted)
        assert again.json() == compared() != first.json()
        assert looking.get("/comparison", params={"campaign": ["sample", "nowhere"]}).status_code == 404
        assert looking.get("/comparison", params={"campaign": ["sample", "sample"]}).status_code == 409
        assert looking.get("/comparison", params={"campaign": "sample"}).status_code == 422
