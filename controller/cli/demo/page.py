"""The demo on the live page: a daemon with HTTP on loopback, a link that lets one in, and Ctrl-C ends it all."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

from controller.cli.options import Device

if TYPE_CHECKING:
    from controller.api.serving import Serving
    from controller.domain.campaign import Definition

GRACE_S = 2.0
"""What runs may take so long to finish after Ctrl-C; it is simulated, and goes on with the next call [real s]."""
START_S = 30.0
LOOK_S = 0.5


def show_page(definition: Definition, url: str, *, device: Device, as_json: bool) -> None:
    """Start a daemon on the demo's store, hand it the campaign, print a link, and wait for Ctrl-C.

    Args:
        definition: The campaign.
        url: The store.
        device: For the models.
        as_json: Print one line of JSON in place of text.

    Raises:
        CampaignLockedError: If a daemon is at work on this store already.
        ConflictError: If the daemon refuses the campaign.
    """
    from controller.cli.daemon import command_of, spawn
    from controller.cli.links import own_name, page_link
    from controller.cli.render import print_json
    from controller.daemon import daemon_state, stop_daemon
    from controller.domain.access import Role
    from controller.errors import CampaignLockedError
    from controller.verbs.stores import show_url

    if (pid := daemon_state(url)["pid"]) is not None:
        raise CampaignLockedError(
            f"a demo is at work already (process {pid}); labwright tokens link --store {show_url(url)} makes a link to it"
        )
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.set())
    log = spawn([url], url, command_of(device, GRACE_S, _free_address()), supervise=False)
    try:
        _hand_over(definition, url)
        link = page_link(url, own_name(), Role.OPERATE)
        if as_json:
            print_json({"link": link, "campaign": definition.name, "store": show_url(url), "log": str(log)}, one_line=True)
        else:
            print(
                f"A simulated lab is at work: a flow reactor and an HPLC, {definition.budget.experiments} experiments, lab time "
                f"{definition.lab.speed:g} times faster than a clock on the wall.\n\nOpen this in a browser on this machine; it "
                f"lets you in once:\n\n  {link}\n\nCtrl-C ends it all; another call goes on where it was.", flush=True,
            )  # fmt: skip
        while not ended.wait(LOOK_S) and daemon_state(url)["running"]:
            pass
    finally:
        stop_daemon(url, START_S)


def _free_address() -> Serving:
    """Return the usual address, or one that the system chooses where that is taken."""
    from controller.api.serving import serving_at
    from controller.cli.daemon import PAGE
    from controller.errors import ConflictError

    usual = serving_at(PAGE)
    try:
        usual.listen().close()
    except ConflictError:
        return serving_at("127.0.0.1:0")
    return usual


def _hand_over(definition: Definition, url: str) -> None:
    from controller.store.opening import Store
    from controller.store.reading import open_reader
    from controller.verbs.requests import ask, who

    with open_reader(url) as reader:
        if any(row["name"] == definition.name for row in reader.campaigns()):
            return  # it was begun before, and the daemon has taken it up
    with Store.open(url) as store:
        store.keep_now(definition)
        argument = {"definition": definition.model_dump(mode="json", by_alias=True)}
        ask(store, "start", None, argument, by=who(), timeout_s=START_S)
