"""The hash chain finds every change of a log that was not computed anew to its end, and a head finds that too."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.domain.event import Event, event_adapter
from controller.errors import ConflictError, UnknownNameError
from controller.store.audit import audit
from controller.store.chain import BEGINNING, link
from controller.store.opening import Store
from controller.store.verifying import Verification, verify, walk
from tests.controller.store.conftest import tamper
from tests.controller.store.samples import Script
from tests.strategies.logs import CAMPAIGN, logs
from tests.strategies.values import texts

Row = dict[str, Any]


def rows_of(events: list[Event]) -> list[Row]:
    rows, chain = [], BEGINNING
    for position, event in enumerate(events, start=1):
        body = event_adapter.dump_json(event).decode()
        chain = link(chain, CAMPAIGN, position, f"id-{position}", event.kind, event.at, body)
        rows.append(
            {
                "campaign_sequence": position, "id": f"id-{position}", "kind": event.kind, "at": event.at, "body": body,
                "chain": chain,
            }
        )  # fmt: skip
    return rows


def walked(rows: list[Row], head: str | None = None, page: int = 3) -> Verification:
    return walk(CAMPAIGN, [rows[i : i + page] for i in range(0, len(rows), page)], head)


@settings(deadline=None)
@given(logs(), st.integers(1, 7))
def test_untouched_log_verifies_in_pages_of_any_size(events: list[Event], page: int) -> None:
    rows = rows_of(events)
    assert walked(rows, page=page) == Verification(rows[-1]["chain"], len(rows), [])


@settings(deadline=None)
@given(st.data(), logs())
def test_any_single_change_of_any_row_is_found(data: st.DataObject, events: list[Event]) -> None:
    rows = rows_of(events)
    i = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.sampled_from(sorted(rows[0])))
    old = rows[i][column]
    new: st.SearchStrategy[Any] = (
        st.integers(-5, len(rows) + 5) if isinstance(old, int) else st.floats(0, 2e6) if isinstance(old, float) else texts
    )
    rows[i] = {**rows[i], column: data.draw(new.filter(lambda value: value != old))}
    found = walked(rows).differences
    assert len(found) == 1
    # What fits up to here is named by its position; only a hash that was changed shows at the event after it as well.
    named = [rows[i]["campaign_sequence"], i + 1] + [i + 2] * (column == "chain")
    assert any(f"event {position} " in found[0] for position in named), found


@settings(deadline=None)
@given(st.data(), logs().filter(lambda events: len(events) > 1))
def test_rows_removed_inserted_or_reordered_are_found(data: st.DataObject, events: list[Event]) -> None:
    rows = rows_of(events)
    i = data.draw(st.integers(0, len(rows) - 2))
    match data.draw(st.sampled_from(["removed", "removed and renumbered", "inserted", "swapped", "swapped in place"])):
        case "removed":
            del rows[i]
        case "removed and renumbered":
            del rows[i]
            rows = [{**row, "campaign_sequence": n} for n, row in enumerate(rows, start=1)]
        case "inserted":
            made_up = {**rows[i], "id": "made-up"}
            rows = [{**row, "campaign_sequence": n} for n, row in enumerate([*rows[:i], made_up, *rows[i:]], start=1)]
        case "swapped":
            rows[i], rows[i + 1] = rows[i + 1], rows[i]
        case "swapped in place":
            a, b = rows[i], rows[i + 1]
            rows[i], rows[i + 1] = (
                {**b, "campaign_sequence": a["campaign_sequence"]},
                {**a, "campaign_sequence": b["campaign_sequence"]},
            )
    found = walked(rows).differences
    assert len(found) == 1
    assert f"event {i + 1} " in found[0], found


@settings(deadline=None)
@given(st.data(), logs().filter(lambda events: len(events) > 1))
def test_log_computed_anew_or_cut_off_is_found_with_the_head_alone(data: st.DataObject, events: list[Event]) -> None:
    rows = rows_of(events)
    head = rows[-1]["chain"]
    cut = rows[: data.draw(st.integers(0, len(rows) - 1))]
    anew = rows_of([events[0].model_copy(update={"at": events[0].at + 1.0}), *events[1:]])
    for other in (cut, anew):
        assert walked(other).differences == []
        (found,) = walked(other, head).differences
        assert "was cut off or written anew" in found


def test_head_noted_earlier_is_found_in_a_log_that_has_grown(filled: Store, script: Script) -> None:
    noted = verify(filled.reader, "sample")
    filled.commit_now([script.alarm("later")])
    now = verify(filled.reader, "sample", noted.head.upper())
    assert now == Verification(now.head, noted.n_events + 1, [], given_at=noted.n_events)
    assert now.head != noted.head
    assert verify(filled.reader, script.campaign, noted.head[:16]).given_at == noted.n_events


@pytest.mark.parametrize("head", ["", "abc", "g" * 64, "a" * 65])
def test_head_that_is_no_hash_is_refused(filled: Store, head: str) -> None:
    with pytest.raises(ConflictError, match="is no hash: expected 64 hexadecimal digits"):
        audit(filled, "sample", head=head)


def test_unknown_campaign_is_told(filled: Store) -> None:
    with pytest.raises(UnknownNameError, match="did you mean sample"):
        verify(filled.reader, "sampel")


TAMPERED = {
    "content": (
        "UPDATE event SET body = replace(body, '61.25', '71.25') WHERE campaign_sequence = 12",
        "event 12 (attempt.status_changed) does not fit the hash chain: it was changed, inserted or moved here",
    ),
    "clock": ("UPDATE event SET at = at + 0.001 WHERE campaign_sequence = 20", "event 20 ("),
    "id": ("UPDATE event SET id = 'another' WHERE campaign_sequence = 20", "event 20 ("),
    "hash": (
        "UPDATE event SET chain = CASE substr(chain, 1, 1) WHEN 'f' THEN '0' ELSE 'f' END || substr(chain, 2) "
        "WHERE campaign_sequence = 20",
        "event 20 (",
    ),
    "gone": ("DELETE FROM event WHERE campaign_sequence = 30", "event 30 is missing: event 31 ("),
    "some gone": (
        "DELETE FROM event WHERE campaign_sequence BETWEEN 30 AND 32",
        "events 30 to 32 are missing: event 33 (",
    ),
    "made up": (
        "INSERT INTO event (id, campaign, campaign_sequence, kind, at, body, chain) SELECT 'x', campaign, "
        "(SELECT max(campaign_sequence) + 1 FROM event), kind, at, body, chain FROM event WHERE kind = 'alarm.raised'",
        "(alarm.raised) does not fit the hash chain",
    ),
}


@pytest.mark.parametrize(("statement", "told"), TAMPERED.values(), ids=TAMPERED.keys())
def test_tampered_log_is_found_on_every_database(filled: Store, statement: str, told: str) -> None:
    assert audit(filled, "sample", verify=True).differences == []
    names = ["event_refuses_update", "event_refuses_delete"] if filled.kind == "sqlite" else ["event_refuses_change ON event"]
    tamper(filled.url, *(f"DROP TRIGGER {name}" for name in names), statement)
    differences = audit(filled, "sample", verify=True).differences
    assert told in differences[0], differences


def test_swapped_events_are_found_on_every_database(filled: Store) -> None:
    names = ["event_refuses_update"] if filled.kind == "sqlite" else ["event_refuses_change ON event"]
    tamper(
        filled.url,
        *(f"DROP TRIGGER {name}" for name in names),
        "UPDATE event SET campaign_sequence = 1000 WHERE campaign_sequence = 7",
        "UPDATE event SET campaign_sequence = 7 WHERE campaign_sequence = 8",
        "UPDATE event SET campaign_sequence = 8 WHERE campaign_sequence = 1000",
    )
    (first, *_) = audit(filled, "sample", verify=True).differences
    assert first.startswith("event 7 (")
