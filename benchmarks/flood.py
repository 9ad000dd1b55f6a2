"""A hub under attack: junk frames, connections by the thousand, raw bytes; what it costs the daemon and its honest driver.

The hub runs here, as in the daemon. One honest driver with a real journal is a process of its own; the attackers are others,
which the system runs only when nobody else wants a core (`SCHED_IDLE`, sched(7)): a real attacker has a processor of its own
and does not starve us of ours. Mere niceness is not enough: Linux lets even the nicest finish its slice of some milliseconds,
several round trips. What is compared is how many attempts per second make their full round (command, accepted, started,
finished, acknowledged) before the attack and during it, and how far this process's memory grows.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import multiprocessing
import os
import random
import resource
import socket
import struct
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import psutil

from benchmarks.touching import touching_process
from instruments.client import AttemptFinished, Command, EventStream, InstrumentHub, LinkUp
from instruments.protocol.codec import MAX_FRAME
from instruments.transport.zeromq import ZeroMQServer

FRAMES_PER_CONNECTION = 1000
MOST_GROWTH_MB = 20.0
LEAST_RATE = 0.5
_JUNK = (
    b"", b"{", b"\0" * 64, b"[" * 3000, b'{"type":"farewell","reason":"ha"}', b'{"type":"hello","protocol":1}',
    b'{"type":"hello","protocol":9}', b'{"type":"finished","attempt":"a","outcome":{}}', bytes(range(256)) * 8,
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--frames", type=int, default=10_000_000, help="junk frames to send in all")
    parser.add_argument("--connections", type=int, default=10_000, help="connections to hold open at once")
    parser.add_argument("--attackers", type=int, default=2, help="processes that send junk")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long honest round trips are counted before")
    parser.add_argument("--most-minutes", type=float, default=8.0, help="the attack ends then, however far it has come")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/flood.json"))


def greeting(identity: bytes) -> bytes:
    """Return what a ZMTP 3.0 DEALER without security says first (https://rfc.zeromq.org/spec/23/)."""
    ready = b"\x05READY\x0bSocket-Type" + struct.pack(">I", 6) + b"DEALER"
    ready += b"\x08Identity" + struct.pack(">I", len(identity)) + identity
    return b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32) + b"\x04" + bytes([len(ready)]) + ready


def wire_frame(content: bytes, *, more: bool = False) -> bytes:
    """Return a ZMTP frame."""
    if len(content) < 256:
        return bytes([more, len(content)]) + content
    return bytes([2 | more]) + struct.pack(">Q", len(content)) + content


def stand_back() -> None:
    """Have this process run only on a core that nobody else wants; elsewhere than on Linux, give way as far as can be."""
    with contextlib.suppress(AttributeError, OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    os.nice(19)


def send_junk(port: int, n: int, seed: int, sent: Any, *, standing_back: bool = True) -> None:
    """Send `n` junk frames as strangers and under instruments' names, over connection after connection as they are cut.

    Args:
        port: Of the hub.
        n: How many frames the system must have taken from us.
        seed: Of what is sent.
        sent: Shared counter.
        standing_back: Whether to leave the cores to whoever else wants them.
    """
    if standing_back:
        stand_back()
    rng = random.Random(seed)
    bursts = [b"".join(wire_frame(rng.choice(_JUNK)) for _ in range(100)) for _ in range(20)]
    left = n
    while left > 0:
        identity = rng.choice((b"bench/%s/data" % uuid.uuid4().hex.encode(), uuid.uuid4().bytes))
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5.0) as raw:
            raw.sendall(greeting(identity))
            for _ in range(FRAMES_PER_CONNECTION // 100):
                raw.sendall(rng.choice(bursts))
                left -= 100
                with sent.get_lock():
                    sent.value += 100
            if rng.random() < 0.01:
                raw.sendall(wire_frame(bytes(MAX_FRAME), more=True) * 4)  # a message whose parts never end


def hold_connections(port: int, n: int, opened: Any, stop: Any) -> None:
    """Open `n` connections and keep as many open as the hub lets us: silent, half-open, and complete but never reading."""
    stand_back()
    held: list[socket.socket] = []
    for i in range(n):
        if stop.is_set():
            break
        with contextlib.suppress(OSError):
            raw = socket.create_connection(("127.0.0.1", port), timeout=5.0)
            held.append(raw)
            if i % 3 == 1:
                raw.sendall(greeting(b"bench/holder%d/data" % i)[:20])
            elif i % 3 == 2:
                raw.sendall(greeting(b"bench/holder%d/data" % i) + wire_frame(b'{"type":"farewell","reason":"x"}'))
        with opened.get_lock():
            opened.value += 1
    stop.wait()
    for raw in held:
        raw.close()


async def _round_trips(hub: InstrumentHub, events: EventStream, until: Any) -> tuple[int, float]:
    """Make attempts one after the other until told; return how many, and how long it took [s]."""
    n, begun = 0, time.monotonic()
    while not until():
        attempt = uuid.uuid4().hex
        hub.command("bench", Command(attempt=attempt, action="touch"))
        async for event in events:
            if isinstance(event, AttemptFinished) and event.attempt == attempt:
                break
        hub.acknowledge("bench", attempt)
        n += 1
    return n, time.monotonic() - begun


async def flood(chosen: argparse.Namespace) -> dict[str, Any]:
    """Attack a hub and return what was seen."""
    me = psutil.Process()
    context = multiprocessing.get_context("spawn")
    sent, opened, stop = context.Value("q", 0), context.Value("q", 0), context.Event()
    transport = ZeroMQServer()
    hub = InstrumentHub(transport)
    events = hub.events()
    lines = _Lines()
    logging.getLogger("instruments").addHandler(lines)
    address = await hub.start()
    port = int(address.rpartition(":")[2])
    with tempfile.TemporaryDirectory(prefix="labwright-flood-") as folder:
        with touching_process(Path(folder), "bench", address):
            async for event in events:
                if isinstance(event, LinkUp):
                    break
            await _round_trips(hub, events, _after(2.0))
            n_before, s_before = await _round_trips(hub, events, _after(chosen.seconds))
            before_mb = me.memory_info().rss / 1e6
            peak_mb = before_mb
            share = chosen.frames // chosen.attackers
            attackers = [
                context.Process(target=send_junk, args=(port, share, seed, sent), daemon=True)
                for seed in range(chosen.attackers)
            ]
            holder = context.Process(target=hold_connections, args=(port, chosen.connections, opened, stop), daemon=True)
            end = time.monotonic() + 60.0 * chosen.most_minutes
            for process in (*attackers, holder):
                process.start()

            def over() -> bool:
                nonlocal peak_mb
                peak_mb = max(peak_mb, me.memory_info().rss / 1e6)
                busy = any(p.is_alive() for p in attackers) or opened.value < chosen.connections
                return not busy or time.monotonic() > end

            while sent.value == 0 and time.monotonic() < end:
                await asyncio.sleep(0.05)
            n_during, s_during = await _round_trips(hub, events, over)
            after_mb = me.memory_info().rss / 1e6
            stop.set()
            for process in (*attackers, holder):
                process.terminate()
                await asyncio.to_thread(process.join)
            link = hub.links()["bench"]
        result = {
            "open_files": resource.getrlimit(resource.RLIMIT_NOFILE),
            "frames_sent": sent.value,
            "frames_dropped_by_hub": hub.garbage_frames,
            "connections_opened": opened.value,
            "connections_cut": transport.cut_connections,
            "attack_s": round(s_during, 1),
            "rate_before_per_s": round(n_before / s_before, 1),
            "rate_during_per_s": round(n_during / s_during, 1),
            "rate_ratio": round((n_during / s_during) / (n_before / s_before), 3),
            "memory_before_mb": round(before_mb, 1),
            "memory_growth_mb": round(after_mb - before_mb, 1),
            "memory_peak_growth_mb": round(peak_mb - before_mb, 1),
            "log_lines": lines.n,
            "driver_still_linked": link.connected,
        }
    await hub.close()
    return result


def _after(seconds: float) -> Any:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


class _Lines(logging.Handler):
    """Counts log lines."""

    def __init__(self) -> None:
        super().__init__()
        self.n = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.n += 1


def run(chosen: argparse.Namespace) -> int:
    """Run the flood and print what was seen; 0 when memory and rate stay within their bars."""
    result = asyncio.run(flood(chosen))
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps(result, indent=1), encoding="utf-8")
    print(json.dumps(result, indent=1))
    kept = result["memory_peak_growth_mb"] < MOST_GROWTH_MB and result["rate_ratio"] >= LEAST_RATE
    return 0 if kept and result["driver_still_linked"] else 1
