"""What changes is told as it changes, to all who follow, once; what was missed comes first; and whose token ends hears no more."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from controller.domain.access import Role
from controller.store.opening import Store
from controller.verbs.tokens import revoke_token
from tests.controller.api.people import bearer, enter
from tests.controller.api.process import Served, served
from tests.controller.store.conftest import fill
from tests.controller.store.samples import Script, make_definition

SOON_S = 20.0


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[str, Served]]:
    """A store with a campaign, served."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with Store.open(url) as store:
        fill(store, Script())
    with served(tmp_path, url) as api:
        yield url, api


def following(api: Served, token: str, cursor: str | None = None) -> Any:
    headers = bearer(token) | ({"Last-Event-ID": cursor} if cursor else {})
    return httpx.stream("GET", f"{api.url}/v1/stream", headers=headers, timeout=SOON_S)


def events(stream: httpx.Response) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Return id, kind and content of each event."""
    event: dict[str, str] = {}
    for line in stream.iter_lines():
        if not line and event:
            yield event.get("id", ""), event["event"], json.loads(event["data"])
            event = {}
        elif line:
            name, _, value = line.partition(": ")
            event[name] = value


def test_change_is_told_to_all_and_what_was_missed_is_told_first(place: tuple[str, Served]) -> None:
    url, api = place
    token = enter(url, "ada", Role.LOOK)
    with following(api, token) as one, following(api, token) as other:
        heard = [events(one), events(other)]
        cursor, kind, begin = next(heard[0])
        assert (kind, begin["anew"], len(begin["campaigns"])) == ("news", True, 1)
        assert next(heard[1])[2]["campaigns"] == begin["campaigns"]
        script = Script(make_definition("second"))
        with Store.open(url) as store:
            store.commit_now(script.created(), definition=script.definition)
        for each in heard:
            _, _, news = next(n for n in each if n[2]["campaigns"])
            assert (news["campaigns"], news["anew"]) == ([script.campaign], False)
            assert "campaigns" in news["topics"]
    with following(api, token, cursor) as again:
        _, _, missed = next(events(again))
        assert (missed["campaigns"], missed["anew"]) == ([script.campaign], False)
    with following(api, token, "another-1") as strange:
        assert next(events(strange))[2]["anew"] is True


def test_stream_says_every_few_seconds_that_it_stands_and_ends_with_the_token(place: tuple[str, Served]) -> None:
    url, api = place
    token = enter(url, "ada", Role.LOOK)
    with following(api, token) as stream:
        heard = events(stream)
        times = []
        for _ in range(2):
            _, kind, _ = next(heard)
            times.append(time.monotonic())
            assert kind == "news"
        assert all(later - earlier < 15.0 for earlier, later in pairwise(times))
        revoke_token(url, "ada")
        kinds = [kind for _, kind, _ in heard]
        assert kinds[-1] == "gone"


def test_one_token_does_not_take_every_stream(place: tuple[str, Served]) -> None:
    url, api = place
    greedy, other = enter(url, "greedy", Role.LOOK), enter(url, "ada", Role.LOOK)
    taken = []
    try:
        for _ in range(21):
            stream = following(api, greedy)
            taken.append((stream, stream.__enter__()))
        codes = [answer.status_code for _, answer in taken]
        assert codes == [200] * 20 + [429]
        with following(api, other) as free:
            assert free.status_code == 200
    finally:
        for stream, _ in taken:
            stream.__exit__(None, None, None)
