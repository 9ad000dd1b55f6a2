"""The watcher without a terminal: a line for each thing that happens, until the campaign has ended."""

from __future__ import annotations

import time
from collections.abc import Callable

from controller.cli.render import clean
from controller.cli.watching.looking import Looker

ENDED = {"completed": 0, "failed": 1}
"""Status after which nothing more happens -> exit code."""


def watch_lines(looker: Looker, say: Callable[[str], None], *, sleep: Callable[[float], None] = time.sleep) -> int:
    """Say what happens until the campaign has ended; return the exit code of its end.

    Args:
        looker: The campaign.
        say: Takes one line.
        sleep: Waits [s].
    """
    last, status = -1, ""
    while True:
        seen = looker.look()
        told = seen.told
        if last < 0:
            progress = told["progress"]
            data = "SIMULATED data" if told["simulated"] else "real instruments"
            done = f"{progress['finished']} of {progress['budget']} experiments"
            say(f"{clean(told['campaign'])}: {done}, {data}, store {told['store']}")
        if told["status"] != status:
            status = told["status"]
            at_work = "" if status in ENDED or told["controller"]["at_work"] else "; no controller is at work on it here"
            say(f"campaign is {status}{at_work}")
        fresh = [event for event in seen.log if event["sequence"] > last] if last >= 0 else []
        if fresh and fresh[0]["sequence"] > last + 1:
            say(f"({fresh[0]['sequence'] - last - 1} events before)")
        for event in fresh:
            say(clean(f"{event['at']}  {event['text']}").replace("\n", " "))  # or what is told could look like a line of ours
        last = max([last, 0, *(event["sequence"] for event in seen.log)])
        if status in ENDED:
            return ENDED[status]
        sleep(seen.pause_s)
