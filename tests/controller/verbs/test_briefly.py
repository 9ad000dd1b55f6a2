"""What is kept of definitions and proposals says what the store says, of every version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from controller.domain.lab import InstrumentSpec
from controller.store.opening import Store
from controller.store.reading import Reader, open_reader
from controller.verbs import briefly, predicted
from controller.verbs.briefly import briefs
from controller.verbs.predicted import predictions_of
from controller.verbs.stores import Found
from tests.controller.store.conftest import fill
from tests.controller.store.samples import Script, make_definition


def test_brief_of_a_definition_is_read_once_and_anew_for_the_next_version(
    url: str, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[str, int]] = []
    body = Reader.definition_body

    def counted(reader: Reader, campaign: str, version: int) -> str:
        read.append((campaign, version))
        return body(reader, campaign, version)

    monkeypatch.setattr(Reader, "definition_body", counted)
    monkeypatch.setattr(briefly, "_kept", type(briefly._kept)())
    with open_reader(url) as reader:
        first = briefs(reader)
        assert briefs(reader) == first
        assert read == [(script.campaign, 1)]
        said = reader.definition(script.campaign)
        assert first[script.campaign].lab == said["lab"]["lab"]
        assert first[script.campaign].instruments.keys() == {"reactor", "hplc"}
        assert first[script.campaign].goals == {"yield": "maximize", "cost": "minimize"}
    amended = script.definition.model_copy(deep=True)
    wider = {**amended.lab.instruments, "scale": InstrumentSpec(driver="sim")}
    amended = amended.model_copy(update={"lab": amended.lab.model_copy(update={"instruments": wider})})
    with Store.open(url) as store:
        store.commit_now([script.amended()], definition=amended)
    with open_reader(url) as reader:
        assert briefs(reader)[script.campaign].instruments.keys() == {"reactor", "hplc", "scale"}
    assert read == [(script.campaign, 1), (script.campaign, 2)]


def test_memory_of_definitions_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(briefly, "MOST", 2)
    url = f"sqlite:///{tmp_path / 'three.db'}"
    with Store.open(url) as store:
        for name in ("a", "b", "c"):
            fill(store, Script(make_definition(name)))
    with open_reader(url) as reader:
        assert len(briefs(reader)) == 3
    assert len(briefly._kept) <= 2


def test_predictions_are_those_of_the_proposals_kept_or_not(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predicted, "_kept", type(predicted._kept)())
    stored = {row["experiment"]: json.loads(row["body"])["predictions"] for row in found.reader.proposal_rows(found.id)}
    some = list(stored)[:2]
    assert predictions_of(found.reader, some) == {key: stored[key] for key in some}
    assert predictions_of(found.reader, [*stored, "nobody"]) == stored
    monkeypatch.setattr(found.reader, "proposals_of", lambda missing: [] if not list(missing) else pytest.fail("read again"))
    assert predictions_of(found.reader, list(stored)) == stored
    monkeypatch.setattr(predicted, "MOST", 1)
    assert predictions_of(found.reader, list(stored)) == stored
    assert len(predicted._kept) == 1
