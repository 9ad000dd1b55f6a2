"""Sends one message to one target, by Apprise or as a signed webhook, and says what went wrong without saying where.

Addresses hold passwords and tokens: whatever a service answers, no part of an address is passed on but its scheme and host.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import os
import re
import socket
import stat
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from controller.domain.notification import FromEnvironment, FromFile, Notice, Secret, Target
from controller.errors import MissingExtraError, SettingError
from controller.notify.outbox import Message
from instruments.bounded import read_small

PATIENCE_S = 20.0
"""How long a server may take to answer [real s]."""
_MOST_PROBLEM = 300
_SHORTEST_SECRET = 4


class NotSentError(Exception):
    """A message has not arrived; says why, in one line without secrets."""


def send(target: Target, folder: Path, message: Message, notices: Sequence[Notice]) -> None:
    """Send a message; returns when its receiver, or the service that forwards it, has taken it.

    Args:
        target: Who is told.
        folder: Where files that it names relatively are.
        message: What is said.
        notices: What it tells of; webhooks get them one by one too.

    Raises:
        NotSentError: If it was not taken.
    """
    secrets: list[str] = []
    try:
        if target.webhook is not None:
            secrets.append(resolve(target.webhook, folder))
            if target.secret is not None:
                secrets.append(resolve(target.secret, folder))
            _post(secrets[0], secrets[1] if len(secrets) > 1 else None, message, notices)
        elif target.url is not None:
            secrets.append(resolve(target.url, folder))
            _apprise(secrets[0], message)
    except NotSentError as error:
        raise NotSentError(_without(str(error), secrets)) from None
    except (SettingError, MissingExtraError, OSError, ValueError) as error:
        raise NotSentError(_without(f"{error}" or type(error).__name__, secrets)) from None


def place_of(target: Target, folder: Path) -> str:
    """Return where a target is, as far as everybody may see: scheme and, of a webhook, host."""
    where = target.webhook if target.webhook is not None else target.url
    if where is None:
        return ""
    try:
        address = resolve(where, folder)
    except SettingError:
        return "?"
    scheme, found, _ = address.partition("://")
    if target.webhook is None or not found:
        return f"{scheme}://…" if found else "?"
    try:
        parts = urlsplit(address)
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}/…"
    except ValueError:
        return "?"


def resolve(secret: Secret, folder: Path) -> str:
    """Return what a secret says.

    Raises:
        SettingError: If its variable is not set, or its file cannot be read, is empty or may be read by others.
    """
    if isinstance(secret, str):
        return secret
    if isinstance(secret, FromEnvironment):
        value = os.environ.get(secret.env, "").strip()
        if not value:
            raise SettingError(f"the environment variable {secret.env} is not set; set it where the controller is started")
        return value
    assert isinstance(secret, FromFile)  # noqa: S101 - there is no other kind
    path = folder / Path(secret.file).expanduser()
    try:
        check_private(path)
        value = read_small(path).strip()
    except OSError as error:
        raise SettingError(f"{path} cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise SettingError(f"{path}: {error}") from None
    if not value or "\n" in value:
        raise SettingError(f"{path} must hold one line and nothing else")
    return value


def check_private(path: Path) -> None:
    """Refuse a file with secrets that others may read.

    Raises:
        SettingError: If its mode lets them.
        OSError: If it is not there.
    """
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise SettingError(f"{path} holds secrets and may be read by others (mode {mode:04o}): chmod 600 {path}")


def objection(target: Target, folder: Path) -> str | None:
    """Return why nothing can be sent to a target as it is written, None if it can be tried."""
    try:
        if target.webhook is not None:
            check_address(resolve(target.webhook, folder))
            if target.secret is not None:
                signing_key(resolve(target.secret, folder))
        elif target.url is not None:
            _instance(resolve(target.url, folder))
    except (SettingError, MissingExtraError, NotSentError) as error:
        return str(error)
    return None


# --- webhooks -----------------------------------------------------------------------------------------------------------


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A message is for the address that was written, and for no other that an answer names."""

    def redirect_request(self, *_: Any) -> None:
        """Follow nowhere."""


def check_address(address: str) -> None:
    """Refuse an address that no webhook can have.

    Raises:
        SettingError: If it is not `https://HOST/…` or `http://HOST/…`, or names a user, whom nobody would be told of.
    """
    try:
        parts = urlsplit(address)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if good and "@" in parts.netloc:
        raise SettingError(
            "a webhook's address names no user and no password; sign it with secret:, or give url: jsons://USER:PASSWORD@HOST/…"
        )
    if not good or re.search(r"[\s\x00-\x1f]", address):
        raise SettingError("a webhook's address must be https://HOST/… or http://HOST/…")


def body_of(message: Message, notices: Sequence[Notice]) -> bytes:
    """Return what a webhook is sent."""
    content = {
        "id": message.id, "made_at": _iso(message.made_at), "title": message.title, "text": message.text,
        "notices": [{**asdict(n), "topic": n.topic.value, "campaign": n.campaign or None, "at": _iso(n.at)} for n in notices],
    }  # fmt: skip
    return json.dumps(content, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


def signing_key(secret: str) -> bytes:
    """Return the key that a secret stands for: after `whsec_` in base64, else the text itself.

    Raises:
        SettingError: If what follows `whsec_` is no base64.
    """
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        raise SettingError("a secret that begins with whsec_ must go on in base64") from None


def signature(secret: str, identity: str, moment: int, body: bytes) -> str:
    """Return the signature of a message: HMAC-SHA256 over `ID.TIME.BODY`, as Standard Webhooks asks for it.

    Source: github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md, "Signature scheme" (`v1`).
    """
    signed = b".".join((identity.encode(), str(moment).encode(), body))
    return "v1," + base64.b64encode(hmac.new(signing_key(secret), signed, hashlib.sha256).digest()).decode()


def _post(address: str, secret: str | None, message: Message, notices: Sequence[Notice]) -> None:
    check_address(address)
    body, now = body_of(message, notices), int(datetime.now(UTC).timestamp())
    headers = {
        "Content-Type": "application/json", "User-Agent": "labwright", "webhook-id": message.id, "webhook-timestamp": str(now),
    }  # fmt: skip
    if secret is not None:
        headers["webhook-signature"] = signature(secret, message.id, now, body)
    request = urllib.request.Request(address, body, headers, method="POST")
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=PATIENCE_S):
            return  # any 2xx
    except urllib.error.HTTPError as error:
        with error:
            raise NotSentError(f"it answered {error.code} {error.reason}"[:_MOST_PROBLEM]) from None
    except urllib.error.URLError as error:
        raise NotSentError(_plain_reason(error.reason)) from None
    except (OSError, ValueError) as error:  # the connection broke, or what came was no HTTP
        raise NotSentError(_plain_reason(error)) from None
    except Exception as error:  # http.client's own, of nonsense that a server answers
        raise NotSentError(f"what it answered is no HTTP ({type(error).__name__})") from None


def _plain_reason(reason: object) -> str:
    if isinstance(reason, TimeoutError | socket.timeout):
        return f"it has not answered within {PATIENCE_S:g} s"
    return str(getattr(reason, "strerror", None) or reason)


# --- Apprise ------------------------------------------------------------------------------------------------------------


def _instance(address: str) -> Any:
    """Return Apprise's plugin for an address."""
    if "://" not in address:
        raise NotSentError("its url must be an Apprise URL, SCHEME://…: see https://appriseit.com/services/")
    try:
        import apprise
    except ImportError:
        raise MissingExtraError("apprise", "notify", "telling people by mail or chat") from None
    _hush()
    try:
        plugin = apprise.Apprise.instantiate(address, suppress_exceptions=True)
    except Exception as error:  # plugins are many, and raise what they like
        raise NotSentError(f"Apprise does not take its url ({type(error).__name__})") from None
    if not plugin:
        scheme = address.partition("://")[0]
        raise NotSentError(
            f"Apprise does not take its url (it begins with {scheme[:20]!r}): see https://appriseit.com/services/ for its form"
        )
    return plugin


def _apprise(address: str, message: Message) -> None:
    plugin = _instance(address)
    import apprise

    sender = apprise.Apprise()
    sender.add(plugin)
    try:
        result = sender.notify(
            body=message.text, title=message.title, body_format=apprise.NotifyFormat.TEXT, timeout=PATIENCE_S
        )
    except Exception as error:  # as above
        raise NotSentError(f"Apprise failed ({type(error).__name__}: {error})") from None
    if not result:
        said = [str(getattr(entry, "message", "") or entry) for entry in result.logs()]
        raise NotSentError("; ".join(said[-2:])[:_MOST_PROBLEM] or "Apprise says no more than that it failed")


def _hush() -> None:
    """Keep Apprise from logging: it names addresses."""
    logger = logging.getLogger("apprise")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())  # or Python would print what nobody handles
    logging.getLogger("urllib3").setLevel(logging.ERROR)


def _without(text: str, secrets: Sequence[str]) -> str:
    """Return `text` on one line, with every part of the addresses in it replaced by stars, but for schemes and hosts."""
    text = " ".join(text.split())[: 2 * _MOST_PROBLEM]
    parts: set[str] = set()
    for secret in secrets:
        scheme, found, rest = secret.partition("://")
        try:
            host = urlsplit(f"http://{rest}").hostname or "" if found else ""
        except ValueError:
            host = ""
        pieces = {secret, rest if found else secret, *re.split(r"[/:@?&=,;]+", rest if found else secret)}
        pieces |= {unquote(piece) for piece in pieces}
        parts |= {p for p in pieces if len(p) >= _SHORTEST_SECRET and p.lower() not in (scheme.lower(), host.lower())}
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, "***")
    return text[:_MOST_PROBLEM]


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def trial(target: str, identity: str, now: float) -> Message:
    """Return a message that only shows that messages arrive."""
    text = "This is how Labwright will tell you of things. Nothing has happened."
    return Message(identity, target, now, "Labwright: a test", text)

