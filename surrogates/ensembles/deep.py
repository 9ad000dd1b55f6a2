"""The surrogate made of neural networks: all members trained as one program, uncertainty from their disagreement."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import torch
from torch import Tensor

from surrogates.data import TrainingData
from surrogates.ensembles.moments import FOLDS, MomentEnsemble, folds, relative_precision
from surrogates.ensembles.networks import BatchedNetworks
from surrogates.specs import DeepEnsembleSpec
from surrogates.transforms import Standard

_CHUNK_ROWS_CPU = 256  # activations of a chunk stay in the cache


class DeepEnsemble(MomentEnsemble):
    """Networks with randomised priors, read as one Gaussian."""

    _spec: DeepEnsembleSpec

    def __init__(self, spec: DeepEnsembleSpec, data: TrainingData, seed: int) -> None:
        """Train the members.

        Args:
            spec: Architecture and training.
            data: On the device that the model shall live on.
            seed: Of the initial networks and of who is kept from what.
        """
        super().__init__()
        began = time.perf_counter()
        self._layout, self._device = data.layout, data.X.device
        self._spec, self._seed = spec, seed
        self._networks, held_out, self._transform = _train(spec, data, seed)
        self._settle(data, held_out)
        self.report = self._make_report(time.perf_counter() - began)

    def _values(self, X: Tensor) -> Tensor:
        """What each network says at X: M x N."""
        return self._networks(X)

    def _parts(self) -> tuple[str, Sequence[Tensor]]:
        """What the members are, and the tensors that they are made of."""
        networks = self._networks
        name = f"{self._spec.members} networks of {' x '.join(map(str, self._spec.hidden))}"
        return name, [*networks.parameters, *networks.prior_weights, *networks.prior_biases]


def _train(spec: DeepEnsembleSpec, data: TrainingData, seed: int) -> tuple[BatchedNetworks, Tensor, Standard]:
    """Train all members at once.

    Returns:
        The networks in double precision, M x n ones where an observation was kept from a member, and the transform of Y.
    """
    device, n = data.X.device, data.n
    generator = torch.Generator().manual_seed(seed)
    networks = BatchedNetworks.draw(spec.members, (data.layout.d, *spec.hidden, 1), spec.prior_scale, generator, device)
    held_out = folds(spec.members, n, generator).to(device)
    transform = Standard.of(data.Y.squeeze(-1))
    # With very few observations nothing can be spared: every member sees them all.
    seen = (1.0 - held_out if n >= FOLDS else torch.ones_like(held_out)).float()
    precision = relative_precision(data, transform)
    weight = seen * precision / (seen * precision).sum(1, keepdim=True)
    X = data.X.float()
    with torch.no_grad():
        target = transform.forward(data.Y.squeeze(-1)).float() - networks.prior(X)
    chunk = spec.chunk or (_CHUNK_ROWS_CPU if device.type == "cpu" else n)
    optimiser = torch.optim.Adam([p.requires_grad_() for p in networks.parameters], lr=spec.learning_rate)
    with torch.enable_grad():
        for epoch in range(spec.epochs):
            for group in optimiser.param_groups:
                group["lr"] = 0.5 * spec.learning_rate * (1.0 + math.cos(math.pi * epoch / spec.epochs))
            optimiser.zero_grad()
            for rows, goal, share in zip(
                torch.split(X, chunk), torch.split(target, chunk, 1), torch.split(weight, chunk, 1), strict=True
            ):
                loss = (share * (networks.trained(rows) - goal).square()).sum()
                loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return networks.double(), held_out, transform
