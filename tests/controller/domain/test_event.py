"""Every kind of event survives JSON unchanged, and what is no event is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from controller.domain.event import Event, Measurement, Observation, event_adapter
from tests.strategies.events import EVENT_CLASSES, events


@pytest.mark.parametrize("kind", EVENT_CLASSES, ids=lambda kind: kind.__name__)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_event_survives_json(kind: type[Event], data: st.DataObject) -> None:
    event = data.draw(events(kind))
    text = event_adapter.dump_json(event)
    again = event_adapter.validate_json(text)
    assert type(again) is kind
    assert again == event
    assert event_adapter.dump_json(again) == text
    # 1, 1.0 and True are equal to Python, but not the same argument to a driver.
    assert repr(again) == repr(event)


def test_kinds_name_their_subject_and_differ() -> None:
    kinds = [c.model_fields["kind"].default for c in EVENT_CLASSES]
    assert len(set(kinds)) == len(kinds) == 16
    assert all(k.split(".")[0] in {"campaign", "controller", "experiment", "attempt", "alarm"} for k in kinds)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "experiment.exploded"}, "does not match any of the expected tags"),
        ({"status": "finished"}, "Input should be 'proposed'"),
        ({"colour": "red"}, "Extra inputs"),
        ({"at": "soon"}, "valid number"),
        ({"at": None}, "valid number"),
        ({"observations": {"y": {"value": "NaN"}}}, "finite number"),
    ],
)
def test_what_is_no_event_is_refused(change: dict[str, Any], message: str) -> None:
    written = {"kind": "experiment.status_changed", "campaign": "c", "at": 1.0, "experiment": "e", "status": "queued"}
    assert event_adapter.validate_json(json.dumps(written))
    with pytest.raises(ValidationError, match=message):
        event_adapter.validate_json(json.dumps(written | change))


def test_facts_cannot_be_changed() -> None:
    measurement = Measurement(name="area", value=1.0)
    with pytest.raises(ValidationError, match="frozen"):
        measurement.value = 2.0  # type: ignore[misc]  # what is tested


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_value_that_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(ValidationError, match="finite number"):
        Observation(value=value)
    with pytest.raises(ValidationError):
        Measurement(name="area", value=value)
