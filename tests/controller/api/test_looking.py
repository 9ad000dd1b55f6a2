"""What is looked at over HTTP is what the command line shows; lists have an ETag, long ones a cursor."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from controller.domain.access import Role
from controller.domain.event import AlarmRaised, ExperimentStatusChanged, Observation
from controller.domain.experiment import ExperimentStatus
from controller.notify.service import Teller
from controller.settings import folder_of
from controller.store.opening import Store
from controller.store.reading import open_reader
from controller.verbs.export import as_csv
from controller.verbs.stores import find
from tests.controller.api.conftest import Client
from tests.controller.api.people import bearer, enter
from tests.controller.api.process import Served, served
from tests.controller.cli.conftest import Call, call
from tests.controller.notify.receiver import receiver
from tests.controller.store.conftest import fill
from tests.controller.store.postgres import PASSWORD, installed_postgres
from tests.controller.store.samples import Script

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
    calibration = looking.get("/campaigns/sample/calibration").json()
    assert calibration == call("campaign", "calibration", "sample", "--store", url, "--json").json
    why = looking.get("/campaigns/sample/experiments/1/why").json()
    assert why == call("campaign", "why", "sample", "1", "--store", url, "--json").json
    with find([url], "sample") as found:
        assert looking.get("/campaigns/sample/export").text == as_csv(found)


@pytest.mark.parametrize(
    ("path", "command", "status"),
    [
        ("/campaigns/smaple", ["campaign", "show", "smaple"], 404),
        ("/campaigns/sample/experiments/99", ["experiment", "show", "sample", "99"], 404),
        ("/campaigns/sample/slices/pressure", ["campaign", "slice", "sample", "pressure"], 404),
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


def test_every_metric_is_there_and_says_what_the_store_holds(client: Client, url: str) -> None:
    scraped = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(client().get("/metrics").text) for sample in family.samples
    }  # fmt: skip
    store, sample = url.removeprefix("sqlite:///"), [("campaign", "sample"), ("data", "simulated")]
    assert scraped["labwright_campaigns", ("status", "running"), ("store", store)] == 1
    assert scraped["labwright_campaigns", ("status", "completed"), ("store", store)] == 0
    assert scraped["labwright_budget_experiments", *sample] == 10
    assert scraped["labwright_spent_experiments", *sample] == 4
    assert scraped["labwright_experiments", *sample, ("status", "queued")] == 1
    assert scraped["labwright_objective_best", *sample, ("objective", "yield")] == 61.25
    assert scraped["labwright_objective_best", *sample, ("objective", "cost")] == 3.0
    assert scraped["labwright_proposal_seconds", *sample] == 0.5
    assert scraped["labwright_alarms_total", ("campaign", "sample"), ("code", "stall"), ("data", "simulated")] == 1
    reactor = [("instrument", "reactor"), ("lab", "bench")]
    assert scraped["labwright_attempts_total", *reactor, ("status", "faulted")] == 1
    assert scraped["labwright_instrument_busy_seconds_total", *reactor] > 0
    assert scraped["labwright_instrument_state", *reactor, ("state", "not at work")] == 1
    assert scraped["labwright_instrument_held", *reactor] == 0


def test_what_is_kept_is_told_anew_as_soon_as_something_happens(tmp_path: Path) -> None:
    url, script = f"sqlite:///{tmp_path / 'store.db'}", Script()
    token = enter(url, "ada", Role.LOOK)
    with Store.open(url) as store:
        fill(store, script)
    paths = ("/campaigns/sample", "/campaigns/sample/calibration", "/campaigns/sample/alarms", "/metrics")
    with served(tmp_path, url) as api, httpx.Client(base_url=f"{api.url}/v1", headers=bearer(token), timeout=30.0) as looking:
        before = {path: looking.get(path).content for path in paths}
        assert {path: looking.get(path).content for path in paths} == before
        experiment, proposed = script.proposed()
        observed = {"yield": Observation(value=70.0, unit="percent"), "cost": Observation(value=1.0)}
        done = ExperimentStatusChanged(
            campaign=script.campaign, at=script.now, experiment=experiment, status=ExperimentStatus.COMPLETED, observations=observed
        )
        alarm = AlarmRaised(campaign=script.campaign, at=script.now, code="distrust", message="intervals too narrow")
        with Store.open(url) as store:
            store.commit_now([*proposed, script.status(experiment, ExperimentStatus.RUNNING), done, alarm])
        after = {path: looking.get(path) for path in paths}
        assert json.loads(after["/campaigns/sample"].content)["best"][-1]["objectives"]["yield"] == 70.0
        assert len(after["/campaigns/sample/calibration"].json()["distrusted_at"]) == 1
        assert after["/campaigns/sample/alarms"].json()["alarms"][-1]["code"] == "distrust"
        assert 'labwright_objective_best{campaign="sample",data="simulated",objective="yield"} 70.0' in after["/metrics"].text


def test_what_was_told_is_listed_counted_and_tried(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'told.db'}"
    token = enter(url, "ada", Role.ADMINISTER)
    folder = folder_of(url)
    folder.mkdir(exist_ok=True)
    with receiver() as inbox:
        rules = {"targets": {"hook": {"webhook": inbox.webhook, "tell": ["all"], "gather_s": 0}}}
        (folder / "notify.yaml").touch(mode=0o600)
        (folder / "notify.yaml").write_text(json.dumps(rules), encoding="utf-8")
        teller = Teller([url], folder / "notify.yaml", poll_s=0.02)
        with Store.open(url) as store:
            fill(store, Script())
        teller.leave(orderly=True)
        teller.run()
        assert len(inbox.taken) == 1
        with served(tmp_path, url) as process:
            asking = httpx.Client(base_url=f"{process.url}/v1", headers=bearer(token), timeout=30.0)
            listed = asking.get("/notifications").json()
            assert {row["topic"] for row in listed["notifications"]} == {"failure", "unknown", "alarm"}
            assert {row["status"] for row in listed["notifications"]} == {"sent"}
            assert asking.get("/notifications", params={"after": listed["next"]}).json()["notifications"] == []
            (row,) = asking.get("/notifications", params={"limit": 1}).json()["notifications"]
            assert row == listed["notifications"][0]
            tried = asking.post("/notifications/test", json={}).json()["targets"]
            assert [(t["target"], t["arrived"]) for t in tried] == [("hook", True)]
            assert "t0ken" not in json.dumps(tried)
            assert asking.post("/notifications/test", json={"targets": ["nobody"]}).status_code == 404
            sent = f'labwright_notification_messages_total{{outcome="sent",store="{tmp_path / "told.db"}",target="hook"}} 1.0'
            assert sent in asking.get("/metrics").text
            asking.close()


def test_what_does_not_exist_is_told_as_a_problem(client: Client, api: Served) -> None:
    looking = client()
    for method, path, status in (("GET", "/nothing", 404), ("DELETE", "/campaigns", 405), ("GET", "/campaigns/", 404)):
        answer = looking.request(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        assert answer.json()["detail"]
    assert httpx.get(f"{api.url}/nothing", headers=looking.headers).status_code == 404


def test_misspelt_parameter_is_not_passed_over(client: Client) -> None:
    answer = client().get("/campaigns/sample/experiments", params={"limt": 5})
    assert answer.status_code == 422
    allowed = "after, limit, offset, sort, status"
    assert answer.json()["detail"] == f"query.limt: there is no such parameter; what may be given: {allowed}"


def test_body_that_is_no_json_is_told(client: Client) -> None:
    answer = client("operate").post("/instruments/stop", content=b"{ all }", headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("body: is no JSON (Expecting property name")


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


async def test_results_retracted_at_the_same_moment_are_all_booked(tmp_path: Path) -> None:
    """Where no controller works each is booked under the campaign's lock, which must not be taken for a controller."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with Store.open(url) as store:
        fill(store, Script())
    token = enter(url, "ada", Role.OPERATE)
    with served(tmp_path, url) as api:
        async with httpx.AsyncClient(base_url=f"{api.url}/v1", headers=bearer(token), timeout=60) as asking:
            place = "/campaigns/sample/experiments/1/retract"
            for undo in (False, True):
                answers = await asyncio.gather(*(asking.post(place, json={"reason": "x", "undo": undo}) for _ in range(6)))
                assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409, 409]
            assert (await asking.get("/campaigns/sample/audit")).json()["balanced"] is True
            assert (await asking.get("/requests")).json()["requests"] == []


@pytest.mark.timeout(180)
def test_store_that_is_away_is_told_and_a_stop_does_not_wait_for_it(tmp_path: Path) -> None:
    with installed_postgres() as server:
        url = server.create_database()
        with Store.open(url) as store:
            fill(store, Script())
        token = enter(url, "ada", Role.OPERATE)
        with served(tmp_path, url) as api, httpx.Client(base_url=f"{api.url}/v1", headers=bearer(token), timeout=60) as asking:
            assert len(asking.get("/campaigns/sample/experiments").json()["experiments"]) == 5
            server.stop()
            answer = asking.get("/campaigns/sample")
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert answer.json()["error"] == "StoreError"
            began = time.monotonic()
            stopped = asking.post("/instruments/stop", json={"instruments": ["nowhere"]})
            assert stopped.status_code == 404  # who asks is known from the list last read; there is no such driver here
            assert time.monotonic() - began < 3.0
            server.start()
            deadline = time.monotonic() + 30
            while asking.get("/campaigns/sample").status_code != 200:
                assert time.monotonic() < deadline
                time.sleep(0.2)
            shown = Path(f"/proc/{api.pid}/cmdline").read_text() + api.said + answer.text
            assert PASSWORD not in shown


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[" * 100_000, 400), (b'{"file": {"a": ' + b"[" * 700 + b"]" * 700 + b"}}", 422),
        (b'{"file": {"seed": ' + b"9" * 5000 + b"}}", 400), (b'{"file": {"campaign": "x\\ud800"}}', 422),
        (b'{"file": {"campaign": NaN}}', 422), (b"\xff\xfe", 422), (b"", 422), (b"null", 422),
        (b'{"file": {"lab": "/etc/shadow", "candidates": "/dev/zero"}}', 422),
    ],
    ids=["deep", "deep file", "long number", "half a character", "no number", "no text", "nothing", "null", "files of others"],
)  # fmt: skip
def test_campaign_that_is_a_bomb_is_refused(client: Client, body: bytes, status: int) -> None:
    answer = client("administer").post("/campaigns", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text[:300]
    assert len(answer.content) < 20_000


@pytest.mark.parametrize(
    ("format", "begins", "ending"),
    [
        ("csv", b"campaign,", ".csv"), ("json", b"{", ".json"), ("parquet", b"PAR1", ".parquet"), ("xlsx", b"PK", ".xlsx"),
        ("crate", b"PK", ".zip"),
    ],
)  # fmt: skip
def test_every_form_of_an_export_can_be_taken_over_http(client: Client, format: str, begins: bytes, ending: str) -> None:
    answer = client().get("/campaigns/sample/export", params={"format": format})
    assert answer.status_code == 200
    assert answer.content.startswith(begins)
    assert f'filename="sample{ending}"' in answer.headers["Content-Disposition"]
    if format in ("csv", "json", "parquet"):  # a spreadsheet and a bundle hold when they were written
        known = {"If-None-Match": answer.headers["ETag"]}
        again = client().get("/campaigns/sample/export", params={"format": format}, headers=known)
        assert (again.status_code, again.content) == (304, b"")


def test_tables_are_taken_over_http_and_what_cannot_be_is_refused(client: Client) -> None:
    events = client().get("/campaigns/sample/export", params={"table": "events"})
    assert events.text.startswith("campaign,sequence,at,kind")
    refused = client().get("/campaigns/sample/export", params={"table": "events", "format": "xlsx"})
    assert refused.status_code == 409
    assert "xlsx holds every table" in refused.json()["detail"]
    assert client().get("/campaigns/sample/export", params={"format": "ods"}).status_code == 422


def test_alarms_and_requests_are_read_on_from_where_one_was(client: Client, url: str) -> None:
    looking = client()
    first = looking.get("/campaigns/sample/alarms", params={"limit": 1}).json()
    assert (len(first["alarms"]), first["next"]) == (1, 1)
    rest = looking.get("/campaigns/sample/alarms", params={"after": first["next"]}).json()
    with open_reader(url) as reader:
        assert first["alarms"] + rest["alarms"] == reader.alarms("sample")
    assert looking.get("/campaigns/sample/alarms", params={"after": rest["next"]}).json() == {"alarms": [], "next": rest["next"]}
    begun = looking.get("/requests").json()
    with Store.open(url) as store:
        asked = [store.ask("pause", None, {"reason": word}, "ada") for word in ("one", "two")]
    after = {} if begun["next"] is None else {"after": begun["next"]}
    since = looking.get("/requests", params=after).json()
    assert ([row["id"] for row in since["requests"]][-2:], since["next"]) == (asked, asked[-1])
    assert [row["id"] for row in looking.get("/requests", params={"after": asked[0]}).json()["requests"]] == asked[1:]
    assert looking.get("/requests", params={"after": "nothing"}).status_code == 404
