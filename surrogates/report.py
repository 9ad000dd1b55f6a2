"""What a fit reports about itself: plain values without torch, to be stored with every proposal."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class _Report(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MemberReport(_Report):
    """One member of an ensemble.

    Attributes:
        name: Kernel, transform and prior, or the architecture.
        weight: Share in the acquisition's posterior.
        reporting_weight: Share in reported predictions.
        negative_log_posterior: Of the hyperparameters found, up to a constant; None where there is no such thing.
        hyperparameters: By name; lengthscales as `lengthscale.<group>`, in the units of the columns.
    """

    name: str
    weight: float
    reporting_weight: float
    negative_log_posterior: float | None
    hyperparameters: dict[str, float | tuple[float, ...]]


class FitReport(_Report):
    """How a surrogate came to be.

    Attributes:
        kind: The tag of the specification that was carried out; `auto` is resolved.
        observations: Number of rows fitted.
        pending: Number of believed rows added after the fit.
        members: One entry per member kept.
        warnings: Members dropped and fallbacks taken, in words.
        outliers: Positions in the data of observations that count for less because the others contradict them; only where outliers
            are looked for.
        seconds: Wall time of the fit. The only field that differs between two equal fits.
        fingerprint: SHA-256, in hexadecimal, of the fitted state and what is pending.
    """

    kind: str
    observations: int
    pending: int
    members: tuple[MemberReport, ...]
    warnings: tuple[str, ...]
    outliers: tuple[int, ...] = ()
    seconds: float
    fingerprint: str
