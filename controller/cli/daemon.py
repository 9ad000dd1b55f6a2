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
from controller.verbs.stores import show_url, store_urls

app = typer.Typer()

START_S = 30.0
"""Patience for a daemon that starts [s]."""
LAST_LINES = 5

Foreground = Annotated[bool, typer.Option("--foreground", help="Stay in this terminal, for a service manager.")]
Supervise = Annotated[
    bool, typer.Option("--supervise", help="Watch over it: start it again when it has crashed or hangs.")
]
Grace = Annotated[
    float, typer.Option("--grace", min=0, help="Seconds that what runs may take to finish when told to stop.")
]


@app.command()
def start(
    foreground: Foreground = False,
    supervise: Supervise = False,
    store: Store = None,
    device: DeviceOption = Device.AUTO,
    grace: Grace = 30.0,
    json: Json = False,
) -> None:
    """Start the daemon of a store, by default of both of the user's own: for real and for simulated data."""
    from controller.daemon import RunOptions, daemon_state, serve_forever
    from controller.errors import CampaignLockedError
    from controller.settings import folder_of
    from controller.watching import watch, watch_state

    urls = store_urls(store)
    if foreground and supervise:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        folder = folder_of(urls[0])
        folder.mkdir(parents=True, exist_ok=True)
        if store:
            os.environ[STORE_VARIABLE] = urls[0]
        raise typer.Exit(watch(_command(device, grace), folder))
    if foreground:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        logging.getLogger("alembic").setLevel(logging.WARNING)
        serve_forever([RunOptions(store_url=url, device=device.value, grace_s=grace) for url in urls])
        return
    for url in urls:
        state = daemon_state(url)
        if state["running"]:
            raise CampaignLockedError(f"a daemon is at work on {show_url(url)} already (process {state['pid']})")
        if (watching := watch_state(folder_of(url))["watch"]) is not None:
            raise CampaignLockedError(
                f"a watch (process {watching}) is about to start the daemon of {show_url(url)} again; "
                "end it first with labwright daemon stop"
            )
    log = _spawn(urls, store, device, grace, supervise=supervise)
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
    from controller.settings import folder_of
    from controller.watching import watch_state

    stopped = []
    for url in store_urls(store):
        pid = daemon_state(url)["pid"] or watch_state(folder_of(url))["watch"]
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
    from controller.settings import folder_of
    from controller.watching import watch_state

    rows = [
        {**daemon_state(url), **watch_state(folder_of(url)), "store": show_url(url)} for url in store_urls(store)
    ]
    if not json:
        rows = [{**row, "restarts": row["restarts"] or None} for row in rows]
    columns = [
        Column("store"), Column("running"), Column("pid", "process"), Column("folder"), Column("watch"), Column("restarts"),
        Column("last_end", "the last one"), Column("alarm"),
    ]  # fmt: skip
    print_rows(
        rows,
        columns,
        as_json=json,
        title="Daemon",
    )


def _command(device: Device, grace: float) -> list[str]:
    """Return what starts the daemon in the foreground; its store comes from the environment, where nobody can read a password."""
    return [
        sys.executable, "-m", "controller", "daemon", "start", "--foreground", "--device", device.value, "--grace", str(grace),
    ]  # fmt: skip


def _spawn(urls: Sequence[str], store: str | None, device: Device, grace: float, *, supervise: bool) -> Path:
    """Start the daemon as a process of its own and wait until it is at work; its log is where the store is."""
    from controller.daemon import daemon_state
    from controller.errors import LabwrightError
    from controller.settings import folder_of
    from controller.watching import watch_state

    folder = folder_of(urls[0])
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "daemon.log"
    with log.open("ab") as out:
        began = out.tell()
        process = subprocess.Popen(
            [*_command(device, grace), *(["--supervise"] if supervise else [])],
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
        at_work = [daemon_state(url)["pid"] for url in urls]
        if supervise and None not in at_work and watch_state(folder)["watch"] == process.pid:
            return log
        if not supervise and set(at_work) == {process.pid}:
            return log
        time.sleep(0.1)
    raise LabwrightError(f"the daemon (process {process.pid}) has not come to work within {START_S:g} s; see {log}")
