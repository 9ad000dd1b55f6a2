"""Surrogates that rest on different beliefs as one: each counts by how well it predicted what it had not seen."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import torch
from torch import Tensor

from surrogates.base import LooResult, MemberPosterior, Surrogate, fingerprint, mix
from surrogates.errors import ShapeError
from surrogates.report import FitReport, MemberReport

# From so many observations on, predictions of each from the others say something.
_FEWEST = 3
# Before that the acquisition follows what is believed most: a model of one or two observations expects wonders everywhere.
_SURE = 10.0


class Blend(Surrogate):
    """A mixture of surrogates of one quantity.

    The weights are the prior ones times the density that each gives to observations that it had not seen (leave-one-out
    predictions, so that what has more to adapt gains nothing by it), sharply for the acquisition, and by the root of the density
    for reporting. A belief that misleads, data of a campaign that has nothing in common or a physical law that does not hold,
    loses its weight as observations come in.

    Args:
        parts: At least two, of the same columns, fitted to the same observations of the quantity, in the same order.
        names: Of the parts, for people.
        prior: Weights before anything is observed; they sum to one.
        least: What the first part keeps of the acquisition in any case once there is evidence. Where another part is sure that
            nothing is left to be gained, the first one decides then.
    """

    def __init__(self, parts: Sequence[Surrogate], names: Sequence[str], prior: Sequence[float], least: float = 0.0) -> None:
        super().__init__()
        if len(parts) < 2 or len({part.d for part in parts}) != 1:
            raise ShapeError(f"parts: expected two or more of equal columns, got {[part.d for part in parts]}")
        begin = time.perf_counter()
        self._names = tuple(names)
        self._prior = torch.tensor(list(prior), dtype=torch.float64, device=parts[0].device)
        found = [part.leave_one_out() for part in parts]
        self._loo = found
        density = torch.stack([loo.log_density for loo in found])
        if density.shape[-1] >= _FEWEST:
            self._log_weights = _kept_up(torch.log_softmax(density.sum(-1) + self._prior.log(), 0), least)
            self._reporting = torch.softmax(0.5 * density.sum(-1) + self._prior.log(), 0)
        else:
            self._log_weights = torch.log_softmax(_SURE * self._prior.log(), 0)
            self._reporting = self._prior
        self._seconds = time.perf_counter() - begin
        self._remark = ""
        self._take(tuple(parts))

    @property
    def remark(self) -> str:
        """What people should know of it; told with the warnings of the report."""
        return self._remark

    @remark.setter
    def remark(self, text: str) -> None:
        self._remark = text
        self.report = self._make_report()

    def _take(self, parts: tuple[Surrogate, ...]) -> None:
        self.parts = parts
        self.report = self._make_report()

    @property
    def shares(self) -> dict[str, float]:
        """Weight of each part in the acquisition, by name."""
        return dict(zip(self._names, self._log_weights.exp().tolist(), strict=True))

    @property
    def believed(self) -> dict[str, float]:
        """How far each part is believed, by name: its weight in what is reported, whatever the first part keeps."""
        return dict(zip(self._names, self._reporting.tolist(), strict=True))

    @property
    def d(self) -> int:
        """Number of columns."""
        return self.parts[0].d

    @property
    def device(self) -> torch.device:
        """Where the model lives."""
        return self.parts[0].device

    def condition_on_pending(self, X: Tensor) -> Blend:
        """Believe, in each part, that pending points (k x d) will show what it predicts there."""
        other = Blend.__new__(Blend)
        Surrogate.__init__(other)
        for name in ("_names", "_prior", "_loo", "_log_weights", "_reporting", "_seconds", "_remark"):
            setattr(other, name, getattr(self, name))
        other._take(tuple(part.condition_on_pending(X) for part in self.parts))
        return other

    def member_posteriors(self, X: Tensor) -> MemberPosterior:
        """Marginal moments of the members of all parts."""
        moments = [part.member_posteriors(X) for part in self.parts]
        return MemberPosterior(
            torch.cat([m.mean for m in moments]),
            torch.cat([m.sd for m in moments]),
            torch.cat([m.log_weights + w for m, w in zip(moments, self._log_weights, strict=True)]),
            tuple(transform for m in moments for transform in m.transforms),
            torch.cat([m.noise for m in moments]),
        )

    def predict(self, X: Tensor, *, observation_noise: bool = False) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (n each) to report, in units of Y."""
        with torch.no_grad():
            found = [part.predict(X, observation_noise=observation_noise) for part in self.parts]
            return _mixed(found, self._reporting)

    def leave_one_out(self) -> LooResult:
        """Each observation predicted from the others by all parts."""
        mean, sd = _mixed([(loo.mean, loo.sd) for loo in self._loo], self._reporting)
        density = torch.stack([loo.log_density for loo in self._loo])
        return LooResult(mean, sd, torch.logsumexp(density + self._reporting.log()[:, None], 0))

    def similarity(self, A: Tensor, B: Tensor) -> Tensor:
        """How much the parts hold the rows of A (n x d) and B (m x d) to be alike before they have seen any data (n x m)."""
        return torch.einsum("p,pij->ij", self._reporting, torch.stack([part.similarity(A, B) for part in self.parts]))

    def novelty(self, X: Tensor) -> Tensor:
        """How far points (n x d) lie from the data, averaged over the parts."""
        return self._reporting @ torch.stack([part.novelty(X) for part in self.parts])

    def left_out_novelty(self) -> Tensor:
        """The same for each observation (n), as seen from the others."""
        return self._reporting @ torch.stack([part.left_out_novelty() for part in self.parts])

    def _joint(self, X: Tensor, observation_noise: bool) -> tuple[Tensor, Tensor]:
        found = [part._joint(X, observation_noise) for part in self.parts]
        return mix(torch.stack([m for m, _ in found]), torch.stack([c for _, c in found]), self._log_weights.exp())

    def _make_report(self) -> FitReport:
        reports = [part.report for part in self.parts]
        members = tuple(
            _weighted(member, name, float(weight), float(share))
            for name, report, weight, share in zip(self._names, reports, self._log_weights.exp(), self._reporting, strict=True)
            for member in report.members
        )
        return FitReport(
            kind=reports[0].kind,
            observations=reports[0].observations,
            pending=reports[0].pending,
            members=members,
            warnings=(
                *(f"{name}: {text}" for name, r in zip(self._names, reports, strict=True) for text in r.warnings),
                *((self._remark,) if self._remark else ()),
            ),
            seconds=self._seconds + sum(report.seconds for report in reports),
            outliers=reports[0].outliers,
            fingerprint=fingerprint([*self._names, *(report.fingerprint for report in reports), self._log_weights]),
        )


def _kept_up(log_weights: Tensor, least: float) -> Tensor:
    """Return log weights of which the first is at least `least`, and the others share the rest as before."""
    first = log_weights[0].exp()
    if float(first) >= least:
        return log_weights
    others = log_weights[1:] + (math.log1p(-least) - torch.log1p(-first))
    return torch.cat([log_weights.new_full((1,), math.log(least)), others])


def _weighted(member: MemberReport, name: str, weight: float, share: float) -> MemberReport:
    return member.model_copy(
        update={
            "name": f"{member.name} ({name})",
            "weight": weight * member.weight,
            "reporting_weight": share * member.reporting_weight,
        }
    )


def _mixed(moments: Sequence[tuple[Tensor, Tensor]], weights: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (n each) of a mixture of predictions."""
    means = torch.stack([mean for mean, _ in moments]).unsqueeze(-1)
    variances = torch.stack([sd.square() for _, sd in moments])[..., None, None]
    mean, variance = mix(means, variances, weights)
    return mean.squeeze(-1), variance.squeeze(-1).squeeze(-1).sqrt()
