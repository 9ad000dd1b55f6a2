"""What the store tells the engine besides events: campaigns and requests, and how it writes text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from controller.domain.campaign import CampaignStatus


@dataclass(frozen=True)
class CampaignRecord:
    """A campaign as it stands; times are lab time [s since 1970-01-01 UTC]."""

    id: str
    name: str
    status: CampaignStatus
    reason: str
    simulated: bool
    seed: int
    definition_fingerprint: str
    created_at: float
    updated_at: float
    budget_experiments: int


@dataclass(frozen=True)
class Request:
    """What somebody asked of the running controller; `asked_at` is real time [s since 1970-01-01 UTC]."""

    id: str
    verb: str
    campaign: str | None
    argument: dict[str, Any]
    by: str
    asked_at: float
    fault: str = ""
    """Why it cannot be read, if so: whoever can write to the store can write anything."""


def plain(text: str) -> str:
    """Return `text` as a column can hold it: PostgreSQL refuses the NUL character, which a device's message may contain."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
