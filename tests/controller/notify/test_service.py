"""What happens in a store is told once, to everybody who asked for it, whatever becomes of servers and of who tells."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from controller.domain.campaign import CampaignStatus
from controller.domain.event import AlarmRaised, Event, ExperimentStatusChanged, Observation
from controller.domain.experiment import ExperimentStatus
from controller.errors import ConflictError
from controller.notify.outbox import Turn, tallies, told
from controller.notify.service import baseline
from controller.presence import Presence
from controller.settings import folder_of
from controller.store.opening import Store
from instruments.tasks.folder import TaskFolder
from instruments.tasks.task import Task
from tests.controller.notify.conftest import Telling, Write
from tests.controller.notify.receiver import Receiver, receiver, until
from tests.controller.store.samples import Script

E = ExperimentStatus
NOW = {"tell": ["all"], "gather_s": 0, "most_per_hour": 10000}


def begun(url: str, script: Script) -> None:
    with Store.open(url) as store:
        store.commit_now(script.created(), definition=script.definition)


def fail(url: str, script: Script, n: int = 1) -> None:
    """Enter experiments that fail, one transaction each."""
    with Store.open(url) as store:
        for _ in range(n):
            experiment, proposed = script.proposed()
            ended = script.status(experiment, E.FAILED, "line 3 blocked")
            store.commit_now([*proposed, script.status(experiment, E.RUNNING), ended])


def complete(url: str, script: Script, value: float) -> None:
    experiment, proposed = script.proposed()
    ended = ExperimentStatusChanged(
        campaign=script.campaign, at=script.now + 1.0, experiment=experiment, status=E.COMPLETED,
        observations={"yield": Observation(value=value, unit="percent"), "cost": Observation(value=100.0 - value)},
    )  # fmt: skip
    with Store.open(url) as store:
        store.commit_now([*proposed, script.status(experiment, E.RUNNING), ended])


def commit(url: str, *events: Event) -> None:
    with Store.open(url) as store:
        store.commit_now(list(events))


def alarm(script: Script, code: str, message: str) -> Event:
    script.now += 1.0
    return AlarmRaised(campaign=script.campaign, at=script.now, code=code, message=message)


def test_everything_is_told_once_across_restarts(
    store_url: str, script: Script, inbox: Receiver, write: Write, telling: Telling
) -> None:
    file = write(hook={"webhook": inbox.webhook, **NOW})
    begun(store_url, script)
    baseline(store_url)
    fail(store_url, script)
    with telling(store_url, file):
        until(lambda: len(inbox.notices()) == 1)
    fail(store_url, script)  # nobody looks
    with telling(store_url, file):
        until(lambda: len(inbox.notices()) == 2)
        fail(store_url, script)
        until(lambda: any("25 %" in text for text in inbox.texts))
    with telling(store_url, file):
        pass
    notices = inbox.notices()
    assert [n["experiment"] for n in notices if n["topic"] == "failure"] == [1, 2, 3]
    assert len({n["key"] for n in notices}) == len(notices)
    assert {row["status"] for row in told(folder_of(store_url))} == {"sent"}


def test_past_of_a_store_is_not_told_when_telling_begins(
    store_url: str, script: Script, inbox: Receiver, write: Write, telling: Telling
) -> None:
    begun(store_url, script)
    fail(store_url, script, 4)
    complete(store_url, script, 50.0)
    baseline(store_url)
    with telling(store_url, write(hook={"webhook": inbox.webhook, **NOW})):
        complete(store_url, script, 60.0)
        until(inbox.notices)
    assert [(n["topic"], n["experiment"]) for n in inbox.notices()] == [("best", 6)]
    assert "of 2" not in inbox.texts[0]
    assert "yield 60 percent, cost 40" in inbox.texts[0]


def test_failing_server_holds_up_nobody_and_gets_the_same_message_again(
    store_url: str, script: Script, inbox: Receiver, write: Write, telling: Telling
) -> None:
    begun(store_url, script)
    baseline(store_url)
    inbox.status = 503
    with receiver() as other:
        targets = {"bad": {"webhook": inbox.webhook, **NOW}, "good": {"webhook": other.webhook, **NOW}}
        with telling(store_url, write(**targets)):
            fail(store_url, script)
            until(lambda: len(inbox.refused) >= 2)
            assert len(other.taken) == 1
            fail(store_url, script)
            until(lambda: len(other.taken) == 2)
            inbox.status = 204
            until(lambda: len(inbox.notices()) == 2)
    assert {(headers["webhook-id"], body) for headers, body in inbox.refused} == {
        (inbox.taken[0][0]["webhook-id"], inbox.taken[0][2])
    }
    assert [n["experiment"] for n in inbox.notices()] == [1, 2]
    counted, waiting = tallies(folder_of(store_url))
    assert counted["bad", "failed attempts"] == len(inbox.refused)
    assert (counted["bad", "sent"], counted["good", "sent"], waiting) == (2, 2, {})


def test_server_that_is_down_is_told_after_a_restart(store_url: str, script: Script, write: Write, telling: Telling) -> None:
    begun(store_url, script)
    baseline(store_url)
    with receiver() as gone:
        port = gone.port
    file = write(hook={"webhook": f"http://127.0.0.1:{port}/", **NOW})
    with telling(store_url, file):
        fail(store_url, script)
        until(lambda: [row["status"] for row in told(folder_of(store_url))] == ["retrying"])
    (row,) = told(folder_of(store_url))
    assert "refused" in row["problem"]
    with receiver(port) as back, telling(store_url, file):
        until(lambda: back.taken)
    assert [n["experiment"] for n in back.notices()] == [1]


def test_slow_server_is_not_waited_for_at_the_end(
    store_url: str, script: Script, inbox: Receiver, write: Write, telling: Telling
) -> None:
    begun(store_url, script)
    baseline(store_url)
    inbox.delay_s = 5.0
    fail(store_url, script)
    began = time.monotonic()
    with telling(store_url, write(hook={"webhook": inbox.webhook, **NOW})):
        until(lambda: [row["status"] for row in told(folder_of(store_url))] == ["sending"])
    assert time.monotonic() - began < 4.9
    assert [row["status"] for row in told(folder_of(store_url))] == ["sending"]  # and it is sent again


def test_many_failures_become_one_message(tmp_path: Path, script: Script, inbox: Receiver, write: Write, telling: Telling) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    begun(url, script)
    baseline(url)
    fail(url, script, 20)
    with telling(url, write(hook={"webhook": inbox.webhook, "tell": ["failure"], "gather_s": 0.3})):
        until(lambda: inbox.taken)
    (text,) = inbox.texts
    assert text == "20 experiments failed (experiments 1–20); the last: experiment 20 failed: line 3 blocked"
    assert inbox.taken[0][1]["title"] == "sample (SIMULATED): 20 experiments failed"
    assert len(inbox.notices()) == 20


def test_no_more_messages_than_wanted_in_an_hour(
    tmp_path: Path, script: Script, inbox: Receiver, write: Write, telling: Telling
) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    begun(url, script)
    baseline(url)
    with telling(url, write(hook={"webhook": inbox.webhook, "tell": ["failure"], "gather_s": 0, "most_per_hour": 2})):
        for n in (1, 2):
            fail(url, script)
            until(lambda n=n: len(inbox.taken) == n)
        fail(url, script, 3)
        until(lambda: tallies(folder_of(url))[1] == {"hook": 3})
    assert len(inbox.taken) == 2


def test_targets_get_what_they_asked_for(tmp_path: Path, script: Script, inbox: Receiver, write: Write, telling: Telling) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    begun(url, script)
    baseline(url)
    day = time.strftime("%H:%M", time.gmtime(time.time() - 3600)), time.strftime("%H:%M", time.gmtime(time.time() + 3600))
    quiet = {"from": day[0], "to": day[1], "except": ["stall"]}
    with receiver() as real, receiver() as other, receiver() as asleep:
        file = write(
            every={"webhook": inbox.webhook, **NOW}, real={"webhook": real.webhook, **NOW, "data": "real"},
            other={"webhook": other.webhook, **NOW, "campaigns": ["flow-*"]},
            asleep={"webhook": asleep.webhook, **NOW, "quiet": quiet},
        )  # fmt: skip
        with telling(url, file):
            fail(url, script)
            commit(url, alarm(script, "stalled", "experiment 1, step react on reactor has taken 900 s"))
            until(lambda: len(inbox.notices()) == 2 and asleep.taken)
        assert (real.taken, other.taken) == ([], [])
        assert [n["topic"] for n in asleep.notices()] == ["stall"]
    waiting = [row for row in told(folder_of(url)) if row["status"] == "waiting"]
    assert [(row["target"], row["topic"]) for row in waiting] == [("asleep", "failure")]


def test_driver_that_is_away_is_told_once(tmp_path: Path, script: Script, inbox: Receiver, write: Write, telling: Telling) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    begun(url, script)
    baseline(url)
    lab = folder_of(url) / "labs" / "bench"
    lab.mkdir(parents=True)
    with Presence(lab / "status.json") as status, telling(url, write(1.0, hook={"webhook": inbox.webhook, **NOW})):
        states = [{"instrument": "reactor", "connected": False}, {"instrument": "hplc", "connected": True}]
        status.show(json.dumps({"instruments": states}))
        until(lambda: inbox.taken)
        time.sleep(0.6)
    assert [n["topic"] for n in inbox.notices()] == ["away"]
    assert "the driver of reactor (lab bench) has been away for" in inbox.texts[0]


def test_end_of_a_controller_that_nobody_told_to_end_is_told(
    tmp_path: Path, script: Script, inbox: Receiver, write: Write, telling: Telling
) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    begun(url, script)
    file = write(hook={"webhook": inbox.webhook, "gather_s": 1000})
    baseline(url)
    with telling(url, file):
        pass
    assert not inbox.taken
    with telling(url, file, orderly=False):
        pass
    assert [n["topic"] for n in inbox.notices()] == ["controller"]
    assert "without being told to" in inbox.texts[0]


def test_changed_file_is_read_again_and_a_wrong_one_is_not_used(
    tmp_path: Path, script: Script, inbox: Receiver, write: Write, telling: Telling, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    begun(url, script)
    baseline(url)
    with receiver() as later:
        with telling(url, write(hook={"webhook": later.webhook, "tell": ["stall"]})):
            write(hook={"webhook": "ftp://nowhere", "url": "both"})
            until(lambda: "what it said before holds" in caplog.text)
            write(hook={"webhook": inbox.webhook, **NOW})
            time.sleep(0.1)
            fail(url, script)
            until(lambda: inbox.taken)
        assert later.taken == []


def test_two_processes_never_tell_of_one_store(tmp_path: Path) -> None:
    with Turn(tmp_path), pytest.raises(ConflictError, match="leave --notify out"), Turn(tmp_path):
        pass
    with Turn(tmp_path):
        pass


def test_outbox_is_for_its_owner_alone(tmp_path: Path, script: Script) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    begun(url, script)
    baseline(url)
    assert (folder_of(url) / "notify" / "outbox.db").stat().st_mode & 0o077 == 0


def test_pause_by_a_person_is_not_told_one_by_itself_is(
    tmp_path: Path, script: Script, inbox: Receiver, write: Write, telling: Telling
) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    begun(url, script)
    baseline(url)
    why = "5 experiments failed in a row, the last one because: clogged"
    commit(
        url, script.campaign_status(CampaignStatus.PAUSED, "paused by ada"), script.campaign_status(CampaignStatus.RUNNING),
        script.campaign_status(CampaignStatus.PAUSED, why), alarm(script, "too_many_failures", why),
    )  # fmt: skip
    with telling(url, write(hook={"webhook": inbox.webhook, "tell": ["all"], "gather_s": 0.2})):
        until(lambda: inbox.taken)
    assert [n["topic"] for n in inbox.notices()] == ["paused", "failures"]
    assert inbox.texts == [f"the campaign paused by itself: {why}"]  # the same reason is not told twice


def test_task_is_told_once_while_it_waits(tmp_path: Path, script: Script, inbox: Receiver, write: Write, telling: Telling) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    begun(url, script)
    baseline(url)
    experiment, proposed = script.proposed()
    attempt, committed = script.committed(experiment)
    commit(url, *proposed, script.status(experiment, E.RUNNING), committed)
    folder = TaskFolder(folder_of(url) / "labs" / "bench" / "reactor")
    folder.prepare()
    asked = {"instrument": "reactor", "action": "run", "asked_at": 1_780_000_000.0, "typical_s": 60.0, "longest_s": 600.0}
    folder.post(Task(id=attempt, instructions="Weigh 2 g\nof KOAc", **asked))
    folder.post(Task(id="of-no-campaign", instructions="Read the dial", **asked))
    file = write(hook={"webhook": inbox.webhook, "gather_s": 0})
    for _ in range(2):
        with telling(url, file):
            until(lambda: inbox.taken)
            time.sleep(0.1)
    assert inbox.texts == [
        "somebody is needed at reactor: Weigh 2 g of KOAc (experiment 1, step react, due 2026-05-28 20:36 UTC); "
        f"labwright task answer {attempt[-6:]}"
    ]
    assert [n["topic"] for n in inbox.notices()] == ["person"]


def test_what_is_booked_late_in_a_campaign_that_is_over_is_told_at_once(
    tmp_path: Path, script: Script, inbox: Receiver, write: Write, telling: Telling
) -> None:
    """A person settles what was unknown: the log grows, though the campaign's last time may stay as it was."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    begun(url, script)
    commit(url, script.campaign_status(CampaignStatus.COMPLETED, "the budget is used up"))
    with telling(url, write(hook={"webhook": inbox.webhook, **NOW})):
        until(lambda: len(inbox.notices()) == 1)
        commit(url, AlarmRaised(campaign=script.campaign, at=script.now, code="stalled", message="seen late"))
        until(lambda: any("seen late" in text for text in inbox.texts))
