"""What the live page costs: how soon the first view stands, and what each change costs the server when many look on.

The store is that of `looking`: one campaign of ten thousand experiments among two hundred. The first view is taken in a real
browser where one is installed (Debian's Chromium with Playwright). For the changes, viewers follow the stream and ask again for
what the overview of the large campaign shows, as the page does, while experiments are booked one by one; the server's processor
time is divided by changes and viewers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.looking import LARGE, experiment_events, make_store
from benchmarks.tables import stamp
from controller.api.process import HttpProcess, listen
from controller.api.serving import serving_at
from controller.domain.access import Role
from controller.settings import folder_of
from controller.store.opening import Store
from controller.store.reading import open_reader
from controller.verbs.tokens import make_token
from controller.watching import beat_file

MOST_FIRST_S, MOST_CHANGE_S = 1.0, 0.1
CHROMIUM = Path("/usr/bin/chromium")
BROWSER = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
           "--disable-component-update", "--disable-sync")  # fmt: skip
PATHS = ("overview", "figures", "figures/progress")
"""What the overview of a campaign asks for again, below its address."""
SOON_S = 30.0
APART_S = 2.0
"""From one change to the next [s]: longer than a change takes to reach everybody."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `python -m benchmarks page`."""
    parser.add_argument("--experiments", type=int, default=10_000, help="of the large campaign (default: %(default)s)")
    parser.add_argument("--campaigns", type=int, default=200, help="in the store (default: %(default)s)")
    parser.add_argument("--viewers", type=int, default=20, help="who look on (default: %(default)s)")
    parser.add_argument("--changes", type=int, default=10, help="experiments that are booked meanwhile (default: %(default)s)")
    parser.add_argument("--store", type=Path, help="a store made earlier by looking or by this, or where to make it and keep it")
    parser.add_argument("--smoke", action="store_true", help="a small store, two viewers, two changes, no browser")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/page.json"))


@asynccontextmanager
async def serving(url: str) -> AsyncIterator[tuple[str, psutil.Process]]:
    """Serve a store as the daemon does; yields the address and the process."""
    before = {child.pid for child in psutil.Process().children()}
    place = serving_at("127.0.0.1:0")
    folder_of(url).mkdir(parents=True, exist_ok=True)
    beat_file(folder_of(url)).touch()
    process = HttpProcess(place, [url], await listen(place))
    process.start()
    try:
        async with httpx.AsyncClient() as asking:
            deadline = time.monotonic() + SOON_S
            while True:
                try:
                    if (await asking.get(f"{process.url}/v1/health", timeout=SOON_S)).status_code == 200:
                        break
                except httpx.TransportError:
                    pass
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{process.url} is not served within {SOON_S:g} s")
                await asyncio.sleep(0.1)
        new = [child for child in psutil.Process().children() if child.pid not in before]
        (served,) = [child for child in new if "controller.api" in child.cmdline()]
        yield process.url, served
    finally:
        await process.close()


class Viewer:
    """Somebody with the overview of the large campaign open."""

    def __init__(self, address: str, token: str, campaign: str) -> None:
        self._client = httpx.AsyncClient(base_url=f"{address}/v1", headers={"Authorization": f"Bearer {token}"}, timeout=SOON_S)
        self._campaign = campaign
        self._tags: dict[str, str] = {}
        self.changes = 0
        """How many changes of the campaign this viewer has shown."""
        self.took: list[float] = []
        """How long the answers to each change took together [s]."""
        self.ready = asyncio.Event()

    async def look(self) -> None:
        """Follow what changes and ask again, until cancelled."""
        async with self._client as client, client.stream("GET", "/stream") as stream:
            async for line in stream.aiter_lines():
                if not line.startswith("data: "):
                    continue
                news = json.loads(line.removeprefix("data: "))
                if news["anew"] or self._campaign in news["campaigns"]:
                    await self._show()
                    self.ready.set()

    async def _show(self) -> None:
        began = time.perf_counter()
        await asyncio.gather(*(self._ask(path) for path in PATHS))
        if self.ready.is_set():
            self.changes += 1
            self.took.append(time.perf_counter() - began)

    async def _ask(self, path: str) -> None:
        known = {"If-None-Match": self._tags[path]} if path in self._tags else {}
        answer = await self._client.get(f"/campaigns/{LARGE}/{path}", headers=known)
        if answer.status_code != 304:
            answer.raise_for_status()
            self._tags[path] = answer.headers["etag"]


async def changes(address: str, process: psutil.Process, url: str, n_viewers: int, n_changes: int) -> dict[str, Any]:
    """Let viewers look on while experiments are booked; return what it cost."""
    with open_reader(url) as reader:
        campaign = reader.campaign_row(LARGE)
        newest = reader.newest_experiment_rows(campaign["id"], 1)[0]["number"]
    # A token each, as people have; two for one who asks more than fifty times a second are not needed here.
    tokens = [make_token(url, f"viewer-{i}-{time.time():.0f}", Role.LOOK, days=1.0, by="a benchmark")[0] for i in range(n_viewers)]
    viewers = [Viewer(address, token, campaign["id"]) for token in tokens]
    looking = [asyncio.create_task(viewer.look()) for viewer in viewers]
    await asyncio.wait_for(asyncio.gather(*(viewer.ready.wait() for viewer in viewers)), 4 * SOON_S)
    await asyncio.sleep(1.0)
    idle_from, idle_began = _spent(process), time.monotonic()
    await asyncio.sleep(5.0)
    idle = (_spent(process) - idle_from) / (time.monotonic() - idle_began)
    draw, before = random.Random(7), _spent(process)
    began = time.monotonic()
    with Store.open(url) as store:
        for number in range(newest + 1, newest + 1 + n_changes):
            await asyncio.to_thread(store.commit_now, experiment_events(campaign["id"], number, draw, last=False))
            await asyncio.sleep(APART_S)
    deadline = time.monotonic() + SOON_S
    while min(viewer.changes for viewer in viewers) < n_changes and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    spent, lasted = _spent(process) - before, time.monotonic() - began
    for task in looking:
        task.cancel()
    await asyncio.gather(*looking, return_exceptions=True)
    shown = sum(viewer.changes for viewer in viewers)
    took = sorted(time_s for viewer in viewers for time_s in viewer.took)
    return {
        "viewers": n_viewers, "changes": n_changes, "shown": shown, "cpu_s": spent, "cpu_share_idle": idle,
        "cpu_s_per_update": (spent - idle * lasted) / shown, "cpu_s_per_change": spent / n_changes,
        "answered_s": {"median": statistics.median(took), "worst": took[-1]}, "rss_mb": process.memory_info().rss / 1e6,
    }  # fmt: skip


def _spent(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def first_view(address: str, token: str) -> dict[str, float]:
    """Return when the first view stands in a browser with nothing in its cache, and when its first figure does [s]."""
    from playwright.sync_api import sync_playwright

    found: dict[str, list[float]] = {"view_s": [], "figure_s": []}
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(CHROMIUM), args=list(BROWSER))
        for _ in range(3):
            context = browser.new_context(viewport={"width": 1440, "height": 900})
            context.add_init_script(f"sessionStorage.setItem('labwright-token', {json.dumps(token)})")
            page = context.new_page()
            began = time.perf_counter()
            page.goto(f"{address}/#/campaigns/{LARGE}")
            page.wait_for_selector("h1 >> text=large")
            found["view_s"].append(time.perf_counter() - began)
            page.wait_for_selector(".figure-plot")
            found["figure_s"].append(time.perf_counter() - began)
            context.close()
        browser.close()
    return {name: min(times) for name, times in found.items()}


async def measure(url: str, n_viewers: int, n_changes: int, *, browser: bool) -> dict[str, Any]:
    """Serve the store at `url` and measure."""
    async with serving(url) as (address, process):
        found: dict[str, Any] = {}
        if browser:
            token, _ = make_token(url, f"browser-{time.time():.0f}", Role.LOOK, days=1.0, by="a benchmark")
            found["first"] = await asyncio.to_thread(first_view, address, token)
        return found | await changes(address, process, url, n_viewers, n_changes)


def run(chosen: argparse.Namespace) -> int:
    """Make the store, measure, print the table, and return 0 when both bounds are kept."""
    experiments, campaigns, n_viewers, n_changes = (
        (60, 3, 2, 2) if chosen.smoke else (chosen.experiments, chosen.campaigns, chosen.viewers, chosen.changes)
    )
    browser = not chosen.smoke and CHROMIUM.exists() and find_spec("playwright") is not None
    with tempfile.TemporaryDirectory() as folder:
        store = chosen.store or Path(folder) / "full.db"
        if not store.exists():
            make_store(store, experiments=experiments, campaigns=campaigns, small=min(20, experiments))
        found = asyncio.run(measure(f"sqlite:///{store.absolute()}", n_viewers, n_changes, browser=browser))
    print(f"{experiments} experiments in one campaign, {campaigns} campaigns, {n_viewers} viewers, {n_changes} changes")
    if "first" in found:
        first = found["first"]
        print(f"first view {first['view_s']:.3f} s, its first figure {first['figure_s']:.3f} s (best of three, real time)")
    print(f"an update costs the server {1000 * found['cpu_s_per_update']:.1f} ms for each viewer (processor time)")
    answered = found["answered_s"]
    print(f"what has changed is there {1000 * answered['median']:.0f} ms after its news, {1000 * answered['worst']:.0f} at worst")
    print(f"while nothing changes: {100 * found['cpu_share_idle']:.2f} % of a core; memory {found['rss_mb']:.0f} MB")
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    sizes = {"experiments": experiments, "campaigns": campaigns, "most_first_s": MOST_FIRST_S, "most_change_s": MOST_CHANGE_S}
    chosen.output.write_text(json.dumps({**stamp(), **sizes, **found}, indent=1), encoding="utf-8")
    print(f"written to {chosen.output}")
    kept = found["cpu_s_per_update"] <= MOST_CHANGE_S and found.get("first", {}).get("view_s", 0.0) <= MOST_FIRST_S
    return 0 if chosen.smoke or kept else 1
