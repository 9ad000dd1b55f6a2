"""Key pairs of CURVE (https://rfc.zeromq.org/spec/26/): made, kept in files that only their owner reads, and read again.

A public key is 40 characters of Z85 and may be shown to anybody. A secret key is only ever in a file of mode 0600 and in the
memory of the process that speaks with it: never in an argument, a log, a store or an export.
"""

from __future__ import annotations

import json
import os
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path

from instruments.bounded import from_json, read_small
from instruments.errors import KeyFileError

PUBLIC_KEY = r"^[0-9A-Za-z.:+=^!/*?&<>()\[\]{}@%$#-]{40}$"
"""What a key in Z85 looks like (https://rfc.zeromq.org/spec/32/)."""
_MADE_BY = "make one with labwright keys pair FILE"
_MOST = 4096
"""Characters of a key file that are looked at."""


@dataclass(frozen=True)
class KeyPair:
    """A public key and its secret, both in Z85."""

    public: str
    secret: str = field(repr=False)


def new_pair() -> KeyPair:
    """Return a new key pair; its public key does not begin with a dash, which a command line would take for an option."""
    import zmq  # 30 ms that a command which only reads a key need not spend

    public, secret = zmq.curve_keypair()
    while public.startswith(b"-"):
        public, secret = zmq.curve_keypair()
    return KeyPair(public.decode("ascii"), secret.decode("ascii"))


def write_pair(path: Path, pair: KeyPair, *, replace: bool = False) -> None:
    """Write a key pair to a file that only its owner can read, whole or not at all.

    Args:
        path: The file; its folder is made, for its owner only, if it is missing.
        pair: The keys.
        replace: Whether it may take the place of another file. Programs that use that one take up the new pair by themselves.

    Raises:
        KeyFileError: If there is such a file already, or it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    content = json.dumps({"public_key": pair.public, "secret_key": pair.secret}) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft.unlink(missing_ok=True)
        # Private from its first moment: a mode that is set afterwards comes too late.
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        if replace:
            draft.replace(path)
        else:
            path.hardlink_to(draft)
    except FileExistsError:
        raise KeyFileError(f"key file {path} is there already; name another file, or remove it first") from None
    except OSError as error:
        raise KeyFileError(f"key file {path} cannot be written: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)


def read_pair(path: Path) -> KeyPair:
    """Read a key pair.

    Raises:
        KeyFileError: If the file is missing, is no key pair, or others than its owner may read it.
    """
    try:
        with path.open(encoding="ascii") as handle:
            mode = os.fstat(handle.fileno()).st_mode & 0o777
            content = from_json(handle.read(_MOST))
    except FileNotFoundError:
        raise KeyFileError(f"key file {path} is not there; {_MADE_BY}") from None
    except OSError as error:
        raise KeyFileError(f"key file {path} cannot be read: {error.strerror}") from error
    except ValueError:
        content, mode = None, 0o600  # what the file says is not repeated: it may hold a secret
    if mode & 0o077:
        raise KeyFileError(f"key file {path} may be read by others (mode {mode:04o}): chmod 600 {path}")
    found = content if isinstance(content, dict) else {}
    public, secret = found.get("public_key"), found.get("secret_key")
    if not (isinstance(public, str) and isinstance(secret, str) and is_key(public) and is_key(secret)):
        raise KeyFileError(f'key file {path} is not {{"public_key": …, "secret_key": …}} in Z85; {_MADE_BY}')
    import zmq

    pair = KeyPair(public, secret)
    if zmq.curve_public(pair.secret.encode("ascii")).decode("ascii") != pair.public:
        raise KeyFileError(f"key file {path}: the public key is not that of the secret key; {_MADE_BY}")
    return pair


def read_public_key(text: str) -> str:
    """Return the public key that is meant by `text`: the key itself, or the path of a file that holds it.

    Raises:
        KeyFileError: If it is neither.
    """
    path = Path(text)
    if is_key(text) and not path.is_file():
        return text
    try:
        content = read_small(path, _MOST).strip()
    except (OSError, ValueError):
        raise KeyFileError(f"{text!r} is neither a public key (40 characters of Z85) nor a file that holds one") from None
    if is_key(content):
        return content
    try:
        key = from_json(content)["public_key"]
    except (ValueError, KeyError, TypeError):
        key = None
    if not isinstance(key, str) or not is_key(key):
        raise KeyFileError(f"file {path} holds no public key: neither 40 characters of Z85 nor a key pair; {_MADE_BY}")
    return key


def is_key(text: str) -> bool:
    """Say whether `text` is a key in Z85."""
    if re.fullmatch(PUBLIC_KEY, text, re.ASCII) is None:
        return False
    from zmq.utils import z85

    try:
        z85.decode(text.encode("ascii"))
    except struct.error:  # five characters that say more than 32 bits
        return False
    return True
