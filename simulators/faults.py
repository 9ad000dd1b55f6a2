"""Seeded faults that any simulated driver can be given: `options.faults` of the lab file.

What befalls an attempt is decided when it begins, from the driver's seed and the setting alone, so that a killed and restarted
driver meets the same fault.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Probability = Annotated[float, Field(ge=0.0, le=1.0)]


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SlowFault(_Options):
    """Some attempts take longer than usual."""

    probability: Probability
    factor: Annotated[float, Field(ge=1.0, le=1e6)]


class FaultPlan(_Options):
    """How often an attempt goes wrong, and how; every key may be left out."""

    fail: Probability = 0.0
    """The device reports a fault at the end of the action, which may be tried again."""
    hang: Probability = 0.0
    """The action never ends by itself."""
    slow: SlowFault | None = None
    """The action takes `factor` times as long."""
    nan: Probability = 0.0
    """The action ends, and its values are not numbers."""
    crash: Probability = 0.0
    """The driver's process dies once, in the middle of the action; the device carries on."""
    drift: float = 0.0
    """Relative change of every measured number per action carried out before: 0.001 is one per mille each."""


@dataclass(frozen=True)
class Fate:
    """What befalls one attempt."""

    fails: bool = False
    hangs: bool = False
    is_nan: bool = False
    crashes: bool = False
    slowdown: float = 1.0
    gain: float = 1.0


def seeded(*parts: object) -> random.Random:
    """Return a generator that depends on `parts` alone: not on the process, the platform or Python's hash seed."""
    digest = hashlib.blake2b("\x1f".join(map(repr, parts)).encode(), digest_size=16).digest()
    return random.Random(int.from_bytes(digest, "big"))


def decide(plan: FaultPlan, rng: random.Random, n_before: int) -> Fate:
    """Draw what befalls one attempt.

    Args:
        plan: How often what goes wrong.
        rng: The attempt's own generator; the draws are taken in a fixed order, so that changing one probability leaves the other
            faults where they were.
        n_before: Actions that the device carried out before, for the drift.

    Returns:
        The attempt's fate.
    """
    draws = {name: rng.random() for name in ("fail", "hang", "nan", "crash", "slow")}
    slow = plan.slow is not None and draws["slow"] < plan.slow.probability
    return Fate(
        fails=draws["fail"] < plan.fail,
        hangs=draws["hang"] < plan.hang,
        is_nan=draws["nan"] < plan.nan,
        crashes=draws["crash"] < plan.crash,
        slowdown=plan.slow.factor if slow and plan.slow is not None else 1.0,
        gain=1.0 + plan.drift * n_before,
    )
