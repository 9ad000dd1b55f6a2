"""Output transforms: from the units of the objective to the scale on which a member is Gaussian, and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from surrogates.specs import TransformName

# exp(50) is far beyond any observed tail and far below overflow.
_DEEPEST = -50.0
# Observed values that agree to this share of their size count as equal.
_CONSTANT = 1e-10


def centre_and_scale(y: Tensor) -> tuple[float, float]:
    """Mean and standard deviation of observations, with a usable scale when they do not say one.

    Args:
        y: n values.

    Returns:
        The mean and the standard deviation (n - 1). A single value or equal values have no spread: their size stands in,
        and one where they are zero.
    """
    size = float(y.abs().max())
    if size == 0.0:
        return 0.0, 1.0
    shrunk = y / size
    mean = float(shrunk.mean())
    spread = float(shrunk.std()) if y.numel() > 1 else 0.0
    return mean * size, (spread if spread > _CONSTANT else 1.0) * size


class OutputTransform(ABC):
    """A fixed increasing map from objective units y to the model's scale u. Works on tensors of any shape."""

    name: TransformName

    @abstractmethod
    def forward(self, y: Tensor) -> Tensor:
        """The value u of y."""

    @abstractmethod
    def inverse(self, u: Tensor) -> Tensor:
        """The value y of u."""

    @abstractmethod
    def slope(self, y: Tensor) -> Tensor:
        """du/dy at y, positive. Expected improvement over y in units of y is that in units of u divided by this."""

    @abstractmethod
    def gain(self, u: Tensor) -> Tensor:
        """Factor by which a spread around u becomes a spread in y, as seen from the best observations."""

    def moments(self, mean: Tensor, sd: Tensor) -> tuple[Tensor, Tensor]:
        """Centre and half width, in units of y, of the central 68 % interval of a Gaussian in u."""
        return self.inverse(mean), (self.inverse(mean + sd) - self.inverse(mean - sd)) / 2


@dataclass(frozen=True)
class Standard(OutputTransform):
    """u = (y - centre) / scale."""

    centre: float
    scale: float
    name: TransformName = "standard"

    @classmethod
    def of(cls, y: Tensor) -> Standard:
        """To zero mean and unit variance over `y`."""
        return cls(*centre_and_scale(y))

    def forward(self, y: Tensor) -> Tensor:
        """The value u of y."""
        return (y - self.centre) / self.scale

    def inverse(self, u: Tensor) -> Tensor:
        """The value y of u."""
        return self.centre + self.scale * u

    def slope(self, y: Tensor) -> Tensor:
        """du/dy, the same everywhere."""
        return torch.full_like(y, 1.0 / self.scale)

    def gain(self, u: Tensor) -> Tensor:
        """dy/du, the same everywhere."""
        return torch.full_like(u, self.scale)


@dataclass(frozen=True)
class LogTail(OutputTransform):
    """Affine above the median, logarithmic below it, then standardised.

    With q = (y - median) / (max - median): z = q above the median and -log(1 - q) below, u = (z - mean) / sd. Very bad
    values then no longer shape the model where good ones are, and improvements keep their units.
    """

    median: float
    span: float
    centre: float
    scale: float
    name: TransformName = "log_tail"

    @classmethod
    def of(cls, y: Tensor) -> LogTail:
        """From observed values `y` (n)."""
        # The mean of the two middle values: torch takes the lower one, which is no median for two observations.
        median = float(torch.quantile(y, 0.5))
        span = float(y.max()) - median
        if span <= _CONSTANT * float(y.abs().max()):
            span = centre_and_scale(y)[1]
        z = cls(median, span, 0.0, 1.0)._bend(y)
        return cls(median, span, *centre_and_scale_or_unit(z))

    def _bend(self, y: Tensor) -> Tensor:
        q = (y - self.median) / self.span
        return torch.where(q >= 0, q, -torch.log1p(-q.clamp_max(0.0)))

    def forward(self, y: Tensor) -> Tensor:
        """The value u of y."""
        return (self._bend(y) - self.centre) / self.scale

    def inverse(self, u: Tensor) -> Tensor:
        """The value y of u."""
        z = self.centre + self.scale * u
        tail = -torch.expm1(-z.clamp(_DEEPEST, 0.0))
        return self.median + self.span * torch.where(z >= 0, z, tail)

    def slope(self, y: Tensor) -> Tensor:
        """du/dy; constant above the median."""
        q = (y - self.median) / self.span
        return 1.0 / (self.scale * self.span * (1.0 - q.clamp_max(0.0)))

    def gain(self, u: Tensor) -> Tensor:
        """Slope of the chord from u to the best observation (z = 1), and dy/du above the median, where both are one.

        The tangent in a deep tail is steep, and a Gaussian drawn along it would put much probability above the best
        value from places that the member holds for hopeless. Along the chord, the probability of beating the best
        stays what the member says.
        """
        z = (self.centre + self.scale * u).clamp_min(_DEEPEST)
        below = z.clamp_max(0.0)
        chord = torch.exp(-below) / (1.0 - below)
        return self.scale * self.span * chord


def centre_and_scale_or_unit(z: Tensor) -> tuple[float, float]:
    """Mean and standard deviation of dimensionless values; one where they do not vary."""
    mean = float(z.mean())
    spread = float(z.std()) if z.numel() > 1 else 0.0
    return mean, spread if spread > _CONSTANT else 1.0


TRANSFORMS: dict[TransformName, type[Standard] | type[LogTail]] = {"standard": Standard, "log_tail": LogTail}
