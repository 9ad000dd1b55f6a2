"""Many notices read as one message."""

from __future__ import annotations

import pytest

from controller.domain.notification import Notice, Topic
from controller.notify.wording import MOST_CHARACTERS, compose, spans


def notice(topic: Topic, text: str, campaign: str = "flow-1", experiment: int | None = None) -> Notice:
    return Notice(text, topic, campaign, text, 0.0, False, experiment)


@pytest.mark.parametrize(("numbers", "told"), [([], ""), ([4], "4"), ([3, 1, 2, 7, 2], "1–3, 7"), ([1, 3], "1, 3")])
def test_numbers_are_told_as_spans(numbers: list[int], told: str) -> None:
    assert spans(numbers) == told


def test_campaigns_are_told_apart_and_progress_is_told_as_it_stands() -> None:
    title, text = compose([
        notice(Topic.PROGRESS, "25 of 100"), notice(Topic.PROGRESS, "50 of 100"), notice(Topic.STALL, "slow", "flow-2"),
        notice(Topic.CONTROLLER, "gone", ""),
    ])  # fmt: skip
    assert title == "flow-1: progress; flow-2: an action stalls; labwright: the controller ended"
    assert text.splitlines() == ["flow-1:", "50 of 100", "flow-2:", "slow", "labwright:", "gone"]


def test_what_an_instrument_says_cannot_flood_or_steer() -> None:
    _, text = compose([notice(Topic.FAILURE, f"\x1b[2J{i}" + "x" * 5000) for i in range(3)])
    assert len(text) <= MOST_CHARACTERS
    assert "\x1b" not in text
