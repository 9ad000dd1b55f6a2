"""Finds stores and what is in them: the one that was named, or both of the user's own, the real and the simulated one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from controller.errors import ConflictError, UnknownNameError

if TYPE_CHECKING:
    from controller.store.reading import Reader


@dataclass(frozen=True)
class Found:
    """A campaign, the store it is in, and a reader of that store."""

    url: str
    reader: Reader
    campaign: dict[str, Any]

    @property
    def id(self) -> str:
        """The campaign's id."""
        return str(self.campaign["id"])

    @property
    def name(self) -> str:
        """The campaign's name."""
        return str(self.campaign["name"])

    @property
    def simulated(self) -> bool:
        """Whether its data are simulated, all of them or those of some instruments."""
        return bool(self.campaign["simulated"])


def store_urls(store: str | None) -> list[str]:
    """Return the stores to look into: the named one, or both of the user's own."""
    from controller.settings import default_store_url, normalise_url  # hashlib and urllib, which no help needs

    if store is not None:
        return [normalise_url(store)]
    return [default_store_url(simulated=False), default_store_url(simulated=True)]


@contextmanager
def readers(urls: Sequence[str]) -> Iterator[list[tuple[str, Reader]]]:
    """Open stores to look into; a store that does not exist yet reads as empty."""
    from controller.store.reading import open_reader

    opened: list[tuple[str, Reader]] = []
    try:
        for url in urls:
            opened.append((url, open_reader(url)))
        yield opened
    finally:
        for _, reader in opened:
            reader.close()


@contextmanager
def find(urls: Sequence[str], campaign: str) -> Iterator[Found]:
    """Find a campaign by name or id.

    Args:
        urls: The stores to look into.
        campaign: Its name or id.

    Raises:
        UnknownNameError: If no store has it; the message names those that come close.
        ConflictError: If two of the stores have one of that name.
    """
    with readers(urls) as opened:
        every = [(url, reader, row) for url, reader in opened for row in reader.campaign_rows()]
        hits = [Found(url, reader, row) for url, reader, row in every if campaign in (row["name"], row["id"])]
        if len(hits) > 1:
            places = " and ".join(show_url(hit.url) for hit in hits)
            raise ConflictError(f"campaign {campaign!r} is in two stores, {places}; say which with --store, or give its id")
        if not hits:
            raise UnknownNameError(_unknown(campaign, [row["name"] for _, _, row in every], [url for url, _ in opened]))
        found = hits[0]
        yield replace(found, campaign=found.reader.counted(found.campaign))


def find_experiment(found: Found, number: str) -> dict[str, Any]:
    """Return an experiment with its proposal, attempts and measurements.

    Raises:
        UnknownNameError: If the campaign has none of that number or id.
    """
    wanted: int | str = int(number) if number.isdecimal() else number
    return found.reader.experiment(found.id, wanted)


def show_url(url: str) -> str:
    """Return a store's address as people write it, without a password."""
    from controller.settings import redact

    return redact(url).removeprefix("sqlite:///")


def _unknown(name: str, known: list[str], urls: list[str]) -> str:
    where = " or ".join(show_url(url) for url in urls)
    if not known:
        return f"no campaign {name!r}: {where} holds none yet; begin one with labwright run FILE"
    from difflib import get_close_matches

    close = get_close_matches(name, known, n=3) or sorted(known)[:5]
    return f"no campaign {name!r} in {where}; did you mean {' or '.join(close)}?"
