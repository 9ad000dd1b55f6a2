"""`labwright daemon`: the controller that works in the background on every campaign of a store."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from controller.cli.options import STORE_VARIABLE, Device, DeviceOption, Json, Store
from controller.cli.render import Column, print_json, print_rows
from controller.verbs.stores import show_url, store_urls

if TYPE_CHECKING:
    from controller.api.serving import Serving

app = typer.Typer()

START_S = 120.0
"""Patience for a daemon that starts [s]: one that dies is noticed at once, so this is for machines that have much else to do."""
LAST_LINES = 5
PAGE = "127.0.0.1:8765"
"""Where the live page is served if nothing else is said."""

Foreground = Annotated[bool, typer.Option("--foreground", help="Stay in this terminal, for a service manager.")]
Supervise = Annotated[
    bool, typer.Option("--supervise", help="Watch over it: start it again when it has crashed or hangs.")
]
Grace = Annotated[
    float, typer.Option("--grace", min=0, help="Seconds that what runs may take to finish when told to stop.")
]
Http = Annotated[
    str | None,
    typer.Option("--http", metavar="HOST:PORT", help="Serve HTTP there, for example 127.0.0.1:8765.", show_default=False),
]
HttpCert = Annotated[
    Path | None, typer.Option("--http-cert", metavar="FILE", help="Certificate for TLS with its chain, PEM.", show_default=False)
]
HttpKey = Annotated[
    Path | None, typer.Option("--http-key", metavar="FILE", help="The certificate's secret key, PEM.", show_default=False)
]
HttpName = Annotated[
    list[str] | None,
    typer.Option("--http-name", metavar="NAME", help="By which clients call this machine. May be repeated.", show_default=False),
]
Notify = Annotated[
    Path | None,
    typer.Option("--notify", metavar="FILE", help="Tell people, as this file says; by default notify.yaml beside the store.",
                 show_default=False),
]  # fmt: skip
Page = Annotated[bool, typer.Option("--page", help=f"Print a link to the live page; without --http it is served at {PAGE}.")]


@app.command()
def start(
    foreground: Foreground = False,
    supervise: Supervise = False,
    store: Store = None,
    device: DeviceOption = Device.AUTO,
    grace: Grace = 30.0,
    http: Http = None,
    http_cert: HttpCert = None,
    http_key: HttpKey = None,
    http_name: HttpName = None,
    notify: Notify = None,
    page: Page = False,
    json: Json = False,
) -> None:
    """Start the daemon of a store, by default of both of the user's own: for real and for simulated data."""
    from controller.api.process import http_url
    from controller.daemon import RunOptions, daemon_state, serve_forever
    from controller.errors import CampaignLockedError
    from controller.settings import folder_of
    from controller.verbs.notifications import check_rules, rules_file
    from controller.watching import watch, watch_state

    urls = store_urls(store)
    rules = rules_file(notify, urls)
    if rules is not None and not foreground:
        check_rules(rules)
    serving = None
    if page and foreground:
        raise typer.BadParameter("--page is for a daemon in the background; labwright tokens link makes a link at any time")
    http = http or (PAGE if page else None)
    if http is not None:
        from controller.api.serving import check_people, serving_at

        serving = serving_at(http, certificate=http_cert, key=http_key, names=http_name or ())
        check_people(serving, urls[0])
    elif http_cert or http_key or http_name:
        raise typer.BadParameter("--http-cert, --http-key and --http-name are of use only with --http")
    command = command_of(device, grace, serving, rules)
    if foreground and supervise:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        folder = folder_of(urls[0])
        folder.mkdir(parents=True, exist_ok=True)
        if store:
            os.environ[STORE_VARIABLE] = urls[0]
        raise typer.Exit(watch(command, folder))
    if foreground:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        logging.getLogger("alembic").setLevel(logging.WARNING)
        serve_forever([RunOptions(store_url=url, device=device.value, grace_s=grace) for url in urls], serving, rules)
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
    if serving is not None:
        serving.listen().close()  # what cannot be is said now, not by the daemon's log
    log = spawn(urls, store, command, supervise=supervise)
    shown = [show_url(url) for url in urls]
    pid, address = daemon_state(urls[0])["pid"], http_url(folder_of(urls[0]))
    link = _link(urls[0]) if page else None
    if json:
        told = {"running": True, "pid": pid, "stores": shown, "log": str(log), "http": address, "notify": rules and str(rules)}
        print_json(told | ({"link": link} if link else {}))
    else:
        of = "" if store is None else f" --store {shown[0]}"  # a token is of one store
        served = f"\nHTTP is served at {address}; labwright tokens new NAME{of} lets somebody in" if address else ""
        served += f"\nPeople are told as {rules} says; labwright notify test shows whether it arrives" if rules else ""
        print(f"The daemon (process {pid}) is at work on {' and '.join(shown)}; it writes to {log}{served}")
        if link is not None:
            print(f"The live page; this link lets you in once: {link}")


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
    from controller.api.process import http_url
    from controller.daemon import daemon_state
    from controller.settings import folder_of
    from controller.watching import watch_state

    rows: list[dict[str, Any]] = []
    for url in store_urls(store):
        state, folder = daemon_state(url), folder_of(url)
        http = http_url(folder) if state["running"] else None  # one that was killed left its note behind
        rows.append({**state, **watch_state(folder), "http": http, "store": show_url(url)})
    if not json:
        rows = [{**row, "restarts": row["restarts"] or None} for row in rows]
    columns = [
        Column("store"), Column("running"), Column("pid", "process"), Column("http"), Column("folder"), Column("watch"),
        Column("restarts"), Column("last_end", "the last one"), Column("alarm"),
    ]  # fmt: skip
    print_rows(
        rows,
        columns,
        as_json=json,
        title="Daemon",
    )


def _link(url: str) -> str:
    from controller.cli.links import own_name, page_link
    from controller.domain.access import Role

    return page_link(url, own_name(), Role.OPERATE)


def command_of(device: Device, grace: float, serving: Serving | None, rules: Path | None = None) -> list[str]:
    """Return what starts the daemon in the foreground; its store comes from the environment, where nobody can read a password."""
    options = ["--device", device.value, "--grace", str(grace)]
    if serving is not None:
        host = f"[{serving.host}]" if ":" in serving.host else serving.host
        options += ["--http", f"{host}:{serving.port}"]
        for option, file in (("--http-cert", serving.certificate), ("--http-key", serving.key)):
            options += [option, str(file)] if file is not None else []
        for name in serving.names:
            options += ["--http-name", name]
    options += ["--notify", str(rules)] if rules is not None else []
    return [sys.executable, "-m", "controller", "daemon", "start", "--foreground", *options]


def spawn(urls: Sequence[str], store: str | None, command: Sequence[str], *, supervise: bool) -> Path:
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
            [*command, *(["--supervise"] if supervise else [])],
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
