"""Enters a campaign into a store without beginning it: it is paused until somebody says what becomes of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from controller.errors import CampaignLockedError, ConflictError
from controller.verbs.requests import Answer

if TYPE_CHECKING:
    from controller.domain.campaign import Definition
    from controller.domain.event import Event


def begun(definition: Definition, why: str, at: float) -> list[Event]:
    """Return the first events of a campaign that is paused as soon as it is there.

    Args:
        definition: What is searched.
        why: The reason of the pause.
        at: Lab time.
    """
    from controller.domain.campaign import CampaignStatus
    from controller.domain.event import CampaignCreated, CampaignStatusChanged
    from controller.domain.ids import new_id

    key = new_id()
    return [
        CampaignCreated(
            campaign=key, at=at, name=definition.name, definition_fingerprint=definition.fingerprint, seed=definition.seed,
            simulated=definition.simulated,
        ),
        CampaignStatusChanged(campaign=key, at=at, status=CampaignStatus.PAUSED, reason=why),
    ]  # fmt: skip


def enter(url: str, definition: Definition, events: Sequence[Event], otherwise: str) -> None:
    """Write the first events of a campaign that the store does not hold yet.

    Args:
        url: The store.
        definition: What is searched.
        events: Of its log.
        otherwise: What to do where the store holds one of that name.

    Raises:
        ConflictError: If it does, or a controller begins one at this moment.
    """
    from controller.store.opening import Store

    with Store.open(url) as store:
        try:
            with store.lock_campaign(definition.name):
                if store.find(definition.name) is not None:
                    raise ConflictError(f"the store holds a campaign {definition.name} already; {otherwise}")
                store.commit_now(events, definition=definition)
        except CampaignLockedError as error:
            raise ConflictError(f"{error}; {otherwise} once it has begun") from error


def enter_by_hand(url: str, definition: Definition) -> Answer:
    """Enter a campaign that people will carry out by plans: no daemon touches it. Raises as `enter`."""
    from controller.domain.by_hand import BY_HAND

    why = f"{BY_HAND}: labwright campaign ask {definition.name} gives a plan"
    enter(url, definition, begun(definition, why, time.time()), "ask for a plan of it by its name, or give this one another name")
    return Answer(f"campaign {definition.name} is entered, to be {why}")
