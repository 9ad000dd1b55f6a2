"""`labwright daemon`: the controller that works in the background on every campaign of a store."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from controller.cli.options import STORE_VARIABLE, Device, DeviceOption, Json, Store
from controller.cli.render import Column, print_json, print_rows
from controller.cli.stores import show_url, store_urls

app = typer.Typer()

START_S = 30.0
"""Patience for a daemon that starts [s]."""
LAST_LINES = 5

Foreground = Annotated[bool, typer.Option("--foreground", help="Stay in this terminal, for a service manager.")]
Grace = Annotated[
    float, typer.Option("--grace", min=0, help="Seconds that what runs may take to finish when told to stop.")
]


@app.command()
def start(
    foreground: Foreground = False,
    store: Store = None,
    device: DeviceOption = Device.AUTO,
    grace: Grace = 30.0,
    json: Json = False,
) -> None:
    """Start the daemon of a store, by default of both of the user's own: for real and for simulated data."""
    from controller.daemon import RunOptions, daemon_state, serve_forever
    from controller.errors import CampaignLockedError

    urls = store_urls(store)
    if foreground:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        logging.getLogger("alembic").setLevel(logging.WARNING)
        serve_forever([RunOptions(store_url=url, device=device.value, grace_s=grace) for url in urls])
        return
    for url in urls:
        state = daemon_state(url)
        if state["running"]:
            raise CampaignLockedError(f"a daemon is at work on {show_url(url)} already (process {state['pid']})")
    log = _spawn(urls, store, device, grace)
    shown = [show_url(url) for url in urls]
    pid = daemon_state(urls[0])["pid"]
    if json:
        print_json({"running": True, "pid": pid, "stores": shown, "log": str(log)})
    else:
        print(f"The daemon (process {pid}) is at work on {' and '.join(shown)}; it writes to {log}")


@app.command()
def stop(
    store: Store = None,
    timeout: Annotated[float, typer.Option(min=0, help="Patience in seconds.")] = 60.0,
    json: Json = False,
) -> None:
    """Let what runs finish, then end the daemon."""
    from controller.daemon import daemon_state, stop_daemon
    from controller.errors import ConflictError

    stopped = []
    for url in store_urls(store):
        pid = daemon_state(url)["pid"]
        if pid is None:
            continue
        stopped.append({"store": show_url(url), "pid": pid})
    for url in store_urls(store):  # one daemon may be at work on several
        if not stop_daemon(url, timeout):
            pid = daemon_state(url)["pid"]
            raise ConflictError(
                f"the daemon on {show_url(url)} (process {pid}) is still finishing what runs after {timeout:g} s"
            )
    if json:
        print_json(stopped)
    else:
        print("\n".join(f"The daemon on {s['store']} has ended." for s in stopped) or "No daemon is at work.")


@app.command()
def status(store: Store = None, json: Json = False) -> None:
    """Show whether a daemon is at work."""
    from controller.daemon import daemon_state

    rows = [{**daemon_state(url), "store": show_url(url)} for url in store_urls(store)]
    print_rows(
        rows,
        [Column("store"), Column("running"), Column("pid", "process"), Column("folder")],
        as_json=json,
        title="Daemon",
    )


def _spawn(urls: Sequence[str], store: str | None, device: Device, grace: float) -> Path:
    """Start the daemon as a process of its own and wait until it is at work; its log is where the store is."""
    from controller.daemon import daemon_state
    from controller.errors import LabwrightError
    from controller.settings import folder_of

    folder = folder_of(urls[0])
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "daemon.log"
    with log.open("ab") as out:
        began = out.tell()
        process = subprocess.Popen(
            [
                sys.executable, "-m", "controller", "daemon", "start", "--foreground",
                "--device", device.value, "--grace", str(grace),
            ],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, cwd=folder,
            env={**os.environ, **({STORE_VARIABLE: urls[0]} if store else {})},
        )  # fmt: skip
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            with log.open("rb") as written:
                written.seek(began)
                tail = written.read().decode(errors="replace").strip().splitlines()[-LAST_LINES:]
            error = LabwrightError("the daemon ended as it began: " + ("\n".join(tail) or f"see {log}"))
            error.exit_code = process.returncode or 1
            raise error
        if all(daemon_state(url)["pid"] == process.pid for url in urls):
            return log
        time.sleep(0.1)
    raise LabwrightError(f"the daemon (process {process.pid}) has not come to work within {START_S:g} s; see {log}")
