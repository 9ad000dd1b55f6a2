"""The store as the engine sees it: events go in and are durable when the call returns."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from controller.domain.access import AccessKey
from controller.domain.campaign import CampaignStatus, Definition
from controller.domain.event import Event, event_adapter
from controller.errors import UnknownNameError
from controller.settings import folder_of, normalise_url, sqlite_file
from controller.store.access import KeyChange, access_key
from controller.store.connecting import place
from controller.store.jobs import Answer, Job, Kept, Question, Unit
from controller.store.locking import AdvisoryLocks, FileLocks, Lock, Locks
from controller.store.pools import POOLS, Shelf, packed
from controller.store.reading import Reader, argument_of
from controller.store.records import CampaignRecord, Request
from controller.store.schema import make_engine, prepare
from controller.store.switches import Switch
from controller.store.tables import PoolPartRow, PoolRow
from controller.store.tokens import TokenChange
from controller.store.writing import Writer


class Store:
    """One store, open for writing; use `Store.open` and close it, or use it as a context manager.

    Attributes:
        folder: Where locks, rendezvous files and drivers' journals of this store are kept.
        kind: `sqlite` or `postgresql`.
        reader: Reads the same store; what `commit` acknowledged is seen by it.
        shelf: Where large pools lie as files.
        upgraded_from: The copy that was made of an older SQLite file before it was upgraded by this opening, or None.
    """

    def __init__(self, url: str, upgraded_from: Path | None, writer: Callable[..., Writer] = Writer) -> None:
        self._url = url
        self.folder = folder_of(url)
        self.kind: Literal["sqlite", "postgresql"] = "postgresql" if sqlite_file(url) is None else "sqlite"
        self.reader = Reader(url)
        self.shelf = Shelf(self.folder / POOLS, self.reader)
        self.upgraded_from = upgraded_from
        self._locks: Locks = FileLocks(self.folder / "locks") if self.kind == "sqlite" else AdvisoryLocks(url)
        self._engine = make_engine(url)
        self._writer = writer(self._engine, place(url), self._locks.renew)

    @classmethod
    def open(cls, url: str, writer: Callable[..., Writer] = Writer) -> Store:
        """Open the store at `url`; make it where it is missing, upgrade it where it is older.

        Args:
            url: A path, `sqlite:///PATH` or `postgresql://…`.
            writer: What makes units durable.

        Raises:
            StoreError: If it cannot be reached or written, holds something else, or was written by a newer version.
            MissingExtraError: If it is on PostgreSQL and psycopg is not installed.
        """
        url = normalise_url(url)
        return cls(url, prepare(url), writer)

    @property
    def url(self) -> str:
        """The store's address, with its password: for connecting, not for showing."""
        return self._url

    def __repr__(self) -> str:
        return f"Store({place(self._url)})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self, timeout_s: float = 10.0) -> None:
        """Write what was handed over, give locks back, end connections; what cannot be written in time fails with StoreError."""
        self._writer.close(timeout_s)
        self._locks.release_all()
        self.reader.close()
        self._engine.dispose()

    # Writing

    async def commit(self, events: Sequence[Event], *, definition: Definition | None = None) -> None:
        """Write events of one campaign, all or none; they are durable when this returns.

        While the store is in trouble this waits (see `on_trouble`). A task that is cancelled meanwhile does not recall the
        events: they are facts.

        Args:
            events: In their order. None at all is allowed and does nothing.
            definition: With `campaign.created`, what is created; with `campaign.amended`, the definition from now on.

        Raises:
            ConflictError: If they contradict what the store holds, or another program has written this campaign's log.
            CampaignLockedError: If the campaign's lock was lost to another controller while the server was away.
            StoreError: If the store is, or was meanwhile, closed.
        """
        if events:
            if definition is not None and definition.problem.pool is not None and not definition.problem.pool.inline:
                rows = self._pool_of(definition)
                while (row := await asyncio.to_thread(next, rows, None)) is not None:  # packing takes a moment each
                    await self._written(row)
            await self._written(self._unit(events, definition))

    def commit_now(self, events: Sequence[Event], *, definition: Definition | None = None) -> None:
        """As `commit`, blocking; not for an event loop."""
        if events:
            self.keep_now(definition)
            self._writer.submit(self._unit(events, definition)).result()

    def keep_now(self, definition: Definition | None) -> None:
        """Keep the large pool that a definition refers to, if it has one; blocking, durable when it returns.

        Raises:
            PoolError: If its content is not at hand.
        """
        for row in self._pool_of(definition):
            self._writer.submit(row).result()

    def _pool_of(self, definition: Definition | None) -> Iterator[Kept]:
        """Yield what is to be entered so that the store keeps the pool of `definition`; its parts come first."""
        pool = None if definition is None else definition.problem.pool
        if pool is None or pool.inline or any(row["sha256"] == pool.sha256 for row in self.reader.pool_rows()):
            return
        n = 0
        for n, part in enumerate(packed(pool), start=1):
            yield Kept(PoolPartRow, {"sha256": pool.sha256, "position": n - 1, "body": part})
        size = sum(map(len, pool.parts()))
        about = {"rows": len(pool), "columns": len(pool.names), "size": size, "parts": n}
        yield Kept(PoolRow, {"sha256": pool.sha256, **about})

    def shelved(self, definition: Definition) -> Definition:
        """Return `definition` with a large pool in a file that other processes map into memory; blocking.

        Raises:
            PoolError: If the pool is missing or damaged, or the file cannot be written.
        """
        pool = definition.problem.pool
        if pool is None or pool.inline:
            return definition
        problem = definition.problem.model_copy(update={"pool": self.shelf.put(pool)})
        return definition.model_copy(update={"problem": problem})

    def _unit(self, events: Sequence[Event], definition: Definition | None) -> Unit:
        return Unit(tuple(events), definition, guard=lambda name: self._locks.check(f"campaign-{name}"))

    async def _written(self, job: Job) -> None:
        future = asyncio.wrap_future(self._writer.submit(job))
        # Looked at here, so that a refusal after the waiting task was cancelled is not reported as forgotten.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.shield(future)

    @property
    def state(self) -> str:
        """`ok`, or `holding: ` and why nothing can be written at present; it goes on by itself."""
        return self._writer.state

    def on_trouble(self, listener: Callable[[str], None]) -> None:
        """Have `listener` called with each new `state`, on the writer's thread: hand it on, do not work there."""
        self._writer.on_trouble(listener)

    @property
    def n_commits(self) -> int:
        """How often the disk was flushed for us; several units share one commit when they come close together."""
        return self._writer.n_commits

    # Reading

    def find(self, name_or_id: str) -> CampaignRecord | None:
        """Return a campaign by name or id, or None."""
        try:
            return _record(self.reader.campaign_row(name_or_id))
        except UnknownNameError:
            return None

    def campaigns(self) -> list[CampaignRecord]:
        """Return all campaigns, oldest first."""
        return [_record(row) for row in self.reader.campaign_rows()]

    def iter_events(self, campaign: str) -> Iterator[Event]:
        """Return the log of a campaign (its id), event by event: it can be long.

        What is committed from now on must continue what was read here.
        """
        n = 0
        for page in self.reader.event_pages(campaign):
            for row in page:
                yield event_adapter.validate_json(row["body"])
            n += len(page)
        if n:
            self._writer.know_end(campaign, n)

    def events(self, campaign: str) -> list[Event]:
        """Return the log of a campaign (its id) as a list; see `iter_events`."""
        return list(self.iter_events(campaign))

    def definition(self, campaign: str) -> Definition:
        """Return the newest definition of a campaign (name or id).

        Raises:
            UnknownNameError: If there is none.
        """
        row = self.reader.campaign_row(campaign)
        body = self.reader.definition_rows(row["id"])[-1]["body"]
        return Definition.model_validate_json(body, context={"pools": self.shelf})

    # Locks

    def lock_campaign(self, campaign: str) -> Lock:
        """Return the lock on a campaign's name, not yet taken: `acquire` it, or use it as a context manager."""
        return Lock(self._locks, f"campaign-{campaign}", f"campaign {campaign}")

    def lock_daemon(self) -> Lock:
        """Return the lock on being this store's daemon, not yet taken."""
        return Lock(self._locks, "daemon", f"store {place(self._url)}")

    # Instruments that are switched off

    async def switch(self, switch: Switch) -> None:
        """Enable or disable an instrument; durable when this returns."""
        await self._written(switch)

    def switch_now(self, switch: Switch) -> None:
        """As `switch`, blocking; not for an event loop."""
        self._writer.submit(switch).result()

    def disabled(self, lab: str) -> dict[str, str]:
        """Return the instruments of a lab that are switched off, each with who did it and why."""
        return {
            row["name"]: f"disabled by {row['changed_by']}" + (f": {row['reason']}" if row["reason"] else "")
            for row in self.reader.instrument_rows()
            if row["lab"] == lab and not row["enabled"]
        }

    # Keys

    def change_keys(self, change: KeyChange) -> None:
        """Enter or revoke keys; blocking, durable when it returns.

        Raises:
            ConflictError: If the key is on the list already, or a valid one of its name is.
        """
        self._writer.submit(change).result()

    def access_keys(self) -> list[AccessKey]:
        """Return the list of keys, oldest first."""
        return [access_key(row) for row in self.reader.access_key_rows()]

    # Tokens

    def change_tokens(self, change: TokenChange) -> None:
        """Enter or revoke tokens; blocking, durable when it returns.

        Raises:
            ConflictError: If a valid token of its name is on the list.
        """
        self._writer.submit(change).result()

    # Steering a running controller

    def ask(self, verb: str, campaign: str | None, argument: Mapping[str, Any], by: str) -> str:
        """Leave a request for the controller and return its id; `reader.request(id)` shows the answer once there is one."""
        question = Question(verb, campaign, dict(argument), by, time.time())
        self._writer.submit(question).result()
        return question.id

    def pending_requests(self) -> list[Request]:
        """Return the requests without an answer, oldest first."""
        return [_request(row) for row in self.reader.request_rows(pending=True)]

    async def answer(self, request: str, text: str, ok: bool) -> None:
        """Answer a request (its id), once.

        Raises:
            ConflictError: If it is unknown or was answered already.
        """
        await self._written(Answer(request, text, ok, time.time()))


def _request(row: Mapping[str, Any]) -> Request:
    argument, fault = argument_of(row)
    return Request(row["id"], row["verb"], row["campaign"], argument, row["asked_by"], row["asked_at"], fault)


def _record(row: Mapping[str, Any]) -> CampaignRecord:
    return CampaignRecord(**{**row, "status": CampaignStatus(row["status"])})
