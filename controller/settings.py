"""Where things are kept: the state folder, the two default stores, and what a store's address may look like."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from controller.errors import SettingError, StoreError

HOME_VARIABLE = "LABWRIGHT_HOME"
"""Environment variable that moves the state folder."""
FLIGHT_VARIABLE = "LABWRIGHT_FLIGHT_MB"
"""Environment variable that sets how much of each lab's wire is kept for looking back [MB]; 0 keeps none."""
FLIGHT_MB = 64.0
"""The same, where the variable is not set: some hours of a lab of ten instruments."""
_LEAST_FLIGHT_MB = 1.0

_SQLITE = "sqlite:///"
_POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")
_FORMS = "write the path of a file, sqlite:///PATH or postgresql://USER@HOST/DATABASE"


def state_folder() -> Path:
    """Return the folder that holds the default stores: `$LABWRIGHT_HOME`, or the user's state folder."""
    home = os.environ.get(HOME_VARIABLE)
    if home:
        return Path(home).expanduser().absolute()
    import platformdirs  # 20 ms that a command with --store need not spend

    return platformdirs.user_state_path("labwright")


def flight_bytes() -> int:
    """Return how large a lab's flight recording may grow [bytes]; 0 for none.

    Raises:
        SettingError: If `$LABWRIGHT_FLIGHT_MB` is neither 0 nor a number from 1 on.
    """
    text = os.environ.get(FLIGHT_VARIABLE, "").strip()
    try:
        wanted = float(text) if text else FLIGHT_MB
        if wanted == 0.0 or _LEAST_FLIGHT_MB <= wanted <= 1e6:
            return int(wanted * 1e6)
    except ValueError:
        pass
    raise SettingError(
        f"{FLIGHT_VARIABLE}={text!r}: the size of a lab's recording must be 0 (none) or a number of MB from "
        f"{_LEAST_FLIGHT_MB:g} to 1e6; unset it for {FLIGHT_MB:g}"
    )


def default_store_url(simulated: bool) -> str:
    """Return the URL of the store that is used when none is named; simulated data has one of its own, in a folder of its own."""
    folder = state_folder() / "simulated" if simulated else state_folder()
    return _SQLITE + str(folder / "labwright.db")


def normalise_url(text: str) -> str:
    """Return the one way to write a store's address.

    Args:
        text: A path, `sqlite:///PATH` (relative to the working folder, or absolute with a fourth slash) or a
            `postgresql://` URL as libpq takes it.

    Returns:
        `sqlite:////absolute/path` or `postgresql://…`.

    Raises:
        StoreError: If it is none of these; passwords are left out of the message.
    """
    scheme, found, rest = text.strip().partition("://")
    if not found:
        return _SQLITE + str(_file(text.strip(), text))
    if scheme == "sqlite":
        return _SQLITE + str(_file(rest[1:] if rest.startswith("/") else "", text))
    if scheme not in _POSTGRESQL:
        raise StoreError(f"store {redact(text)!r}: {scheme!r} is no kind of store; {_FORMS}")
    try:
        parts = urlsplit("postgresql://" + rest)
        parts.port  # noqa: B018 - reading it checks it
    except ValueError as error:
        raise StoreError(f"store {redact(text)!r}: {error}; {_FORMS}") from None
    if not parts.path.strip("/") and "dbname" not in dict(parse_qsl(parts.query)):
        raise StoreError(f"store {redact(text)!r} names no database; {_FORMS}")
    return "postgresql://" + rest


def _file(path: str, text: str) -> Path:
    if not path or path == ":memory:":
        raise StoreError(f"store {text!r} names no file; a store must outlive its process: {_FORMS}")
    if "?" in path or "#" in path or "\0" in path:
        raise StoreError(f"store {text!r}: a file name with '?' or '#' is not accepted, nor options after it; {_FORMS}")
    file = Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100 - resolve() would follow links
    if file.is_dir():
        raise StoreError(f"store {text!r} is a folder; name a file in it, for example {file / 'labwright.db'}")
    return file


def sqlite_file(url: str) -> Path | None:
    """Return the file of a normalised SQLite URL, or None for a store on a server."""
    return Path(url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else None


def folder_of(url: str) -> Path:
    """Return the folder for what belongs to a store but is not in it: locks, rendezvous files, drivers' journals.

    Args:
        url: As `normalise_url` returns it.
    """
    file = sqlite_file(url)
    if file is None:
        return state_folder() / "stores" / hashlib.sha256(_without_password(url).encode()).hexdigest()[:16]
    if url in (default_store_url(True), default_store_url(False)):
        return file.parent
    return file.with_name(file.stem + ".files")


def redact(text: str) -> str:
    """Return `text` with the password of every URL in it replaced by stars, for messages and logs."""
    text = re.sub(r"(://[^:/?#\s]*:)\S*@", r"\1***@", text)
    return re.sub(r"(?i)\b((?:ssl)?password=)[^&\s]*", r"\1***", text)


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    account, at, place = parts.netloc.rpartition("@")
    query = sorted((k, v) for k, v in parse_qsl(parts.query) if "password" not in k.lower())
    return urlunsplit(parts._replace(netloc=account.partition(":")[0] + at + place, query=urlencode(query)))
