"""Asks the controller that is at work on a campaign: a row in the store, and its answer."""

from __future__ import annotations

import getpass
import os
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from controller.errors import CampaignLockedError, ConflictError
from controller.verbs.stores import Found, show_url

if TYPE_CHECKING:
    from controller.domain.campaign import Definition
    from controller.domain.event import Event
    from controller.domain.state import CampaignState
    from controller.store.opening import Store

    Here = Callable[[CampaignState, Definition, float], Sequence[Event]]

POLL_S = 0.1


@dataclass(frozen=True)
class Answer:
    """What became of a request; `waiting` says that nobody has answered yet."""

    text: str
    waiting: bool = False

    def told(self, campaign: str, url: str) -> dict[str, Any]:
        """Return it as JSON data; `url` is that of the campaign's store."""
        return {"campaign": campaign, "answered": not self.waiting, "answer": self.text, "store": show_url(url)}


def user() -> str:
    """Return who speaks: user and machine."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a container may know no name for the user id
        name = str(os.getuid())
    return f"{name}@{socket.gethostname()}"


def who() -> str:
    """Return who asks, for the log: user, machine and process."""
    return f"{user()} (process {os.getpid()})"


def ask(
    store: Store, verb: str, campaign: str | None, argument: dict[str, Any], *, by: str, timeout_s: float
) -> Answer:
    """Write a request and wait for its answer.

    Args:
        store: Where the controller looks for requests.
        verb: What is asked.
        campaign: Id of the campaign it is about, None where there is none yet.
        argument: Details.
        by: Who asks; it is kept beside the request.
        timeout_s: Patience [s].

    Raises:
        ConflictError: If the controller answered that it cannot be done.
    """
    request = store.ask(verb, campaign, argument, by)
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        row = store.reader.request(request)
        if row["answered_at"] is not None:
            if not row["ok"]:
                raise ConflictError(str(row["answer"]))
            return Answer(str(row["answer"]))
        time.sleep(POLL_S)
    text = f"the controller on {show_url(store.url)} has not answered within {timeout_s:g} s; the request stays noted"
    return Answer(text, waiting=True)


def at_work(store: Store, campaign: str) -> bool:
    """Say whether a controller, a daemon or `labwright run`, holds the campaign of that name now."""
    try:
        with store.lock_campaign(campaign):
            return False
    except CampaignLockedError:
        return True


def steer(found: Found, verb: str, argument: dict[str, Any], *, by: str, timeout_s: float) -> Answer:
    """Ask the controller that holds a campaign; without one the request waits for the next.

    Args:
        found: The campaign.
        verb: What is asked.
        argument: Details.
        by: Who asks.
        timeout_s: Patience with the controller [s].

    Raises:
        ConflictError: If the controller answered that it cannot be done.
    """
    from controller.store.opening import Store

    with Store.open(found.url) as store:
        if at_work(store, found.name):
            return ask(store, verb, found.id, argument, by=by, timeout_s=timeout_s)
        store.ask(verb, found.id, argument, by)
    return Answer(
        f"{verb} is noted: no controller is at work on this campaign; it takes effect at the next start "
        f"(labwright daemon start --store {show_url(found.url)}, or labwright run FILE)",
        waiting=True,
    )


def carry_out(
    found: Found, verb: str, argument: dict[str, Any], *, here: Here, text: str, by: str, timeout_s: float
) -> Answer:
    """Have a person's word on an experiment booked.

    The controller that holds the campaign is asked; where none does, it is booked here, under the campaign's lock.

    Args:
        found: The campaign.
        verb: What the controller is asked.
        argument: Details.
        here: Returns the events from the campaign's state, its definition and the time.
        text: What to say when it was booked here.
        by: Who asks.
        timeout_s: Patience with the controller [s].

    Raises:
        ConflictError: If it cannot be.
    """
    from controller.domain.state import fold
    from controller.store.opening import Store

    with Store.open(found.url) as store:
        if at_work(store, found.name):
            return ask(store, verb, found.id, argument, by=by, timeout_s=timeout_s)
        with store.lock_campaign(found.name):
            state = fold(store.iter_events(found.id))
            # A simulated lab's clock may be ahead of this one; the log must not go back in time.
            at = max(time.time(), state.last_at)
            store.commit_now(here(state, store.definition(found.id), at))
    return Answer(text)
