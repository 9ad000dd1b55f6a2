"""What people are told of while they are away, and the file that says whom, of what and when: `notify.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field

from controller.domain.base import Label, Model


class Topic(StrEnum):
    """What a notification is about."""

    UNKNOWN = "unknown"
    """Nobody can say what became of an attempt."""
    STALL = "stall"
    """An action takes much longer than its driver announced."""
    FAILURE = "failure"
    """An experiment failed."""
    FAILURES = "failures"
    """So many experiments failed in a row that the campaign paused."""
    DISTRUST = "distrust"
    """Results lie outside what the model predicted of them too often."""
    HELD = "held"
    """Nothing is dispatched to an instrument: an interlock, a stop, a person who disabled it."""
    AWAY = "away"
    """The driver of an instrument that a campaign works on has been away for longer than `away_after`."""
    PERSON = "person"
    """A step waits for a person."""
    PAUSED = "paused"
    """A campaign paused by itself."""
    FINISHED = "finished"
    """A campaign ended: completed, or failed."""
    CONTROLLER = "controller"
    """The controller ended without being told to."""
    ALARM = "alarm"
    """Any other alarm: a model that did not answer, a context that is missing."""
    BEST = "best"
    """A milestone: a result that is better than all before, or joins the front."""
    PROGRESS = "progress"
    """A milestone: a quarter, half, three quarters or all of the experiments that the budget allows have ended."""
    ALL = "all"
    """In a file, all of these; no notification is about it."""


NEEDS_PERSON = tuple(topic for topic in Topic if topic not in (Topic.FAILURE, Topic.BEST, Topic.PROGRESS, Topic.ALL))
"""What is told where a target does not say: everything that somebody should look at, and the end."""
SHARES = (25, 50, 75, 100)
"""Shares of the budget that are milestones [%]."""


@dataclass(frozen=True)
class Notice:
    """One thing that people may want to be told of."""

    key: str
    """The same for the same thing, however often it is found: told once."""
    topic: Topic
    campaign: str
    """Its name; empty where it is about no campaign."""
    text: str
    """On one line, in words for people."""
    at: float
    """Lab time [s since 1970-01-01 UTC]."""
    simulated: bool = False
    experiment: int | None = None
    """Number of the experiment that it is about."""


class FromEnvironment(Model):
    """A secret that is in an environment variable of the controller."""

    env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=200)]
    """Name of the variable."""


class FromFile(Model):
    """A secret that is in a file of its own, which only its owner may read."""

    file: Annotated[str, Field(min_length=1, max_length=4000)]
    """The file; what is not absolute is sought beside the one that names it."""


Written = Annotated[str, Field(min_length=1, max_length=4000)]
Secret = Written | FromEnvironment | FromFile
"""Written here (then only the file's owner may read it), or a place where it is found."""

_Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class Quiet(Model):
    """Hours in which a target is not disturbed; what happens in them is told in one message at their end."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)

    from_: Annotated[_Clock, Field(alias="from")]
    """When they begin, `"22:00"`."""
    to: _Clock
    """When they end, `"07:00"`; earlier than `from` means on the next day."""
    zone: Annotated[str, Field(max_length=100)] = "UTC"
    """Whose clock: a name of the IANA time zone database such as `Europe/Berlin`."""
    except_: Annotated[tuple[Topic, ...], Field(alias="except", max_length=len(Topic))] = ()
    """What is told all the same, at once."""

    def ends(self, now: float) -> float | None:
        """Return when the quiet hours end in which `now` lies [s since 1970-01-01 UTC], None where it lies in none."""
        here = datetime.fromtimestamp(now, ZoneInfo(self.zone))
        begin, end = time.fromisoformat(self.from_), time.fromisoformat(self.to)
        clock = here.time()
        within = begin <= clock < end if begin < end else clock >= begin or clock < end
        if not within:
            return None
        day = here.date() if clock < end else here.date() + timedelta(days=1)
        return datetime.combine(day, end, here.tzinfo).timestamp()


class Target(Model):
    """Somebody, or something, that is told."""

    url: Secret | None = None
    """Where messages go, as an [Apprise URL](https://appriseit.com/services/): mail, chat, a phone. It holds passwords:
    `{env: NAME}` and `{file: PATH}` say where it is found; written here, the file must be its owner's alone (mode 0600)."""
    webhook: Secret | None = None
    """Instead of `url`: an address that each message is sent to as JSON, `https://…`; written here or found elsewhere as `url`."""
    secret: Secret | None = None
    """With `webhook`: messages are signed with it ([Standard Webhooks](https://www.standardwebhooks.com/)), so that the receiver
    can tell them from a stranger's."""
    tell: Annotated[tuple[Topic, ...], Field(min_length=1, max_length=len(Topic))] = NEEDS_PERSON
    """Of what; `[all]`, or some. When left out, everything that needs a person, and ends; not single failures and milestones."""
    campaigns: Annotated[tuple[Annotated[str, Field(max_length=200)], ...], Field(min_length=1, max_length=1000)] = ("*",)
    """Of which campaigns, by name; `*` stands for any part of it."""
    data: Literal["all", "real", "simulated"] = "all"
    """Of campaigns with data of which kind."""
    quiet: Quiet | None = None
    """When not to be disturbed."""
    gather_s: Annotated[float, Field(ge=0, le=86400)] = 10.0
    """So long what follows the first is waited for, so that it becomes one message [s]."""
    most_per_hour: Annotated[int, Field(ge=1, le=10000)] = 12
    """Messages within one hour at most; what comes then waits for the next one."""

    def wants(self, notice: Notice) -> bool:
        """Say whether this target is told of something."""
        return (
            (Topic.ALL in self.tell or notice.topic in self.tell)
            and self.data in ("all", "simulated" if notice.simulated else "real")
            and (not notice.campaign or any(fnmatchcase(notice.campaign, pattern) for pattern in self.campaigns))
        )


class NotifyFile(Model):
    """Who is told of what."""

    targets: Annotated[dict[Label, Target], Field(min_length=1, max_length=100)]
    """Whom to tell: name -> where, of what, when."""
    away_after: Annotated[float, Field(ge=1, le=1e7)] = 300.0
    """A driver that has been away for so long while a campaign works on its instrument is told of [real s]."""
