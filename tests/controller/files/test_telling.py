"""Every fault of `notify.yaml` is told at once, with its place and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.domain.notification import NEEDS_PERSON, Quiet, Topic
from controller.errors import FileFaultsError
from controller.files.telling import load_notify

GOOD = """\
targets:
  oncall: {url: {env: LABWRIGHT_ONCALL}}
  group:
    webhook: {file: hook.url}
    secret: {env: HOOK_SECRET}
    tell: [best, progress, finished]
    campaigns: ["flow-*"]
    quiet: {from: "22:00", to: "06:30", zone: Europe/Berlin, except: [unknown]}
"""


def write(folder: Path, text: str, mode: int = 0o644) -> Path:
    file = folder / "notify.yaml"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    return file


def test_file_without_secrets_may_be_read_by_all(tmp_path: Path) -> None:
    found = load_notify(write(tmp_path, GOOD))
    assert found.targets["oncall"].tell == NEEDS_PERSON
    assert found.targets["group"].quiet == Quiet.model_validate(
        {"from": "22:00", "to": "06:30", "zone": "Europe/Berlin", "except": (Topic.UNKNOWN,)}
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("targets: {}", "targets: {}: needs at least 1 entry"),
        ("target: {a: {}}", "target: {\"a\": {}}: unknown key; did you mean targets?"),
        ("targets: {a: {tell: [best]}}", "targets.a: needs either url:"),
        ("targets: {a: {url: {env: A}, webhook: {env: B}}}", "targets.a: needs either url:"),
        ("targets: {a: {url: {env: A}, secret: {env: B}}}", "targets.a.secret: signs the messages of a webhook"),
        ("targets: {a: {url: 'mailto://u:pw@h'}}", "targets.a.url: is written into a file that others may read (mode 0644): chmod"),
        ("targets: {a: {url: {env: A}, tell: [bets]}}", "targets.a.tell[0]: \"bets\": must be one of"),
        ("targets: {a: {url: {env: A}, quiet: {from: '8:00', to: '9:00'}}}", "targets.a.quiet.from"),
        ("targets: {a: {url: {env: A}, quiet: {from: '08:00', to: '08:00'}}}", "begins and ends at the same time"),
        ("targets: {a: {url: {env: A}, quiet: {from: '08:00', to: '09:00', zone: Mars}}}", "is no time zone that is known here"),
        ("targets: {a: {url: {env: A}}}\naway_after: 0", "away_after: 0: must be at least 1"),
    ],
)  # fmt: skip
def test_every_fault_is_told_with_its_place(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(FileFaultsError) as error:
        load_notify(write(tmp_path, text))
    assert any(fault in line for line in error.value.faults), error.value.faults
    assert all(line.startswith(f"{tmp_path / 'notify.yaml'}:") for line in error.value.faults)
    assert "pw" not in str(error.value)


@pytest.mark.parametrize(
    ("now", "ends"),
    # 2026-01-15 at 23:30, 05:00, 06:30 and 12:00 in Berlin, which is an hour ahead of UTC then.
    [(1768516200, 1768541400), (1768449600, 1768455000), (1768455000, None), (1768474800, None)],
)
def test_quiet_hours_go_past_midnight(now: float, ends: float | None) -> None:
    quiet = Quiet.model_validate({"from": "22:00", "to": "06:30", "zone": "Europe/Berlin"})
    assert quiet.ends(now) == ends
