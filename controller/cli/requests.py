"""Asks the controller that is at work on a campaign: a row in the store, and its answer."""

from __future__ import annotations

import getpass
import os
import socket
import time
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from controller.cli.render import print_json
from controller.cli.stores import Found, show_url
from controller.errors import CampaignLockedError, ConflictError

POLL_S = 0.1


@dataclass(frozen=True)
class Answer:
    """What became of a request; `text` is for people, `waiting` says that nobody has answered yet."""

    text: str
    waiting: bool


def who() -> str:
    """Return who asks, for the log: user, machine and process."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container may know no name for the user id
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()} (process {os.getpid()})"


def ask(url: str, verb: str, campaign: str | None, argument: dict[str, Any], *, timeout_s: float) -> Answer:
    """Write a request and wait for its answer.

    Args:
        url: The store.
        verb: What is asked.
        campaign: Id of the campaign it is about, None where there is none yet.
        argument: Details.
        timeout_s: Patience [s]; 0 only writes the request.

    Raises:
        ConflictError: If the controller answered that it cannot be done.
    """
    from controller.store.opening import Store

    with closing(Store.open(url)) as store:
        request = store.ask(verb, campaign, argument, who())
    if timeout_s <= 0:
        return Answer("", waiting=True)
    from controller.store.reading import open_reader

    deadline = time.monotonic() + timeout_s
    with closing(open_reader(url)) as reader:
        while time.monotonic() < deadline:
            row = next((r for r in reader.requests() if r["id"] == request), None)
            if row is not None and row["answered_at"] is not None:
                if not row["ok"]:
                    raise ConflictError(str(row["answer"]))
                return Answer(str(row["answer"]), waiting=False)
            time.sleep(POLL_S)
    return Answer(f"the controller on {show_url(url)} has not answered within {timeout_s:g} s; the request stays noted", waiting=True)


def controller_at_work(url: str, campaign: str) -> bool:
    """Say whether a controller, a daemon or `labwright run`, holds the campaign of that name now."""
    from controller.store.opening import Store

    with closing(Store.open(url)) as store:
        try:
            with store.lock_campaign(campaign):
                return False
        except CampaignLockedError:
            return True


def steer(found: Found, verb: str, argument: dict[str, Any], *, timeout_s: float, as_json: bool) -> None:
    """Ask the controller that holds a campaign and print its answer; without one the request waits for the next."""
    if controller_at_work(found.url, found.name):
        report(found.name, found.url, ask(found.url, verb, found.id, argument, timeout_s=timeout_s), as_json=as_json)
        return
    ask(found.url, verb, found.id, argument, timeout_s=0)
    text = (
        f"{verb} is noted: no controller is at work on this campaign; it takes effect at the next start "
        f"(labwright daemon start --store {show_url(found.url)}, or labwright run FILE)"
    )
    report(found.name, found.url, Answer(text, waiting=True), as_json=as_json)


def report(campaign: str, url: str, answer: Answer, *, as_json: bool) -> None:
    """Print what became of a request."""
    if as_json:
        print_json({"campaign": campaign, "answered": not answer.waiting, "answer": answer.text, "store": show_url(url)})
    else:
        print(f"{campaign}: {answer.text}")
