"""Looks at the logs of some stores again and again, and sends what is worth telling."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from controller.domain.ids import new_id
from controller.domain.notification import Notice, NotifyFile, Target, Topic
from controller.errors import ConflictError, FileFaultsError, StoreError
from controller.files.telling import load_notify
from controller.notify.finding import Finder, Memory
from controller.notify.outbox import Message, Outbox, Turn
from controller.notify.people import waiting
from controller.notify.sending import NotSentError, send
from controller.notify.wording import compose
from controller.presence import published
from controller.settings import folder_of
from controller.store.connecting import place
from controller.store.reading import Reader, open_reader

FAREWELL = b"end\n"
"""With this the controller says that it ends because it was told to."""
POLL_S = 0.5
"""How often logs are looked at [real s]."""
LEAVE_S = 8.0
"""Patience with servers when the controller ends [real s]; what has not arrived then is sent after the next start."""
TURN_S = 20.0
"""So long is waited for another process, of a controller that has just ended, to let go of a store [real s]."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 900.0
"""Between attempts to send a message: doubled each time [real s]."""
GIVE_UP_S = 2 * 86400.0
"""A message that has not arrived after so long is given up [s]; `labwright notify list` shows it."""
_HOUR_S = 3600.0
_LONGEST_STEP_S = 60.0
_MOST_NOTICES = 500

log = logging.getLogger(__name__)


def baseline(url: str) -> None:
    """Take a store up before anything in it goes on: of its past nobody is told, of what follows everything.

    Raises:
        StoreError: If it cannot be read.
    """
    with open_reader(url) as reader, Outbox(folder_of(url)) as outbox:
        if outbox.fact("begun") is not None:
            return
        memories = {}
        with reader.snapshot():
            ends = reader.last_positions()
            for row in reader.campaign_rows():
                finder = Finder(reader, row, Memory(cursor=ends.get(row["id"], 0)))
                finder.recall()
                memories[str(row["id"])] = finder.memory
        outbox.begin(memories)


class Teller:
    """Tells people what happens in some stores, until `leave`.

    Args:
        urls: The stores.
        file: Says who is told of what; read again when it changes.
        only: Names of the campaigns that are looked at; all when left out.
        poll_s: How often logs are looked at [real s].
    """

    def __init__(self, urls: Sequence[str], file: Path, *, only: Sequence[str] | None = None, poll_s: float = POLL_S) -> None:
        self._urls, self._only, self._poll_s = list(urls), only, poll_s
        self._rules = Rules(file)
        self._news = threading.Event()
        self._leaving: bool | None = None
        self._session = new_id()

    def leave(self, *, orderly: bool) -> None:
        """Let `run` return as soon as what is known has been told, or `LEAVE_S` later; may be called from any thread.

        Args:
            orderly: Whether the controller was told to end; if not, people are told that it has.
        """
        self._leaving = orderly
        self._news.set()

    def run(self) -> None:
        """Tell, until told to leave."""
        with ExitStack() as stack:
            desks = [stack.enter_context(_Desk(url, self._rules, self._only, self._news.set)) for url in self._urls]
            while self._leaving is None:
                self._round(desks, hurry=False)
                self._news.wait(self._poll_s)
                self._news.clear()
            if not self._leaving:
                for desk in desks:
                    desk.controller_gone(self._session)
            deadline = time.monotonic() + LEAVE_S
            while True:
                busy = self._round(desks, hurry=True)
                if not busy or time.monotonic() > deadline:
                    return
                self._news.wait(0.05)
                self._news.clear()

    def _round(self, desks: Sequence[_Desk], *, hurry: bool) -> bool:
        self._rules.refresh()
        busy = False
        for desk in desks:
            try:
                busy |= desk.turn(hurry=hurry)
            except (StoreError, sqlite3.Error, OSError) as error:
                desk.trouble(error)
        return busy


class Rules:
    """What `notify.yaml` says; a file that has become wrong is complained of, and what it said before holds.

    Args:
        file: The file.

    Raises:
        FileFaultsError: If it is wrong from the start.
    """

    def __init__(self, file: Path) -> None:
        self.file = file.absolute()
        self._stamp = _stamp(self.file)
        self.content: NotifyFile = load_notify(self.file)

    def refresh(self) -> None:
        """Read the file again if it has changed."""
        stamp = _stamp(self.file)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self.content = load_notify(self.file)
            log.info("%s has changed and was read again", self.file)
        except FileFaultsError as error:
            log.error("%s has changed and cannot be used; what it said before holds:\n%s", self.file, error)

    @property
    def targets(self) -> dict[str, Target]:
        """Who is told, by name."""
        return self.content.targets


class _Desk:
    """What is told of one store."""

    def __init__(self, url: str, rules: Rules, only: Sequence[str] | None, ring: Callable[[], None]) -> None:
        self._url, self._rules, self._only, self._ring = url, rules, only, ring
        self._folder = folder_of(url)
        self._finders: dict[str, Finder] = {}
        self._seen: dict[str, tuple[str, int]] = {}
        """Campaign id -> status and position of the newest event, when its log was last looked at."""
        self._looked_away = float("-inf")
        self._busy: dict[str, tuple[Message, Future[None]]] = {}
        self._complaint = ""
        self._tasks: set[str] = set()
        """Ids of tasks that were found since this process began; the outbox knows those that were told before."""
        self._pruned = float("-inf")

    def __enter__(self) -> _Desk:
        self._turn = Turn(self._folder)
        deadline = time.monotonic() + TURN_S
        while True:
            try:
                self._turn.__enter__()
                break
            except ConflictError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.1)
        self._reader: Reader = open_reader(self._url)
        self._outbox = Outbox(self._folder)
        self._outbox.note("file", str(self._rules.file))
        self._memories = self._outbox.memories()
        self._away = self._outbox.away()
        self._senders = ThreadPoolExecutor(16, thread_name_prefix="send")
        return self

    def __exit__(self, *_: object) -> None:
        self._senders.shutdown(wait=False, cancel_futures=True)
        self._reader.close()
        self._outbox.close()
        self._turn.__exit__()

    def trouble(self, error: Exception) -> None:
        """Say once that the store, or the outbox, cannot be used now; it is tried again."""
        if str(error) != self._complaint:
            self._complaint = str(error)
            log.error("nobody can be told of what is in %s now: %s", place(self._url), error)

    def controller_gone(self, session: str) -> None:
        """Tell that the controller has ended without being told to."""
        text = (
            "the controller has ended without being told to: nothing new is begun; instruments finish what they do and keep the "
            "results. Look into its log, then start it again"
        )
        notice = Notice(f"controller:{session}", Topic.CONTROLLER, "", text, time.time())
        with contextlib.suppress(sqlite3.Error, OSError):
            self._take([notice])

    def turn(self, *, hurry: bool) -> bool:
        """Look at everything once and send what is due; returns whether anything is still to be found or being sent.

        Args:
            hurry: Send what waits at once, for the process is to end: what happened is not gathered any longer, but nobody is
                disturbed in quiet hours.
        """
        try:
            more = self._look()
            self._look_for_away()
            self._look_for_tasks()
        except StoreError as error:  # what is known already can be sent
            more = False
            self.trouble(error)
        else:
            self._complaint = ""
        sending = [self._serve(name, target, hurry=hurry) for name, target in self._rules.targets.items()]
        if time.monotonic() - self._pruned > _HOUR_S:
            self._outbox.prune(time.time())
            self._pruned = time.monotonic()
        return more or any(sending)

    # --- finding ----------------------------------------------------------------------------------------------------

    def _look(self) -> bool:
        more = False
        ends = {row["id"]: (str(row["status"]), int(row["end"])) for row in self._reader.log_ends()}
        if ends == self._seen:
            return False
        for row in self._reader.campaign_rows():
            key = str(row["id"])
            stamp = ends.get(key)
            # A log only grows: where its end has not moved since it was looked at, nothing has happened.
            if stamp is None or self._seen.get(key) == stamp:
                continue
            if self._only is not None and row["name"] not in self._only:
                self._seen[key] = stamp
                continue
            finder = self._finders.get(key) or Finder(self._reader, row, self._memories.get(key, Memory()))
            self._finders[key] = finder
            before = finder.memory
            notices, unfinished = finder.look()
            if finder.memory != before:
                try:
                    self._take(notices, {key: finder.memory})
                except BaseException:
                    finder.memory = before
                    raise
            if not unfinished:
                self._seen[key] = stamp
            more |= unfinished
        return more

    def _take(self, notices: Sequence[Notice], memories: dict[str, Memory] | None = None) -> None:
        wanted = [(n, [name for name, target in self._rules.targets.items() if target.wants(n)]) for n in notices]
        self._outbox.take(wanted, time.time(), memories)

    def _look_for_away(self) -> None:
        """Count how long drivers are away, by a clock that cannot be set, as long as a campaign works with them."""
        now, most = time.monotonic(), self._rules.content.away_after
        if now - self._looked_away < min(1.0, most / 4.0):
            return
        step = min(now - self._looked_away, _LONGEST_STEP_S)
        self._looked_away = now
        away: dict[tuple[str, str], tuple[float, bool]] = {}
        for lab, campaign, simulated, names in self._labs_at_work("running", "stopping"):
            for instrument in published(self._folder / "labs" / lab).get("instruments", ()):
                key = (lab, str(instrument.get("instrument")))
                if instrument.get("connected") is not False or key[1] not in names or key in away:
                    continue
                seconds, told = self._away.get(key, (-step, False))  # it may have left just now
                seconds += step
                if seconds >= most and not told:
                    told = True
                    text = f"the driver of {key[1]} (lab {lab}) has been away for {_duration(seconds)}: nothing is sent to it"
                    self._take([Notice(f"away:{new_id()}", Topic.AWAY, campaign, text, time.time(), simulated)])
                away[key] = (seconds, told)
        if away != self._away:
            self._outbox.keep_away(away)
            self._away = away

    def _look_for_tasks(self) -> None:
        for lab, _, _, names in self._labs_at_work("running", "stopping", "paused"):
            for notice in waiting(self._folder / "labs" / lab, sorted(names), self._reader, self._tasks):
                if self._only is None or notice.campaign in self._only:
                    self._take([notice])

    def _labs_at_work(self, *statuses: str) -> Iterator[tuple[str, str, bool, set[str]]]:
        """Yield lab, campaign, whether its data are simulated and the instruments it uses, of campaigns of these statuses."""
        for key, finder in self._finders.items():
            if self._seen.get(key, ("",))[0] in statuses:
                lab: dict[str, Any] = finder.lab()
                yield str(lab["lab"]), finder.name, finder.simulated, {str(s["instrument"]) for s in lab["protocol"]}

    # --- sending ----------------------------------------------------------------------------------------------------

    def _serve(self, name: str, target: Target, *, hurry: bool) -> bool:
        """Send a target what is due; returns whether something is being sent."""
        now = time.time()
        busy = self._busy.get(name)
        if busy is not None:
            message, future = busy
            if not future.done():
                return True
            del self._busy[name]
            self._settle(message, future, now)
        open_message = self._outbox.open_message(name)
        if open_message is None:
            open_message = self._compose(name, target, now, hurry=hurry)
        # A clock that was set back must not put an attempt off for longer than any pause.
        if open_message is None or now < open_message.next_at <= now + LONGEST_PAUSE_S:
            return False
        notices = self._outbox.notices_of(open_message.id)
        future = self._senders.submit(send, target, self._rules.file.parent, open_message, notices)
        future.add_done_callback(lambda _: self._ring())
        self._busy[name] = (open_message, future)
        return True

    def _settle(self, message: Message, future: Future[None], now: float) -> None:
        error = future.exception()
        if error is None:
            self._outbox.sent(message, now)
            return
        problem = str(error) if isinstance(error, NotSentError) else f"unexpected: {type(error).__name__}"
        if now - message.made_at > GIVE_UP_S:
            self._outbox.given_up(message, problem, now)
            log.error("target %s was not told for two days, and this message is given up: %s", message.target, problem)
            return
        pause = min(FIRST_PAUSE_S * 2.0 ** min(message.attempts, 30), LONGEST_PAUSE_S)
        self._outbox.failed(message, problem, now + pause)
        told = (message.target, message.attempts + 1, problem, pause)
        log.warning("target %s could not be told (attempt %d): %s; again in %g s", *told)

    def _compose(self, name: str, target: Target, now: float, *, hurry: bool) -> Message | None:
        """Make one message of what waits for a target, None while nothing is due."""
        waiting = self._outbox.waiting(name)[:_MOST_NOTICES]
        if target.quiet is not None and target.quiet.ends(now) is not None:
            waiting = [entry for entry in waiting if entry[2].topic in target.quiet.except_]
        if not waiting:
            return None
        if not hurry and 0.0 <= now - waiting[0][1] < target.gather_s:
            return None
        made = [at for at in self._outbox.made_since(name, now - _HOUR_S) if at <= now]
        if len(made) >= target.most_per_hour:
            return None
        title, text = compose([notice for _, _, notice in waiting])
        message = Message(new_id(), name, now, title, text, 0, now)
        self._outbox.compose(message, [key for key, _, _ in waiting])
        return message


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(file)  # noqa: PTH116 - it may be gone, and is looked at twice a second
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


def _duration(seconds: float) -> str:
    if seconds < 120.0:
        return f"{seconds:.0f} s"
    return f"{seconds / 60.0:.0f} min" if seconds < 7200.0 else f"{seconds / 3600.0:.0f} h"

