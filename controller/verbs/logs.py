"""A campaign's whole log, for what is derived from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.verbs.stores import Found

if TYPE_CHECKING:
    from controller.domain.campaign import Definition
    from controller.domain.event import Event


def read_log(found: Found) -> tuple[Definition, list[Event]]:
    """Return what a campaign searches, a large pool fetched, and its whole log, both of one moment.

    Raises:
        StoreError: If the store cannot be read.
    """
    from controller.domain.event import event_adapter

    reader = found.reader
    with reader.snapshot():
        definition = read_definition(found)
        events = [event_adapter.validate_json(row["body"]) for page in reader.event_pages(found.id) for row in page]
    return definition, events


def read_definition(found: Found) -> Definition:
    """Return what a campaign searches, a large pool fetched. Raises `StoreError`."""
    from controller.domain.campaign import Definition
    from controller.settings import folder_of
    from controller.store.pools import POOLS, Shelf

    body = found.reader.definition_rows(found.id)[-1]["body"]
    pools = Shelf(folder_of(found.url) / POOLS, found.reader)
    return Definition.model_validate_json(body, context={"pools": pools})
