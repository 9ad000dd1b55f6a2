"""The rendezvous file: where the controller listens now, re-read by drivers whenever they lose it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

from instruments.bounded import from_json, read_small
from instruments.errors import AddressError


class Rendezvous(NamedTuple):
    """The content of a rendezvous file."""

    address: str
    session: str
    server_key: str = ""
    """The controller's public key, in Z85; empty where it speaks in the clear."""


def write_rendezvous(path: Path, address: str, session: str = "", server_key: str = "") -> None:
    """Write the file atomically: a reader sees the old content or the new, never half.

    Args:
        path: The file; its folder is made if it is missing.
        address: Where the controller listens, `tcp://127.0.0.1:PORT`.
        session: The id of the controller's process.
        server_key: The controller's public key; empty where it speaks in the clear.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    content = {"address": address, "session": session} | ({"server_key": server_key} if server_key else {})
    draft.write_text(json.dumps(content) + "\n", encoding="utf-8")
    draft.replace(path)


def read_rendezvous(path: Path) -> Rendezvous | None:
    """Read the file.

    Args:
        path: The file.

    Returns:
        Its content, or None if there is no file: no controller has been here yet.

    Raises:
        AddressError: If it is not a rendezvous file.
    """
    try:
        text = read_small(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise AddressError(f"rendezvous file {path} cannot be read: {error}") from error
    try:
        content = from_json(text)
        return Rendezvous(
            str(content["address"]), str(content.get("session", "")), str(content.get("server_key", ""))
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise AddressError(
            f'rendezvous file {path} is not {{"address": ..., "session": ...}}: {error!r}; the controller writes it'
        ) from error
