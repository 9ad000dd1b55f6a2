"""What each GET of the HTTP API costs the server on a full store, and what looking for news to tell people costs.

The store is that of `looking`. Every GET that the OpenAPI document names is asked for, so that none is forgotten; only those that
ask models, which takes seconds by design, are left out. What counts is the processor time of the process that serves: right after
something has happened in the large campaign (`changed`), and when nothing has happened since the same was asked (`again`).
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import json
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from benchmarks.looking import LARGE, experiment_events, make_store
from benchmarks.page import serving
from benchmarks.tables import stamp
from controller.domain.access import Role
from controller.notify.service import Teller, baseline
from controller.store.opening import Store
from controller.store.reading import open_reader
from controller.verbs.plotting import COMPUTED, KINDS
from controller.verbs.tokens import make_token

MOST_S = 0.05
"""Processor time of an answer that is asked for again and again, while nothing has happened."""
MODELS = ("/why", "/sensitivity", "/slices/{parameter}", "/forecast", "/best", "/replay")
"""Ends of addresses of what asks models."""
WHOLE = ("/audit", "/export")
"""Ends of addresses of what goes through all of a campaign: asked for seldom, by people, and timed once."""
ELSEWHERE = ("/stream", "/tasks/{task}", "/files/{sha256}", "/schemas/{kind}")
"""The stream is measured by `page`; a task is a file of an instrument, a raw file one beside the store; a schema is code."""
SOON_S = 600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `python -m benchmarks answers`."""
    parser.add_argument("--experiments", type=int, default=10_000, help="of the large campaign (default: %(default)s)")
    parser.add_argument("--campaigns", type=int, default=200, help="in the store (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="changes; the median counts (default: %(default)s)")
    parser.add_argument("--telling", type=float, default=20.0, help="seconds of looking for news to tell (default: %(default)s)")
    parser.add_argument("--store", type=Path, help="a store made earlier by looking or by this, or where to make it and keep it")
    parser.add_argument("--only", default="", help="only addresses that hold this text")
    parser.add_argument("--smoke", action="store_true", help="a small store, one round")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/answers.json"))


class Clock:
    """The processor time of another process, to the nanosecond (clock_getcpuclockid(3)), its ended threads included.

    Args:
        pid: Of the process.
    """

    def __init__(self, pid: int) -> None:
        held = ctypes.c_int()
        if ctypes.CDLL(None).clock_getcpuclockid(pid, ctypes.byref(held)):
            raise OSError(f"the processor time of process {pid} cannot be read")
        self._id = held.value

    def s(self) -> float:
        """Return it [s]."""
        return time.clock_gettime(self._id)


def addresses(document: Mapping[str, Any], number: int) -> list[str]:
    """Return the address of every GET that an OpenAPI document names, filled in for experiment `number` of the large campaign."""
    found = []
    for path, verbs in document["paths"].items():
        if "get" not in verbs or path.endswith((*MODELS, *ELSEWHERE)):
            continue
        filled = path.replace("{campaign}", LARGE).replace("{number}", str(number))
        if path.endswith("/figures/{kind}"):
            found += [filled.replace("{kind}", kind) for kind in KINDS if kind not in COMPUTED]
        else:
            found.append(filled)
    for filled in found:
        if "{" in filled:
            raise ValueError(f"{filled}: say in benchmarks/answers.py what stands for the braces, or that it is measured elsewhere")
    experiments = f"/v1/campaigns/{LARGE}/experiments"
    found = [f"{one}?campaign={LARGE}&campaign=small-001" if one.endswith("/comparison") else one for one in found]
    return sorted([*found, f"{experiments}?sort=-yield&limit=50", f"{experiments}?status=failed&limit=50"])


async def ask(client: httpx.AsyncClient, clock: Clock, address: str) -> tuple[float, httpx.Response]:
    """Return what an answer cost the server [s], and the answer."""
    before = clock.s()
    answer = await client.get(address)
    return clock.s() - before, answer


async def measure(url: str, rounds: int, only: str) -> dict[str, dict[str, Any]]:
    """Serve the store at `url`; return address -> `changed_s`, `again_s`, `status` and `bytes`."""
    with open_reader(url) as reader:
        campaign = reader.campaign_row(LARGE)["id"]
        newest = int(reader.newest_experiment_rows(campaign, 1)[0]["number"])
    token, _ = make_token(url, f"answers-{time.time():.0f}", Role.ADMINISTER, days=1.0, by="a benchmark")
    draw = random.Random(7)
    taken: dict[str, dict[str, list[float]]] = {}
    found: dict[str, dict[str, Any]] = {}
    async with (
        serving(url) as (address, process),
        httpx.AsyncClient(base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=SOON_S) as client,
    ):
        clock = Clock(process.pid)
        document = (await client.get("/v1/openapi.json")).raise_for_status().json()
        asked = [one for one in addresses(document, newest // 2) if only in one]
        for turn in range(rounds + 1):  # the first imports what it needs, and does not count
            events = experiment_events(campaign, newest + 1 + turn, draw, last=False)
            with Store.open(url) as store:
                await asyncio.to_thread(store.commit_now, events)
            for one in asked:
                seldom = any(f"{LARGE}{end}" in one for end in WHOLE)
                if seldom and turn > 1:
                    continue
                cost, answer = await ask(client, clock, one)
                again = [(await ask(client, clock, one))[0] for _ in range(0 if seldom else 3)]
                found[one] = {"status": answer.status_code, "bytes": len(answer.content), "seldom": seldom}
                if turn:
                    times = taken.setdefault(one, {"changed_s": [], "again_s": []})
                    times["changed_s"].append(cost)
                    times["again_s"] += again
    return {
        one: {name: statistics.median(s) for name, s in taken[one].items() if s} | about for one, about in found.items()
    }


def telling(url: str, folder: Path, lasts_s: float) -> float:
    """Return the processor time that looking for what people are to be told takes for each minute [s], while nothing happens."""
    rules = folder / "notify.yaml"
    rules.touch(mode=0o600)
    rules.write_text("targets:\n  nobody: {webhook: 'http://127.0.0.1:9/', tell: [failure]}\n", encoding="utf-8")
    baseline(url)
    teller = Teller([url], rules)
    thread = threading.Thread(target=teller.run)
    thread.start()
    try:
        time.sleep(min(lasts_s, 5.0))  # every log is looked at once, to begin with
        spent, began = time.process_time(), time.monotonic()
        time.sleep(lasts_s)
        return 60.0 * (time.process_time() - spent) / (time.monotonic() - began)
    finally:
        teller.leave(orderly=True)
        thread.join()


def run(chosen: argparse.Namespace) -> int:
    """Make the store, measure, print the table, and return 0 when every answer keeps its bound."""
    experiments, campaigns, rounds, lasts_s = (
        (60, 3, 1, 0.7) if chosen.smoke else (chosen.experiments, chosen.campaigns, chosen.rounds, chosen.telling)
    )
    with tempfile.TemporaryDirectory() as folder:
        store = chosen.store or Path(folder) / "full.db"
        if not store.exists():
            make_store(store, experiments=experiments, campaigns=campaigns, small=min(20, experiments))
        url = f"sqlite:///{store.absolute()}"
        found = asyncio.run(measure(url, rounds, chosen.only))
        told_s = telling(url, Path(folder), lasts_s)
    print(f"{experiments} experiments in one campaign, {campaigns} campaigns; processor time of the server, median of {rounds}")
    print(f"{'changed [ms]':>13s} {'again [ms]':>11s} {'status':>7s} {'kB':>8s}")
    for one, row in sorted(found.items(), key=lambda pair: -pair[1]["changed_s"]):
        again = f"{1000 * row['again_s']:11.1f}" if "again_s" in row else f"{'':11s}"
        print(f"{1000 * row['changed_s']:13.1f} {again} {row['status']:7d} {row['bytes'] / 1000:8.1f}  {one}")
    print(f"looking for news to tell people: {told_s:.2f} s of processor time a minute, all {campaigns} campaigns at work")
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    sizes = {"experiments": experiments, "campaigns": campaigns, "rounds": rounds, "most_s": MOST_S, "telling_s_per_minute": told_s}
    chosen.output.write_text(json.dumps({**stamp(), **sizes, "answers": found}, indent=1), encoding="utf-8")
    print(f"written to {chosen.output}")
    return 0 if chosen.smoke or all(row.get("again_s", 0.0) <= MOST_S for row in found.values()) else 1
