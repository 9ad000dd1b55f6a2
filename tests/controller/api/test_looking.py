"""What is looked at over HTTP is what the command line shows; lists have an ETag, long ones a cursor."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from controller.store.reading import open_reader
from controller.verbs.export import as_csv
from controller.verbs.stores import find
from tests.controller.api.conftest import Client
from tests.controller.api.process import Served
from tests.controller.cli.conftest import Call, call

__all__ = ["call"]  # a fixture of the command line's tests


def test_same_is_told_as_by_the_command_line(client: Client, call: Call, url: str) -> None:
    looking = client()
    (listed,) = looking.get("/campaigns").json()["campaigns"]
    (said,) = call("campaign", "list", "--store", url, "--json").json
    assert {**listed, "data": said["data"]} == said
    assert looking.get("/campaigns/sample").json() == call("campaign", "show", "sample", "--store", url, "--json").json
    shown = looking.get("/campaigns/sample/experiments/1").json()
    assert shown == call("experiment", "show", "sample", "1", "--store", url, "--json").json
    assert looking.get("/campaigns/sample/audit").json() == call("campaign", "audit", "sample", "--store", url, "--json").json
    assert looking.get("/instruments").json()["instruments"] == call("instrument", "list", "--store", url, "--json").json
    with find([url], "sample") as found:
        assert looking.get("/campaigns/sample/export").text == as_csv(found)


@pytest.mark.parametrize(
    ("path", "command", "status"),
    [
        ("/campaigns/smaple", ["campaign", "show", "smaple"], 404),
        ("/campaigns/sample/experiments/99", ["experiment", "show", "sample", "99"], 404),
    ],
)
def test_problem_is_told_in_the_words_of_the_command_line(
    client: Client, call: Call, url: str, path: str, command: list[str], status: int
) -> None:
    answer = client().get(path)
    said = call(*command, "--store", url, "--json").error
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (problem["detail"], problem["error"]) == (said["error"], said["type"])


def test_answer_that_the_client_has_already_is_not_sent_again(client: Client) -> None:
    looking = client()
    for path in ("/campaigns", "/campaigns/sample", "/campaigns/sample/experiments", "/instruments", "/campaigns/sample/alarms",
                 "/campaigns/sample/export", "/requests"):  # fmt: skip
        first = looking.get(path)
        tag = first.headers["etag"]
        again = looking.get(path, headers={"If-None-Match": f'"other", W/{tag}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert looking.get(path, headers={"If-None-Match": '"other"'}).content == first.content


def test_cursor_walks_through_all_experiments_and_the_whole_log(client: Client, url: str) -> None:
    looking, experiments, after = client(), [], 0
    while True:
        page = looking.get("/campaigns/sample/experiments", params={"after": after, "limit": 2}).json()
        experiments += page["experiments"]
        if page["next"] is None:
            break
        after = page["next"]
    with open_reader(url) as reader:
        assert experiments == reader.experiments("sample")
        log = reader.events("sample")
    events: list[dict[str, Any]] = []
    while rows := (page := looking.get("/campaigns/sample/events", params={"after": len(events), "limit": 7}).json())["events"]:
        events += rows
        assert page["next"] == rows[-1]["sequence"]
    assert events == json.loads(json.dumps(log))
    assert page["next"] == len(log)  # to be asked with later, for what happens from now on


def test_experiments_of_one_status_are_listed(client: Client) -> None:
    (unknown,) = client().get("/campaigns/sample/experiments", params={"status": "unknown"}).json()["experiments"]
    assert unknown["status"] == "unknown"
    answer = client().get("/campaigns/sample/experiments", params={"status": "lost"})
    assert answer.status_code == 422
    assert "query.status: 'lost'" in answer.json()["detail"]


def test_metrics_count_what_the_store_holds(client: Client) -> None:
    answer = client().get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert 'labwright_experiments{campaign="sample",data="real",status="unknown"} 1.0' in answer.text or (
        'labwright_experiments{campaign="sample",data="simulated",status="unknown"} 1.0' in answer.text
    )
    assert "labwright_campaign_status{" in answer.text
    assert "labwright_instrument_held{" in answer.text


def test_what_does_not_exist_is_told_as_a_problem(client: Client, api: Served) -> None:
    looking = client()
    for method, path, status in (("GET", "/nothing", 404), ("DELETE", "/campaigns", 405), ("GET", "/campaigns/", 404)):
        answer = looking.request(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        assert answer.json()["detail"]
    assert httpx.get(f"{api.url}/", headers=looking.headers).status_code == 404


def test_misspelt_parameter_is_not_passed_over(client: Client) -> None:
    answer = client().get("/campaigns/sample/experiments", params={"limt": 5})
    assert answer.status_code == 422
    assert answer.json()["detail"] == "query.limt: there is no such parameter; what may be given: after, limit, status"


def test_wrong_body_is_told_with_place_value_and_expectation(client: Client) -> None:
    operating = client("operate")
    answer = operating.post("/campaigns/sample/experiments/1/resolve", json={"status": "lost", "values": {"y": True}, "x": 1})
    problem = answer.json()
    assert answer.status_code == 422
    assert len(problem["faults"]) == 3
    expected = (
        "body.status: 'lost': Input should be 'completed', 'failed' or 'abandoned'",
        "body.values.y: True: Input should be a valid number", "body.x: 1: Extra inputs are not permitted",
    )  # fmt: skip
    assert [line for line in problem["faults"] if line.startswith(expected)] == problem["faults"]
