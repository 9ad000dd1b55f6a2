"""The process that asks models for the server: it answers, dies and is followed by another, and ends with whoever asks."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import psutil
import pytest

from controller.errors import ConflictError, LabwrightError, UnknownNameError
from controller.store.opening import Store
from controller.verbs.aside import Aside, answer
from controller.verbs.stores import Found, find
from tests.controller.store.samples import Script


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Found]:
    """A campaign that has only begun."""
    url, script = f"sqlite:///{tmp_path_factory.mktemp('store') / 'begun.db'}", Script()
    with Store.open(url) as store:
        store.commit_now(script.created(), definition=script.definition)
    with find([url], "sample") as campaign:
        yield campaign


@pytest.fixture
def aside() -> Iterator[Aside]:
    made = Aside()
    yield made
    made.close()


def test_what_is_raised_on_purpose_arrives_as_it_is(aside: Aside, found: Found) -> None:
    with pytest.raises(ConflictError, match="sample has no result yet"):
        aside.ask(found, "sensitivity")
    nowhere = Found(found.url, found.reader, {**found.campaign, "id": "nowhere"})
    with pytest.raises(UnknownNameError, match="no campaign 'nowhere'"):
        aside.ask(nowhere, "why", number=None)


def test_process_that_has_died_is_followed_by_another(aside: Aside, found: Found) -> None:
    nowhere = Found(found.url, found.reader, {**found.campaign, "id": "nowhere"})
    numbers = set()
    for _ in range(2):
        with pytest.raises(UnknownNameError):
            aside.ask(nowhere, "why")
        assert aside._process is not None
        numbers.add(aside._process.pid)
        os.kill(aside._process.pid, signal.SIGKILL)
        psutil.Process(aside._process.pid).wait(10.0)
    assert len(numbers) == 2


def test_one_that_dies_of_every_question_is_told_of_and_none_outlives_the_end(aside: Aside, found: Found) -> None:
    with pytest.raises(LabwrightError, match="nonsense could not be computed: its process has died twice"):
        aside.ask(found, "nonsense")
    with pytest.raises(ValueError, match=r"expected one of why, .*got 'nonsense'"):
        answer({"verb": "nonsense"})
    with pytest.raises(UnknownNameError):
        aside.ask(Found(found.url, found.reader, {**found.campaign, "id": "nowhere"}), "why")
    assert aside._process is not None
    number = aside._process.pid
    aside.close()
    assert not psutil.pid_exists(number)
