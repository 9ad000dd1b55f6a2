"""Programs that the tests start in processes of their own, to be killed: `python -m tests.controller.store.processes NAME URL`."""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from pathlib import Path

from controller.settings import normalise_url, sqlite_file
from controller.store.opening import Store
from tests.controller.store.samples import Script, make_definition


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")  # in one piece: the writer's thread speaks too
    sys.stdout.flush()


def write_for_ever(url: str) -> None:
    """Write three campaigns at once; say `campaign experiment` for each unit as soon as it is acknowledged."""

    async def write(store: Store, name: str) -> None:
        script = Script(make_definition(name, experiments=10**6))
        await store.commit(script.created(), definition=script.definition)
        while True:
            experiment, events = script.proposed()
            await store.commit(events)
            say(name, experiment)

    async def everything() -> None:
        store = Store.open(url)
        await asyncio.gather(*(write(store, name) for name in ("one", "two", "three")))

    asyncio.run(everything())


def hold_lock(url: str) -> None:
    """Take a campaign's lock and keep it until killed."""
    store = Store.open(url)
    store.lock_campaign("sample").acquire()
    say("held")
    time.sleep(600)


def fill_disk(url: str) -> None:
    """Let files grow no further while units are written, then let them; say what the store said of it."""
    file = sqlite_file(url)
    assert file is not None
    store = Store.open(url)
    store.on_trouble(lambda state: say("state", state))
    script = Script()
    store.commit_now(script.created(), definition=script.definition)
    written = file.with_name(file.name + "-wal").stat().st_size
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (written + 4096, hard))

    async def write() -> None:
        units = [asyncio.create_task(store.commit(script.proposed()[1])) for _ in range(20)]
        deadline = time.monotonic() + 20
        while store.state == "ok" and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        say("acknowledged while full", sum(unit.done() for unit in units), store.state)
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        await asyncio.gather(*units)

    asyncio.run(write())
    say("acknowledged", len(store.events(script.campaign)), store.state)
    store.close()


def open_at_once(url: str) -> None:
    """Wait for a line, then open the store and say its campaigns."""
    say("ready")
    sys.stdin.readline()
    with Store.open(url) as store:
        say("opened", len(store.campaigns()))


if __name__ == "__main__":
    programs = {f.__name__: f for f in (write_for_ever, hold_lock, fill_disk, open_at_once)}
    sys.path.insert(0, str(Path(__file__).parents[3]))
    programs[sys.argv[1]](normalise_url(sys.argv[2]))
