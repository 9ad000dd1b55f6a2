"""Single events of every kind with any content; they need not follow each other (see `logs.py` for those that do)."""

from __future__ import annotations

from typing import get_args

from hypothesis import strategies as st

from controller.domain.campaign import CampaignStatus
from controller.domain.event import (
    AlarmRaised,
    AttemptCommitted,
    AttemptStatusChanged,
    CampaignAbortRequested,
    CampaignAmended,
    CampaignCreated,
    CampaignStatusChanged,
    CampaignWorked,
    ContextTold,
    ControllerAttached,
    ControllerDetached,
    Event,
    ExperimentProposed,
    ExperimentReinstated,
    ExperimentRetracted,
    ExperimentStatusChanged,
    Fault,
    Measurement,
    Observation,
    ResultsImported,
)
from controller.domain.experiment import AttemptStatus, ExperimentStatus
from controller.domain.proposal import Alternative, Prediction, Proposal
from instruments.protocol.capabilities import Consequence
from tests.strategies.points import parameter_sets, points
from tests.strategies.values import identifiers, ids, labels, moments, numbers, texts, units, values

EVENT_CLASSES: tuple[type[Event], ...] = get_args(get_args(Event)[0])
"""Every class of event that the domain knows."""

faults = st.builds(
    Fault,
    code=st.sampled_from(["device_fault", "interrupted", "stopped", "timeout", "rejected.busy", "measurement_invalid"]),
    message=texts,
    retryable=st.booleans(),
)
measurements = st.builds(
    Measurement, name=identifiers, value=values, unit=st.none() | units, sem=st.none() | st.floats(0, 1e3)
)
observations = st.builds(Observation, value=numbers, unit=st.none() | units, sem=st.none() | st.floats(0, 1e3))


@st.composite
def proposals(draw: st.DrawFn) -> Proposal:
    """Draw a proposal with its reasons."""
    parameters = draw(parameter_sets(2))
    some_points = points(parameters)
    return Proposal(
        point=draw(some_points),
        source=draw(st.sampled_from(["space-filling", "model", "stand-in", "user"])),
        acquisition=draw(st.none() | numbers),
        acquisition_name=draw(st.none() | st.just("log_ei")),
        predictions=draw(
            st.dictionaries(identifiers, st.builds(Prediction, mean=numbers, sd=st.floats(0, 10)), max_size=2)
        ),
        surrogate=draw(st.dictionaries(identifiers, values | st.lists(numbers, max_size=2), max_size=2)),
        runners_up=tuple(
            draw(st.lists(st.builds(Alternative, point=some_points, acquisition=numbers), max_size=2))
        ),
        data_fingerprint=draw(st.sampled_from(["", "0123456789abcdef"])),
        seed=draw(st.integers(0, 2**63 - 1)),
        seconds=draw(st.floats(0, 100)),
        note=draw(texts),
    )


_stamp = {"campaign": ids, "at": moments}
_BY_CLASS: dict[type[Event], st.SearchStrategy[Event]] = {
    CampaignCreated: st.builds(
        CampaignCreated, **_stamp, name=labels, definition_fingerprint=texts, seed=st.integers(0), simulated=st.booleans()
    ),
    CampaignStatusChanged: st.builds(
        CampaignStatusChanged, **_stamp, status=st.sampled_from(CampaignStatus), reason=texts
    ),
    CampaignAbortRequested: st.builds(CampaignAbortRequested, **_stamp),
    ResultsImported: st.builds(
        ResultsImported, **_stamp, file=texts, sha256=texts, form=texts, first=st.integers(1, 99), last=st.integers(1, 99), by=texts
    ),
    ContextTold: st.builds(ContextTold, **_stamp, values=st.dictionaries(identifiers, values, min_size=1, max_size=3), by=texts),
    CampaignWorked: st.builds(CampaignWorked, **_stamp, seconds=st.floats(0, 1e9)),
    CampaignAmended: st.builds(
        CampaignAmended, **_stamp, changes=st.dictionaries(identifiers, st.tuples(texts, texts), max_size=2)
    ),
    ControllerAttached: st.builds(ControllerAttached, **_stamp, session=ids, version=texts),
    ControllerDetached: st.builds(
        ControllerDetached, **_stamp, session=ids, reason=texts, interrupted=st.lists(ids, max_size=2).map(tuple)
    ),
    ExperimentProposed: st.builds(
        ExperimentProposed, **_stamp, experiment=ids, number=st.integers(1, 10**6), proposal=proposals()
    ),
    ExperimentStatusChanged: st.builds(
        ExperimentStatusChanged, **_stamp, experiment=ids, status=st.sampled_from(ExperimentStatus), reason=texts,
        fault=st.none() | faults, observations=st.dictionaries(identifiers, observations, max_size=2),
    ),
    ExperimentRetracted: st.builds(
        ExperimentRetracted, **_stamp, experiment=ids, number=st.integers(1, 10**6), reason=texts
    ),
    ExperimentReinstated: st.builds(
        ExperimentReinstated, **_stamp, experiment=ids, number=st.integers(1, 10**6), reason=texts
    ),
    AttemptCommitted: st.builds(
        AttemptCommitted, **_stamp, attempt=ids, experiment=ids, step=labels, ordinal=st.integers(1, 20),
        instrument=labels, action=identifiers, arguments=st.dictionaries(identifiers, values, max_size=3),
        units=st.dictionaries(identifiers, units, max_size=2),
        consequence=st.sampled_from([None, *get_args(Consequence)]),
    ),
    AttemptStatusChanged: st.builds(
        AttemptStatusChanged, **_stamp, attempt=ids, experiment=ids, status=st.sampled_from(AttemptStatus), reason=texts,
        fault=st.none() | faults, measurements=st.lists(measurements, max_size=3).map(tuple),
    ),
    AlarmRaised: st.builds(
        AlarmRaised, **_stamp, code=labels, message=texts, experiment=st.none() | ids, attempt=st.none() | ids
    ),
}  # fmt: skip


def events(of: type[Event] | None = None) -> st.SearchStrategy[Event]:
    """Return a strategy of events of one class, or of any."""
    return _BY_CLASS[of] if of is not None else st.sampled_from(EVENT_CLASSES).flatmap(events)
