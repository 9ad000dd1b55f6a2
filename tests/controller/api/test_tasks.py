"""Tasks over HTTP: whoever may look sees them, whoever may operate answers, once and with their name."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

import pytest

from controller.settings import folder_of
from instruments.tasks.folder import TaskFolder
from instruments.tasks.form import FormField
from instruments.tasks.task import End, Task
from tests.controller.api.conftest import Client

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def tasks(url: str) -> TaskFolder:
    folder = TaskFolder(Path(folder_of(url)) / "labs" / "films" / "people")
    folder.prepare()
    return folder


@pytest.fixture
def task(tasks: TaskFolder) -> str:
    fields = {
        "thickness": FormField(unit="nm", low=10, high=2000), "dull": FormField(kind="bool"),
        "photo": FormField(kind="file", optional=True),
    }  # fmt: skip
    key = uuid.uuid4().hex
    tasks.post(
        Task(
            id=key, instrument="people", action="coat", instructions="Coat it.", fields=fields, asked_at=time.time(),
            typical_s=60.0, longest_s=600.0,
        )
    )  # fmt: skip
    return key


def test_tasks_are_listed_with_their_forms(client: Client, task: str) -> None:
    found = client("look").get("/tasks")
    row = next(row for row in found.json()["tasks"] if row["task"] == task)
    assert row["status"] == "waiting"
    assert row["fields"]["thickness"]["expected"] == "a number from 10 to 2000 [nm]"
    assert client("look").get("/tasks", headers={"If-None-Match": found.headers["ETag"]}).status_code == 304
    assert client("look").get(f"/tasks/{task[-6:]}").json()["task"] == task


def test_answer_is_kept_once_with_who_gave_it(client: Client, task: str, tasks: TaskFolder) -> None:
    place = f"/tasks/{task}/answer"
    given = {"values": {"thickness": {"value": 0.35, "unit": "um", "sem": 0.01}, "dull": False}, "note": "streaks"}
    assert client("look").post(place, json=given).status_code == 403
    done = client("operate").post(place, json=given)
    assert (done.status_code, done.json()["answer"]["by"]) == (200, "operate over HTTP")
    assert done.json()["answer"]["values"]["thickness"] == {"value": 350.0, "unit": "nm", "sem": 10.0, "said": done.json()[
        "answer"]["values"]["thickness"]["said"]}  # fmt: skip
    assert client("operate").post(place, json=given).status_code == 200, "the same again changes nothing"
    other = client("operate").post(place, json={"skipped": "lunch"})
    assert (other.status_code, "was answered by operate over HTTP" in other.json()["detail"]) == (409, True)
    tasks.finish(task, End(kind="answered", at=time.time()))
    assert task not in [row["task"] for row in client("look").get("/tasks").json()["tasks"]]
    assert task in [row["task"] for row in client("look").get("/tasks", params={"all": True}).json()["tasks"]]


def test_every_fault_of_an_answer_is_told(client: Client, task: str) -> None:
    values = {"thickness": "9 km", "mass": 1, "photo": "sha256:0"}
    refused = client("operate").post(f"/tasks/{task}/answer", json={"values": values})
    assert refused.status_code == 422
    assert [fault.partition(":")[0] for fault in refused.json()["faults"]] == ["mass", "thickness", "dull", "photo"]
    assert client("operate").post(f"/tasks/{task}/answer", json={}).status_code == 409
    assert client("operate").post("/tasks/nothing/answer", json={"failed": "x"}).status_code == 404
    assert client("operate").post("/tasks/..%2F..%2Fx/answer", json={"failed": "x"}).status_code == 404


def test_photo_is_sent_first_and_named_in_the_answer(client: Client, task: str, tasks: TaskFolder) -> None:
    speak = client("operate")
    assert speak.post(f"/tasks/{task}/files", content=b"").status_code == 422
    value = speak.post(f"/tasks/{task}/files", content=b"\x89PNG picture").json()["value"]
    values = {"thickness": 350, "dull": "yes"}
    strange = speak.post(f"/tasks/{task}/answer", json={"values": {**values, "photo": "sha256:" + "0" * 64}})
    assert (strange.status_code, "send the file first" in strange.json()["detail"]) == (422, True)
    assert speak.post(f"/tasks/{task}/answer", json={"values": {**values, "photo": value}}).status_code == 200
    assert tasks.file(task, value).read_bytes() == b"\x89PNG picture"
