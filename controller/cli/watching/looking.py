"""Reads what a watcher shows, again and again: from the store and from the note of the controller at work."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from controller.errors import UnknownNameError
from controller.verbs.stores import find, readers, show_url

LEAST_S = 1.0
"""Between two looks [s]."""
_SHARE = 10.0
"""A look may take a tenth of the time: watching a long campaign must not cost the machine that carries it out."""
_STOP_S = 5.0
"""Patience with each instrument that is to stop [s]."""
ALARMS, NEWEST, LOG = 8, 5, 30


@dataclass(frozen=True)
class Seen:
    """What one look gave."""

    told: dict[str, Any]
    """See `verbs.overview.overview`."""
    trace: list[tuple[int, float]]
    """See `verbs.overview.trace`."""
    log: list[dict[str, Any]]
    """See `verbs.happenings.newest_happenings`."""
    pause_s: float
    """Until the next look [s]."""


class Looker:
    """Looks at one campaign; by its id, so that its name says nothing wrong when stores change."""

    def __init__(self, urls: Sequence[str], campaign: str | None) -> None:
        """Find the campaign; without a name the one at work that was last heard of, or the newest.

        Raises:
            UnknownNameError: If there is no such campaign, or none at all.
            ConflictError: If two stores have one of that name.
        """
        self.url, self.id = _newest(urls) if campaign is None else _named(urls, campaign)

    def look(self) -> Seen:
        """Return what there is to see now.

        Raises:
            LabwrightError: If the store cannot be read, or no longer has the campaign.
        """
        from controller.verbs.happenings import newest_happenings
        from controller.verbs.overview import overview, trace

        began = time.monotonic()
        with find([self.url], self.id) as found, found.reader.snapshot():
            told = overview(found, newest=NEWEST, alarms=ALARMS)
            line, log = trace(found, told["definition"]), newest_happenings(found, LOG)
        return Seen(told, line, log, max(LEAST_S, _SHARE * (time.monotonic() - began)))

    def steer(self, verb: str) -> str:
        """Have the campaign paused, resumed, stopped or aborted, and return the answer.

        Raises:
            LabwrightError: If it cannot be.
        """
        from controller.verbs.campaigns import steer_campaign
        from controller.verbs.requests import who

        with find([self.url], self.id) as found:
            return steer_campaign(found, verb, by=who(), timeout_s=10.0).text

    def emergency_stop(self, lab: str) -> tuple[bool, str]:
        """Stop every instrument of a lab that is at work; return whether all have confirmed, and what each said."""
        from controller.verbs.laboratories import chosen, stop_all
        from controller.verbs.requests import who

        rows = stop_all(chosen([self.url], [], every=True, lab=lab), mode="now", timeout_s=_STOP_S, by=who())
        if not rows:
            return False, "nothing is at work: no driver, no controller"
        missing = [f"{row['instrument']}: {row['message']}" for row in rows if not row["confirmed"]]
        if missing:
            return False, "NOT CONFIRMED, go and look: " + "; ".join(missing)
        return True, f"stopped: {', '.join(row['instrument'] for row in rows)}; labwright instrument resume lets them go on"


def _named(urls: Sequence[str], campaign: str) -> tuple[str, str]:
    with find(urls, campaign) as found:
        return found.url, found.id


def _newest(urls: Sequence[str]) -> tuple[str, str]:
    from controller.verbs.laboratories import status_of

    with readers(urls) as opened:
        every = []
        for url, reader in opened:
            for row in reader.campaign_rows():
                going = row["status"] in ("running", "stopping", "paused")
                lab = reader.definition(row["id"])["lab"]["lab"] if going else ""
                at_work = going and any(c.get("campaign") == row["name"] for c in status_of(url, lab).get("campaigns", ()))
                every.append(((at_work, going, row["updated_at"]), url, str(row["id"])))
    if not every:
        where = " or ".join(show_url(url) for url in urls)
        raise UnknownNameError(f"no campaign yet in {where}; begin one with labwright run FILE, or labwright demo")
    _, url, key = max(every)
    return url, key
