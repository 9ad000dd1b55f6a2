"""Which addresses may be listened on and connected to: this machine's, and with keys any."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from instruments.errors import AddressError

_EVERYWHERE = ("*", "0.0.0.0")
_FORM = "tcp://HOST:PORT, for example tcp://127.0.0.1:5570"


def check_address(address: str, *, with_keys: bool, listening: bool = False) -> str:
    """Return `address` as ZeroMQ takes it if it may be used.

    Args:
        address: `tcp://HOST:PORT`; when listening, port 0 lets the system choose and the host is a number or `*`.
        with_keys: Whether CURVE protects what is said there. Without, only this machine's own addresses may be used.
        listening: Whether it is listened on, not connected to.

    Raises:
        AddressError: If it is of another form, or needs keys and has none.
    """
    host, port = split_address(address)
    number = "127.0.0.1" if host == "localhost" else "0.0.0.0" if host == "*" else host
    if not with_keys and not _is_loopback(number):
        raise AddressError(
            f"address {address!r} is not on this machine, and without keys the wire is neither encrypted nor authenticated: "
            + (
                "make the controller's key with labwright keys new controller --controller"
                if listening
                else "give --key FILE and --server-key KEY, or reach the other machine through an ssh tunnel"
            )
        )
    if listening and not _is_number(number):
        raise AddressError(f"address {address!r}: listen on a number, such as tcp://0.0.0.0:{port} for every network")
    if not listening and host in _EVERYWHERE:
        raise AddressError(f"address {address!r} says where a controller listens; write the name of its machine instead")
    return f"tcp://{number}:{port}"


def reached_here(address: str) -> str:
    """Return how this machine itself reaches what listens on `address`; the memory transport's is the same everywhere."""
    if address.startswith("memory://"):
        return address
    host, port = split_address(address)
    return f"tcp://127.0.0.1:{port}" if host in _EVERYWHERE else address


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of `tcp://HOST:PORT`. Raises `AddressError`."""
    try:
        scheme, netloc, *rest = urlsplit(address)
    except ValueError:  # a bracket without its other, letters that stand for others
        raise AddressError(f"address {address!r} is not of the form {_FORM}") from None
    host, _, port = netloc.rpartition(":")
    if scheme != "tcp" or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535 or any(rest):
        raise AddressError(f"address {address!r} is not of the form {_FORM}")
    if not all(c.isascii() and (c.isalnum() or c in "-._*") for c in host):
        raise AddressError(f"address {address!r}: {host!r} is neither an IPv4 number nor a name; expected {_FORM}")
    return host, int(port)


def _is_number(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return _is_number(host) and ipaddress.IPv4Address(host).is_loopback
