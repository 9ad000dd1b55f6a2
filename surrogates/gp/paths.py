"""Functions that the data allow, drawn from an ensemble of Gaussian processes, each with hyperparameters of its own.

Hyperparameters come from the Laplace approximation around those of each member, with the curvature that the fit ends with: not only
the most probable lengthscales, shorter and longer ones too, and so peaks narrower than the most probable model believes in. A
function is a draw from the prior by random Fourier features, updated by the data (Wilson and others, Efficiently sampling
functions from Gaussian process posteriors, ICML 2020): it has a value everywhere, and learning its values is what a campaign does.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from surrogates.data import TrainingData
from surrogates.gp.ensemble import GPEnsemble
from surrogates.gp.factors import factorise
from surrogates.gp.kernels import squared_distances
from surrogates.gp.likelihood import gls
from surrogates.transforms import OutputTransform

FEATURES = 512
# A Matérn-5/2 kernel is a scale mixture of squared exponentials: its spectral density is a Student-t of 5 degrees of freedom.
_SPECTRAL_FREEDOM = 5
_JITTER = 1e-8


class Paths:
    """P drawn functions, and P models that learn them: each knows the hyperparameters of its function, and what it was shown.

    All on the scale of the member that a function was drawn from; `outcome` and `forward` lead to the units of the objective,
    larger being better, and back.

    Args:
        model: Fitted, and not conditioned on pending points.
        data: What it was fitted to.
        n: How many functions (P).
        stretch: P factors on the spread of what is not known.
        generator: Of everything drawn.
    """

    def __init__(self, model: GPEnsemble, data: TrainingData, n: int, stretch: Tensor, generator: torch.Generator) -> None:
        member, t = model.draw_hyperparameters(data, n, generator)
        kernels, transforms, known = model.fitted
        self._kernels = kernels.take(member)
        self._transforms = [(transform, (member == k).nonzero().squeeze(-1)) for k, transform in enumerate(transforms)]
        self._inverse = model.inverse_lengthscales(t)
        self._scale, self._noise = t[:, -1].exp() * stretch.square(), t[:, -2].exp() * stretch.square()
        y = data.Y.squeeze(-1)
        self._U, self._known = self.forward(y.expand(n, -1)), known[member]
        self._X = (data.X * self._inverse.unsqueeze(1)).contiguous()
        self._counted = torch.ones_like(self._U, dtype=torch.bool)
        self._draw(generator)

    @property
    def n(self) -> int:
        """How many functions (P)."""
        return len(self._scale)

    @property
    def known(self) -> Tensor:
        """What each model was shown: P x n, then a column for each `show`."""
        return self._U

    @property
    def counted(self) -> Tensor:
        """Where that is a value (P x n)."""
        return self._counted

    def _draw(self, generator: torch.Generator) -> None:
        P, n, d = self._X.shape
        frequency = torch.randn(P, d, FEATURES, generator=generator, dtype=torch.float64)
        chi = torch.randn(P, _SPECTRAL_FREEDOM, FEATURES, generator=generator, dtype=torch.float64).square().sum(1)
        heavy = (_SPECTRAL_FREEDOM / chi).sqrt().unsqueeze(1)
        self._frequency = torch.where(self._kernels.rbf.view(-1, 1, 1), frequency, frequency * heavy)
        self._phase = 2.0 * math.pi * torch.rand(P, 1, FEATURES, generator=generator, dtype=torch.float64)
        self._weight = torch.randn(P, FEATURES, generator=generator, dtype=torch.float64)
        self._factorise()
        self._mean = gls(lambda u: torch.cholesky_solve(u, self._L), self._U)[1]
        self._learn()
        seen = torch.randn(P, n, generator=generator, dtype=torch.float64) * (self._noise.unsqueeze(1) + self._known).sqrt()
        rest = (self._U - self._mean.unsqueeze(1) - self._prior(self._X) - seen).unsqueeze(-1)
        self._first, self._update = self._X, torch.cholesky_solve(rest, self._L)

    def _by_transform(self, compute: Callable[[OutputTransform, Tensor], Tensor], columns: int) -> Tensor:
        found = torch.empty(self.n, columns, dtype=torch.float64)
        for transform, rows in self._transforms:
            found[rows] = compute(transform, rows)
        return found

    def forward(self, y: Tensor) -> Tensor:
        """Values y (P x m, in units of the objective) on the scales of the functions."""
        return self._by_transform(lambda f, rows: f.forward(y[rows]), y.shape[1])

    def outcome(self, u: Tensor) -> Tensor:
        """The opposite of `forward`."""
        return self._by_transform(lambda f, rows: f.inverse(u[rows]), u.shape[1])

    def value(self, X: Tensor) -> Tensor:
        """The functions at X (P x m x d): P x m."""
        A = X * self._inverse.unsqueeze(1)
        moved = (self._cross(A, self._first) @ self._update).squeeze(-1)
        return self._mean.unsqueeze(1) + self._prior(A) + moved

    def noise(self, generator: torch.Generator) -> Tensor:
        """What is added when each function is measured once: P."""
        return torch.randn(self.n, generator=generator, dtype=torch.float64) * self._noise.sqrt()

    def moments(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of what each model believes at X (P x m x d): P x m each."""
        cross = self._cross(X * self._inverse.unsqueeze(1), self._X)
        mean = self._mean.unsqueeze(1) + (cross @ self._weights).squeeze(-1)
        left = self._scale.unsqueeze(1) - (cross @ self._root).square().sum(-1)
        return mean, left.clamp_min(_JITTER * self._scale.unsqueeze(1)).sqrt()

    def show(self, x: Tensor, u: Tensor, counts: Tensor) -> None:
        """Let each model learn what its function showed: points (P x d), values (P), and whether there is one (P booleans)."""
        self._X = torch.cat([self._X, (x * self._inverse).unsqueeze(1)], 1)
        # What failed taught nothing: noise as good as infinite, and any value.
        nothing = 1e6 * self._scale
        self._known = torch.cat([self._known, torch.where(counts, torch.zeros_like(u), nothing).unsqueeze(1)], 1)
        self._U = torch.cat([self._U, torch.where(counts, u, self._mean).unsqueeze(1)], 1)
        self._counted = torch.cat([self._counted, counts.unsqueeze(1)], 1)
        self._factorise()
        self._learn()

    def _prior(self, A: Tensor) -> Tensor:
        waves = (A @ self._frequency).add_(self._phase).cos_()
        return (waves @ self._weight.unsqueeze(-1)).squeeze(-1) * (2.0 * self._scale / FEATURES).sqrt().unsqueeze(1)

    def _cross(self, A: Tensor, B: Tensor) -> Tensor:
        return self._kernels.value(squared_distances(A, B)).mul_(self._scale.view(-1, 1, 1))

    def _factorise(self) -> None:
        K = self._cross(self._X, self._X)
        K.diagonal(dim1=-2, dim2=-1).add_(self._noise.unsqueeze(1) + self._known + _JITTER * self._scale.unsqueeze(1))
        self._L = factorise(K).L

    def _learn(self) -> None:
        rest = (self._U - self._mean.unsqueeze(1)).unsqueeze(-1)
        self._weights = torch.cholesky_solve(rest, self._L)
        identity = torch.eye(self._L.shape[-1], dtype=torch.float64).expand_as(self._L)
        self._root = torch.linalg.solve_triangular(self._L, identity, upper=False).mT
