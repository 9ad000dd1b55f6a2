"""Links to the live page: each lets one browser in, once. What it carries stands behind `#`, where no server and no log sees it."""

from __future__ import annotations

import getpass
import re
from typing import TYPE_CHECKING

from controller.errors import ConflictError
from controller.verbs.stores import show_url

if TYPE_CHECKING:
    from controller.domain.access import Role


def page_link(url: str, name: str, role: Role) -> str:
    """Make a link and return it.

    Args:
        url: The store that the daemon takes its tokens from.
        name: Whose it is.
        role: What the page allows by it.

    Raises:
        ConflictError: If no daemon serves HTTP.
    """
    from controller.api.process import http_url
    from controller.daemon import daemon_state
    from controller.settings import folder_of
    from controller.verbs.requests import who
    from controller.verbs.tokens import make_link

    address = http_url(folder_of(url)) if daemon_state(url)["running"] else None
    if address is None:
        raise ConflictError(f"no daemon serves HTTP for {show_url(url)}; start one with labwright daemon start --page")
    secret, _ = make_link(url, name, role, by=who())
    return f"{address}/#link={secret}"


def own_name() -> str:
    """Return the user's name, in the form that tokens have."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container may know no name for the user id
        user = ""
    return re.sub(r"[^A-Za-z0-9_.+-]", "-", user).lstrip("_.+-")[:40] or "somebody"
