"""`labwright recording` on a recording that a real hub and driver have made."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from controller.engine.recorder import FOLDER
from controller.settings import folder_of, normalise_url
from instruments.transport.memory import MemoryNetwork
from tests.controller.cli.conftest import Call
from tests.controller.engine.test_recorder import live_a_little, recorded
from tests.controller.store.samples import Script


@pytest.fixture
async def recording(store_file: Path) -> Path:
    """The recording of lab `bench`, beside the sample's store."""
    folder = folder_of(normalise_url(str(store_file))) / "labs" / "bench" / FOLDER
    network = MemoryNetwork()
    async with recorded(folder, network) as (hub, recorder):
        recorder.decided("sample", Script().created())
        await live_a_little(hub, network, n=1)
    return folder


def test_recordings_are_listed_with_how_far_they_go_back(call: Call, store_file: Path, recording: Path) -> None:
    (row,) = call("recording", "list", "--store", store_file, "--json").json
    assert row["lab"] == "bench"
    assert row["folder"] == str(recording)
    assert row["first"] < row["last"]
    assert row["megabytes"] > 0
    assert "bench" in call("recording", "list", "--store", store_file).out


def test_no_recording_is_said_so(call: Call, store_file: Path) -> None:
    assert "No recordings yet" in call("recording", "list", "--store", store_file).out
    refused = call("recording", "show", "--store", store_file, "--json")
    assert refused.code == 2
    assert "there are: none yet" in refused.error["error"]


def test_show_tells_what_was_said_and_decided(call: Call, store_file: Path, recording: Path) -> None:
    shown = call("recording", "show", "--store", store_file).out
    for expected in (
        "chapter of", "bench  <- hello", "=> LinkUp", "-> welcome", "bench  command attempt=", "acknowledge", "<- stopped",
        "sample  decided campaign.created name=sample",
    ):  # fmt: skip
        assert expected in shown
    answered = [line for line in shown.splitlines() if "<- heartbeat" in line]  # a heartbeat that led to something is told
    assert all("->" in line or "=>" in line for line in answered)
    everything = call("recording", "show", "bench", "--all", "--store", store_file).out
    assert everything.count("<- heartbeat") > len(answered)


def test_window_and_instrument_narrow_what_is_shown(call: Call, store_file: Path, recording: Path) -> None:
    assert "Nothing was recorded" in call("recording", "show", "--until", "1 h", "--since", "2 h", "--store", store_file).out
    none = call("recording", "show", "--instrument", "other", "--store", store_file).out
    assert "bench" not in none.replace("chapter of bench", "")
    refused = call("recording", "show", "--since", "yesterday", "--store", store_file)
    assert refused.code == 2
    assert "'yesterday' is no time; write how long ago" in refused.err


def test_exported_window_replays_and_its_first_difference_is_shown(
    call: Call, store_file: Path, recording: Path, tmp_path: Path
) -> None:
    assert "went as they were recorded" in call("recording", "replay", "--store", store_file).out
    lines = call("recording", "show", "bench", "--store", store_file, "--json").out
    file = tmp_path / "window.jsonl"
    written = call("recording", "show", "bench", "--output", file, "--store", store_file).out
    assert written == f"{len(lines.splitlines())} lines written to {file}\n"
    assert [json.loads(line) for line in file.read_text().splitlines()] == [json.loads(line) for line in lines.splitlines()]
    shutil.rmtree(recording)
    good = call("recording", "replay", "--file", file, "--json")
    assert good.code == 0
    assert good.json["same"]
    assert good.json["steps"] > 20
    file.write_text(lines.replace('"emit": "AttemptFinished"', '"emit": "AttemptRejected"', 1))
    bad = call("recording", "replay", "--file", file)
    assert bad.code == 1
    assert "goes otherwise" in bad.out
    assert 'recorded: [{"emit": "AttemptRejected"' in bad.out
    assert 'replayed: [{"emit": "AttemptFinished"' in bad.out
    assert call("recording", "replay", "--file", file, "--json").json["difference"]["record"]["what"] == "heard"


@pytest.mark.parametrize("content", ["not json\n", '{"a": 1}\n', "[]\n", '{"what": "tick", "at": "now"}\n'])
def test_file_that_is_no_recording_is_refused(call: Call, tmp_path: Path, content: str) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text(content)
    refused = call("recording", "replay", "--file", file)
    assert refused.code == 2
    assert "labwright recording show --json writes them" in refused.err
    missing = call("recording", "replay", "--file", tmp_path / "none", "--json")
    assert "cannot be read" in json.loads(missing.err)["error"]


@pytest.mark.parametrize(
    "line",
    [
        '{"what": "heard", "at": 1}', '{"what": "chapter", "at": 1, "instruments": 3}', '{"what": "tick", "at": 1e300}',
        '{"what": "decided", "at": 1, "campaign": "c", "event": "e", "given": 5}',
        '{"what": [], "at": 1, "given": null, "out": []}',
        '{"what": "heard", "at": 1, "instrument": "i", "given": {"type": "hello"}, "out": [7]}',
    ],
)  # fmt: skip
def test_line_that_was_changed_by_hand_is_shown_and_named(call: Call, tmp_path: Path, line: str) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text(line + "\n")
    refused = call("recording", "show", "--file", file)
    assert refused.code == 2
    assert "it was changed" in refused.err
