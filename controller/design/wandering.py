"""The loop played on drawn functions where settings cannot be listed: each path searches the whole space, as the loop does.

A function with a narrow peak shows its best only to who climbs it, step by step, each beside the one before; among candidates that
were chosen beforehand the peak is missing. So every path has candidates of its own: settings drawn anywhere, and neighbours of its
own best ones; then neighbours of the most promising of these.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from controller.design.acquisition import log_improvement
from controller.design.drawing import draw
from controller.design.search import neighbours
from controller.encoding.columns import Encoder
from controller.encoding.space import Array
from surrogates.gp.paths import Paths

# Candidates of each path: drawn anywhere, beside the best shown so far, and then so often beside the most promising one.
_ANYWHERE, _BESIDE, _CLOSER, _ROUNDS = 48, 48, 24, 3
_DRAWN = 1024
_BEST = 2


def wander(
    encoder: Encoder, paths: Paths, measured: Array, forced: Array, k: int, *, limits: tuple[float, float], seed: int,
    log_chance: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:  # fmt: skip
    """Play `k` further experiments on each of P drawn functions.

    Args:
        encoder: Of the problem, which has one objective to be maximized or minimized.
        paths: The functions.
        measured: Coordinates of the results that they rest on, in their order (n x p).
        forced: Coordinates of what is under way: measured first.
        k: How many.
        limits: What can be measured, on the model's scale; infinite where a side is open.
        seed: Of everything drawn.
        log_chance: From columns (N x d) to the logarithm of the probability that an experiment succeeds (N).

    Returns:
        P x k x 1, what they showed [the objective's unit, larger being better], not a number where an experiment failed.
    """
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    anywhere = draw(encoder.space, _DRAWN, int(rng.integers(2**62)))
    places = np.broadcast_to(measured, (paths.n, *measured.shape))
    shown = torch.full((paths.n, k, 1), torch.nan, dtype=torch.float64)
    for step in range(k):
        if step < len(forced):
            chosen = np.broadcast_to(forced[step], (paths.n, forced.shape[1]))
        else:
            chosen = _most_promising(encoder, paths, places, anywhere, rng, log_chance)
        x = _columns(encoder, chosen[:, None])
        u = paths.value(x).squeeze(1) + paths.noise(generator)
        y = paths.outcome(u.unsqueeze(1)).clamp(*limits)
        success = torch.ones(paths.n, dtype=torch.bool)
        if log_chance is not None:
            success = torch.rand(paths.n, generator=generator, dtype=torch.float64) < log_chance(x.squeeze(1)).exp()
        shown[:, step, 0] = torch.where(success, y.squeeze(1), torch.nan)
        paths.show(x.squeeze(1), paths.forward(y).squeeze(1), success)
        places = np.concatenate([places, chosen[:, None]], 1)
    return shown


def _most_promising(
    encoder: Encoder, paths: Paths, places: Array, anywhere: Array, rng: np.random.Generator,
    log_chance: Callable[[Tensor], Tensor] | None,
) -> Array:  # fmt: skip
    """Return the setting that promises most on each path (P x p)."""
    P, _, p = places.shape
    known = paths.known.masked_fill(~paths.counted, -torch.inf)
    best, at = known.topk(min(_BEST, known.shape[1]), 1)
    centres = np.take_along_axis(places, at.numpy()[:, :, None], 1)
    beside, allowed = _around(encoder, np.repeat(centres, _BESIDE // centres.shape[1], 1), rng)
    common = np.broadcast_to(rng.permutation(anywhere)[:_ANYWHERE], (P, min(_ANYWHERE, len(anywhere)), p))
    z = np.concatenate([common, beside], 1)
    allowed = np.concatenate([np.ones(common.shape[:2], bool), allowed], 1)
    top, score = np.empty((P, p)), np.full(P, -np.inf)
    for round_ in range(_ROUNDS):
        if round_:
            z, allowed = _around(encoder, np.repeat(top[:, None], _CLOSER, 1), rng)
        found = _gain(encoder, paths, z, best[:, :1], log_chance)
        found = np.where(allowed, found, -np.inf)
        first = found.argmax(1)
        better = found[np.arange(P), first] >= score
        top = np.where(better[:, None], z[np.arange(P), first], top)
        score = np.where(better, found[np.arange(P), first], score)
    return top


def _gain(encoder: Encoder, paths: Paths, z: Array, best: Tensor, log_chance: Callable[[Tensor], Tensor] | None) -> Array:
    """Log expected improvement at settings z (P x m x p) over the best known: P x m."""
    X = _columns(encoder, z)
    mean, sd = paths.moments(X)
    gain = sd.log() + log_improvement((mean - best) / sd)
    if log_chance is not None:
        gain = gain + log_chance(X.flatten(0, 1)).view(gain.shape)
    found: Array = gain.numpy()
    return found


def _around(encoder: Encoder, centres: Array, rng: np.random.Generator) -> tuple[Array, NDArray[np.bool_]]:
    """Return a neighbour of each of `centres` (P x m x p), and whether it is allowed (P x m)."""
    z, allowed = neighbours(encoder.space, centres.reshape(-1, centres.shape[-1]), rng)
    return z.reshape(centres.shape), allowed.reshape(centres.shape[:2])


def _columns(encoder: Encoder, z: Array) -> Tensor:
    columns = encoder.columns(torch.from_numpy(np.ascontiguousarray(z.reshape(-1, z.shape[-1]))))
    return columns.view(*z.shape[:2], -1)
