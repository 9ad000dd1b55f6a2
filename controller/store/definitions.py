"""Reads a campaign's definition so that a list of candidates that it refers to is found."""

from __future__ import annotations

from functools import partial

from controller.domain.campaign import Definition
from controller.store.pools import kept_columns
from controller.store.reading import Reader


def newest_definition(reader: Reader, campaign: str) -> Definition:
    """Return the newest definition of a campaign (name or id); a large pool is read from the store when it is first needed.

    Raises:
        UnknownNameError: If there is no such campaign.
        StoreError: If the store cannot be read.
    """
    return Definition.model_validate(reader.definition(campaign), context={"pools": partial(kept_columns, reader)})
