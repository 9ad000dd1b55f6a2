"""Many small networks of one architecture as one batch of matrix products."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor


class BatchedNetworks:
    """M networks with SiLU layers and one linear output, each plus a fixed random network of the same shape.

    The fixed networks make the members disagree where no data hold them together (randomised priors, Osband et al. 2018).

    Args:
        weights: Per layer M x in x out.
        biases: Per layer M x 1 x out.
        prior_weights: As `weights`, never trained.
        prior_biases: As `biases`, never trained.
        prior_scale: Factor on the fixed networks.
    """

    def __init__(
        self,
        weights: list[Tensor],
        biases: list[Tensor],
        prior_weights: list[Tensor],
        prior_biases: list[Tensor],
        prior_scale: float,
    ) -> None:
        self.weights, self.biases = weights, biases
        self.prior_weights, self.prior_biases = prior_weights, prior_biases
        self.prior_scale = prior_scale

    @classmethod
    def draw(
        cls, members: int, widths: tuple[int, ...], prior_scale: float, generator: torch.Generator, device: torch.device
    ) -> BatchedNetworks:
        """Random networks, drawn on the CPU in single precision so that every device starts from the same ones.

        Args:
            members: M.
            widths: Of the input, the hidden layers and the output.
            prior_scale: Factor on the fixed networks.
            generator: Source of randomness.
            device: Where the networks shall live.
        """

        def layers() -> tuple[list[Tensor], list[Tensor]]:
            weights, biases = [], []
            for fan_in, fan_out in pairwise(widths):
                gain = math.sqrt(2.0 / fan_in)
                weights.append((gain * torch.randn(members, fan_in, fan_out, generator=generator)).to(device))
                biases.append((0.5 * torch.randn(members, 1, fan_out, generator=generator)).to(device))
            return weights, biases

        weights, biases = layers()
        prior_weights, prior_biases = layers()
        return cls(weights, biases, prior_weights, prior_biases, prior_scale)

    @property
    def parameters(self) -> list[Tensor]:
        """What is trained."""
        return [*self.weights, *self.biases]

    def double(self) -> BatchedNetworks:
        """The same networks in double precision, detached."""

        def converted(tensors: list[Tensor]) -> list[Tensor]:
            return [tensor.detach().double() for tensor in tensors]

        return BatchedNetworks(
            converted(self.weights),
            converted(self.biases),
            converted(self.prior_weights),
            converted(self.prior_biases),
            self.prior_scale,
        )

    def prior(self, X: Tensor) -> Tensor:
        """The fixed part at X (N x d): M x N."""
        return self.prior_scale * _forward(X, self.prior_weights, self.prior_biases)

    def trained(self, X: Tensor) -> Tensor:
        """The trained part at X (N x d): M x N."""
        return _forward(X, self.weights, self.biases)

    def __call__(self, X: Tensor) -> Tensor:
        """Both parts together at X (N x d): M x N."""
        return self.trained(X) + self.prior(X)


def _forward(X: Tensor, weights: list[Tensor], biases: list[Tensor]) -> Tensor:
    h = X.expand(weights[0].shape[0], *X.shape)
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        h = torch.nn.functional.silu(torch.baddbmm(bias, h, weight))
    return torch.baddbmm(biases[-1], h, weights[-1]).squeeze(-1)
