"""Where HTTP is served: which address, by which names, and what an address that other machines can reach must have.

Imports nothing heavy: the command line and the daemon read it too.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from controller.errors import ConflictError, MissingExtraError

BACKLOG = 128
_FORM = "HOST:PORT, for example 127.0.0.1:8765"


@dataclass(frozen=True)
class Serving:
    """Where HTTP is served; see `serving_at`."""

    host: str
    """An IPv4 or IPv6 number."""
    port: int
    """0 lets the system choose."""
    certificate: Path | None = None
    """With its chain, in PEM."""
    key: Path | None = None
    """The certificate's secret key, in PEM, for its owner only."""
    names: tuple[str, ...] = ()
    """By which others call this machine, besides its numbers."""

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        return ipaddress.ip_address(self.host).is_loopback

    @property
    def encrypted(self) -> bool:
        """Whether it speaks TLS."""
        return self.certificate is not None

    def url(self, port: int) -> str:
        """Return the address as clients on this machine write it, with the port that was given in the end."""
        number = ipaddress.ip_address(self.host)
        host = ("127.0.0.1" if number.version == 4 else "::1") if number.is_unspecified else self.host
        return f"{'https' if self.encrypted else 'http'}://{f'[{host}]' if number.version == 6 else host}:{port}"

    def listen(self) -> socket.socket:
        """Return a socket that listens there.

        Raises:
            ConflictError: If the address is taken, or is not one of this machine's.
        """
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        try:
            return socket.create_server((self.host, self.port), family=family, backlog=BACKLOG)
        except OSError as error:
            raise ConflictError(
                f"--http {self.host}:{self.port} cannot be listened on: {error.strerror or error}; choose another address or port"
            ) from None


def serving_at(
    address: str, *, certificate: Path | None = None, key: Path | None = None, names: Sequence[str] = ()
) -> Serving:
    """Return where HTTP is to be served.

    Args:
        address: `HOST:PORT`, the host a number or `localhost`.
        certificate: For TLS.
        key: The certificate's secret key.
        names: By which others call this machine; its own name is among them anyway.

    Raises:
        ConflictError: If the address is of another form, other machines can reach it and TLS is missing, or the files for TLS
            are missing or may be read by others.
        MissingExtraError: If what serves HTTP is not installed.
    """
    if find_spec("fastapi") is None or find_spec("uvicorn") is None or find_spec("prometheus_client") is None:
        raise MissingExtraError("fastapi", "http", "--http")
    parts = urlsplit(f"//{address}")
    try:
        host, port = "127.0.0.1" if parts.hostname == "localhost" else str(parts.hostname), parts.port
        ipaddress.ip_address(host)
    except ValueError:
        port = None
    if port is None or parts.username is not None or parts.path or parts.query or parts.fragment:
        raise ConflictError(f"--http {address!r}: expected {_FORM}; the host is a number, or localhost")
    if (certificate is None) is not (key is None):
        raise ConflictError("--http-cert and --http-key belong together: give both, or none on this machine's own addresses")
    for option, file in (("--http-cert", certificate), ("--http-key", key)):
        if file is not None and not file.is_file():
            raise ConflictError(f"{option} {file}: there is no such file")
    if key is not None and (mode := key.stat().st_mode & 0o777) & 0o077:
        raise ConflictError(f"--http-key {key} may be read by others (mode {mode:04o}): chmod 600 {key}")
    if certificate is not None and key is not None:
        check_pair(certificate, key)
    serving = Serving(
        host, port, certificate and certificate.absolute(), key and key.absolute(),
        tuple(dict.fromkeys(name.lower() for name in (*names, socket.gethostname(), "localhost"))),
    )  # fmt: skip
    if not serving.local and not serving.encrypted:
        raise ConflictError(
            f"--http {address}: other machines can reach it, and without TLS anybody on the way reads the tokens: give "
            "--http-cert and --http-key, or serve 127.0.0.1 and reach it through an ssh tunnel"
        )
    return serving


def check_pair(certificate: Path, key: Path) -> None:
    """Refuse a certificate and a key with which nobody could speak TLS.

    Raises:
        ConflictError: If it is so.
    """
    import ssl

    try:
        # Without the empty password a key that needs one would ask for it in the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:  # SSLError is an OSError
        reason = getattr(error, "reason", None) or error
        raise ConflictError(
            f"--http-cert {certificate} with --http-key {key}: {reason}; both in PEM, the key without a password, and the "
            "certificate made for that key"
        ) from None


def check_people(serving: Serving, url: str) -> None:
    """Refuse to serve other machines before anybody has a token.

    Args:
        serving: Where HTTP is to be served.
        url: The store with the tokens.

    Raises:
        ConflictError: If other machines can reach the address and no token is valid.
    """
    from controller.store.reading import open_reader

    if serving.local:
        return
    now = time.time()
    with open_reader(url) as reader:
        rows = reader.access_token_rows()
    if not any(row["revoked_at"] is None and now < row["expires_at"] for row in rows):
        raise ConflictError(
            f"--http {serving.host}: other machines can reach it, and nobody has a valid token: labwright tokens new NAME --role "
            "look|operate|administer"
        )
