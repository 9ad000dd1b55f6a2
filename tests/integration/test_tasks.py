"""Steps that people do, end to end: real controller, real driver process, killed and stopped while a task waits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from controller.errors import ConflictError, FormFaultsError, UnknownNameError
from controller.files.loading import load_campaign
from controller.store.audit import audit
from controller.store.opening import Store
from controller.verbs import tasks
from controller.verbs.overview import overview
from controller.verbs.stores import find, readers
from instruments.sdk.options import build_driver
from instruments.sdk.registry import load_driver
from tests.integration.film import answer, make_bench, status_of, urls, wait_for_task, waiting
from tests.integration.support import Bench, wait_until

pytestmark = pytest.mark.timeout(240)


def test_tasks_end_as_they_should_whatever_is_stopped_killed_or_aborted(tmp_path: Path) -> None:
    more = "failures: {stall_factor: 1.0, deadline_factor: 100}\n"
    bench = make_bench(tmp_path, experiments=9, typical=0.1, longest=2.0, more=more)
    process = bench.start()
    try:
        a_stop_leaves_unknown_what_somebody_may_have_begun(bench)
        what_is_not_done_fails_or_is_cancelled(bench)
        late = it_is_late_only_when_it_is(bench)
        process.kill()
        process.wait()
        bench.kill_everything()
        an_answer_is_kept_while_nobody_is_at_work(bench, late)

        process = bench.start()
        shown = status_of(bench, 4, "completed")
        assert shown["objectives"] == {"haze": -50.0}
        assert shown["attempts"] == 2, "one of each step: nobody was asked twice"
        assert tasks.show(urls(bench), late)["status"] == "answered"
        withdrawn = wait_for_task(bench)["task"]
        bench.ask("campaign", "abort", "film")
        assert process.wait(60) != 0
    finally:
        process.kill()
        process.wait()
        bench.kill_everything()
    assert waiting(bench) == []
    row = answer(bench, withdrawn, patience_s=0.2)
    assert (row["status"], row["taken"]) == ("late", False)
    assert "No experiment takes it" in row["text"]
    assert status_of(bench, 5, "cancelled")["objectives"] == {}
    with Store.open(urls(bench)[0]) as store:
        report = audit(store, "film")
    assert (report.balanced, report.differences) == (True, [])


def a_stop_leaves_unknown_what_somebody_may_have_begun(bench: Bench) -> None:
    task = wait_for_task(bench)
    assert (task["campaign"], task["experiment"], task["step"]) == ("film", 1, "coat")
    with find(urls(bench), "film") as found:
        (waits,) = overview(found)["people"]
    assert waits["what"] == "experiment 1, step coat: Coat a film at 3000 rpm."
    assert waits["do"] == f"labwright task answer {task['task'][-6:]}"
    bench.ask("instrument", "stop", "people")
    status_of(bench, 1, "unknown")  # it consumes matter
    assert tasks.show(urls(bench), task["task"])["why"] == "the attempt was stopped"
    bench.ask("instrument", "resume", "people")


def what_is_not_done_fails_or_is_cancelled(bench: Bench) -> None:
    task = wait_for_task(bench)["task"]
    with pytest.raises(FormFaultsError, match=r"thickness: '9000\.0' lies above 2000; give a number from 10 to 2000"):
        answer(bench, task, 9000.0)
    with pytest.raises(UnknownNameError, match=f"those that wait are {task[-6:]}"):
        answer(bench, "zzzzzz")
    told = tasks.answer(urls(bench), task, by="ada", failed="the ink is dry", patience_s=30.0)
    assert "it failed" in told["text"]
    assert status_of(bench, 2, "failed")["reason"] == "could not be done, says ada: the ink is dry"
    tasks.answer(urls(bench), wait_for_task(bench)["task"], by="ada", skipped="lunch", patience_s=30.0)
    status_of(bench, 3, "cancelled")


def it_is_late_only_when_it_is(bench: Bench) -> str:
    task = wait_for_task(bench)
    wait_until(lambda: task["task"] in [a["attempt"] for a in alarms(bench)], 60, "the alarm")
    alarm = next(a for a in alarms(bench) if a["attempt"] == task["task"])
    assert (alarm["code"], alarm["at"] > task["due_at"]) == ("stalled", True)
    assert waiting(bench)[0]["late"], "it still waits, and says that it is late"
    return str(task["task"])


def an_answer_is_kept_while_nobody_is_at_work(bench: Bench, task: str) -> None:
    assert [row["task"] for row in waiting(bench)] == [task]
    kept = answer(bench, task[-6:], "0.35 um", patience_s=0.2)
    assert (kept["taken"], kept["status"]) == (False, "answered")
    assert "its driver takes it when it is at work" in kept["text"]
    with pytest.raises(ConflictError, match=r"answered by ada at .* already: thickness 350.0 nm, colour brown"):
        answer(bench, task, 400, by="bob")


def test_twin_answers_by_itself(tmp_path: Path) -> None:
    instrument = load_campaign(make_bench(tmp_path).campaign, simulate=True).lab.instruments["people"]
    twin = build_driver(load_driver(instrument.driver), instrument.options)
    values = twin.actions()["coat"].returns
    assert (values["thickness"].low, values["thickness"].high, values["colour"].choices) == (10, 2000, ("yellow", "brown"))
    assert twin.simulated


def alarms(bench: Bench) -> list[dict[str, Any]]:
    with readers(urls(bench)) as ((_, reader),):
        return reader.alarms()
