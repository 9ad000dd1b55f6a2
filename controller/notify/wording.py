"""Many notices as one message: what is alike is said once, with how often."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from itertools import groupby
from typing import TypeVar

from controller.domain.notification import Notice, Topic

K = TypeVar("K", bound=Hashable)

MOST_CHARACTERS = 3000
"""Of a message's text: what chat services take, and what anybody reads on a phone."""
_ALONE = 3
_MOST_LINE = 600
_ABOUT = {
    Topic.UNKNOWN: ("{n} unknown", "{n} unknown"), Topic.STALL: ("an action stalls", "{n} actions stall"),
    Topic.FAILURE: ("an experiment failed", "{n} experiments failed"), Topic.FAILURES: ("too many failures", "too many failures"),
    Topic.DISTRUST: ("the model deserves no trust", "the model deserves no trust"),
    Topic.HELD: ("an instrument is held", "{n} holds"), Topic.AWAY: ("a driver is away", "{n} drivers are away"),
    Topic.PERSON: ("a person is needed", "a person is needed {n} times"), Topic.PAUSED: ("paused by itself", "paused by itself"),
    Topic.FINISHED: ("finished", "finished"), Topic.CONTROLLER: ("the controller ended", "the controller ended {n} times"),
    Topic.ALARM: ("an alarm", "{n} alarms"), Topic.BEST: ("a new best", "{n} new bests"), Topic.PROGRESS: ("progress", "progress"),
}  # fmt: skip
"""What a title says of one notice, and of several."""


def compose(notices: Sequence[Notice]) -> tuple[str, str]:
    """Return the title and the text of a message that tells of `notices`, in their order within each campaign.

    Args:
        notices: At least one.
    """
    by_campaign = _grouped(notices, lambda n: (n.campaign, n.simulated))
    titles, lines = [], []
    for (campaign, simulated), some in by_campaign.items():
        topics = _grouped(some, lambda n: n.topic)
        said = ", ".join(_ABOUT[topic][len(each) > 1].format(n=len(each)) for topic, each in topics.items())
        name = f"{campaign}{' (SIMULATED)' if simulated else ''}" if campaign else "labwright"
        titles.append(f"{name}: {said}")
        if len(by_campaign) > 1:
            lines.append(f"{name}:")
        lines += _lines(topics)
    return _fitted("; ".join(titles), 200), _fitted("\n".join(lines), MOST_CHARACTERS)


def _lines(topics: dict[Topic, list[Notice]]) -> list[str]:
    lines: list[str] = []
    for topic, each in topics.items():
        if topic is Topic.PROGRESS:
            texts = [each[-1].text]
        elif len(each) <= _ALONE:
            texts = [n.text for n in each]
        else:
            numbers = spans([n.experiment for n in each if n.experiment is not None])
            of = f" (experiments {numbers})" if numbers else ""
            texts = [f"{_ABOUT[topic][1].format(n=len(each))}{of}; the last: {each[-1].text}"]
        for text in texts:
            line = _fitted(_plain(text), _MOST_LINE)
            # An alarm and the pause that follows it have the same reason.
            if not any(line in said or said.partition(": ")[2] == line for said in lines):
                lines.append(line)
    return lines


def spans(numbers: Sequence[int]) -> str:
    """Return `1, 2, 3, 7` as `1–3, 7`."""
    ordered = sorted(set(numbers))
    found = []
    for _, run in groupby(enumerate(ordered), lambda pair: pair[1] - pair[0]):
        members = [number for _, number in run]
        found.append(str(members[0]) if len(members) == 1 else f"{members[0]}–{members[-1]}")
    return ", ".join(found)


def _grouped(notices: Sequence[Notice], key: Callable[[Notice], K]) -> dict[K, list[Notice]]:
    found: dict[K, list[Notice]] = {}
    for notice in notices:
        found.setdefault(key(notice), []).append(notice)
    return found


def _plain(text: str) -> str:
    """Return `text` without what steers a terminal: messages of instruments come from outside."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", text)


def _fitted(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
