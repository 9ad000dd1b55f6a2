"""What is measured beyond physical limits is kept and said; what is predicted stays within them and learns from what came of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from controller.campaign import Campaign
from controller.domain.campaign import ProposalPolicy
from controller.domain.event import AlarmRaised
from controller.domain.limits import BEYOND_LIMITS
from controller.domain.request import Observed
from controller.domain.space import Problem
from controller.engine.foreseeing import foresee
from controller.engine.thinking import predict, propose
from tests.controller.engine.test_replaying import one_objective
from tests.controller.spaces import continuous, problem, request

STEEP = problem(continuous("a"), {"y": {"goal": "maximize"}})
LIMITED = problem(continuous("a"), {"y": {"goal": "maximize", "limits": [0.0, 1.0]}})


def _rows() -> list[Observed]:
    return [Observed(point={"a": a}, values={"y": float(np.clip(6 * a - 2, 0, 1))}) for a in (0.1, 0.3, 0.36, 0.42, 0.48, 0.55)]


def _limited_campaign() -> Campaign:
    definition = one_objective()
    objective = definition.problem.objectives["yield"].model_copy(update={"limits": (0.0, 100.0)})
    whole = definition.problem.model_copy(update={"objectives": {"yield": objective}})
    return Campaign(definition.model_copy(update={"problem": whole}), device="cpu")


def _alarms(campaign: Campaign) -> list[AlarmRaised]:
    return [e for e in campaign._log if isinstance(e, AlarmRaised) and e.code == BEYOND_LIMITS]


def test_impossible_result_is_kept_with_an_alarm() -> None:
    with _limited_campaign() as campaign:
        campaign.tell({"temperature": 50.0, "base": "KOAc"}, {"yield": 99.0})
        assert not _alarms(campaign)
        campaign.tell({"temperature": 60.0, "base": "KOAc"}, {"yield": 112.5})
        (alarm,) = _alarms(campaign)
        assert "experiment 2: yield was measured as 112.5 percent, and can only be 0 to 100; kept" in alarm.message
        assert campaign.best()[0]["objectives"]["yield"] == 112.5


def test_imported_results_raise_one_alarm_for_all(tmp_path: Path) -> None:
    rows = "".join(f"{20 + 10 * i},KOAc,{150 if i % 2 else 50}\n" for i in range(6))
    (tmp_path / "r.csv").write_text("temperature,base,yield\n" + rows)
    with _limited_campaign() as campaign:
        campaign.import_results(tmp_path / "r.csv")
        (alarm,) = _alarms(campaign)
        assert alarm.message.startswith("experiment 2: yield was measured as 150 percent")
        assert "so is experiment 4, 6: 3 in all" in alarm.message


@pytest.mark.parametrize("which", [STEEP, LIMITED])
def test_limits_change_what_is_told_and_not_what_is_proposed(which: Problem) -> None:
    (proposal,), (free,) = propose(request(which, _rows(), [])), propose(request(STEEP, _rows(), []))
    assert (proposal.point, proposal.acquisition) == (free.point, free.acquisition)
    points = [{"a": float(a)} for a in np.linspace(0, 1, 21)]
    told = [row["y"] for row in predict(which, ProposalPolicy(), _rows(), points, 0, "cpu")]
    assert all(0.0 <= p.mean <= 1.0 for p in told) == (which is LIMITED)
    middles = [row["y"].middle for row in predict(STEEP, ProposalPolicy(), _rows(), points, 0, "cpu")]
    assert [p.middle for p in told] == middles


def test_forecast_stays_within_the_limits() -> None:
    last = foresee(request(LIMITED, _rows()[:5], []), 4, paths=40).outlook[-1]
    free = foresee(request(STEEP, _rows()[:5], []), 4, paths=40).outlook[-1]
    assert last.high is not None
    assert free.high is not None
    assert last.high <= 1.0 < free.high


def test_earlier_predictions_widen_what_is_told_next_and_leave_the_search_alone() -> None:
    asked = request(STEEP, _rows(), [])
    (plain,) = propose(asked)
    (surprised,) = propose(asked.model_copy(update={"surprises": {"y": [4.0, -5.0, 3.0, 6.0, -4.0] * 4}}))
    (calm,) = propose(asked.model_copy(update={"surprises": {"y": [0.1, -0.2] * 10}}))
    assert plain.point == surprised.point == calm.point
    scales = [p.predictions["y"].scale for p in (calm, plain, surprised)]
    corrections = [p.predictions["y"].correction for p in (calm, plain, surprised)]
    assert corrections[1] is None
    assert corrections[0] == pytest.approx((scales[0] or 0) / (scales[1] or 1))
    assert 0.69 < (corrections[0] or 0) < 0.9
    assert (corrections[2] or 0) > 2.0


def test_a_campaign_remembers_how_its_predictions_fared_and_can_be_replayed() -> None:
    with _limited_campaign() as campaign:
        for i in range(9):
            (asked,) = campaign.ask()
            campaign.tell(asked, {"yield": 50.0 + 10.0 * (-1) ** i})
        known = campaign.state.surprises()["yield"]
        assert len(known) >= 3
        (asked,) = campaign.ask()
        correction = asked.proposal.predictions["yield"].correction
        assert correction is not None
        assert campaign._request(1).surprises == {"yield": known}
