"""What Tab offers in bash, zsh and fish."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def offered(shell: str, line: str, store: Path, **more: str) -> list[str]:
    """Ask for what may follow `line` as the script of `shell` does; return the lines of the answer."""
    words = line.split(" ")
    environment = {
        **os.environ, "LABWRIGHT_STORE": str(store), "_LABWRIGHT_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), **more,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "controller"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("labwright campaign slice sample t", ["temperature"]),
        ("labwright campaign show x", []),
        ("labwright experiment show sample ", ["5", "4", "3", "2", "1"]),
        ("labwright instrument stop h", ["hplc"]),
    ],
)
def test_bash_is_offered_names_from_the_store(line: str, expected: list[str], store_file: Path) -> None:
    assert offered("bash", line, store_file) == expected or (not expected and offered("bash", line, store_file) == [""])


def test_the_store_on_the_line_counts(store_file: Path, tmp_path: Path) -> None:
    line = f"labwright campaign show --store {store_file} s"
    assert offered("bash", line, tmp_path / "other.db") == ["sample"]


def test_zsh_and_fish_are_told_the_status_too(store_file: Path) -> None:
    assert offered("zsh", "labwright campaign show s", store_file) == ["_arguments '*: :((\"sample\":\"running\"))'"]
    assert offered("fish", "labwright campaign show s", store_file) == ["sample\trunning"]


def test_a_store_that_is_none_offers_nothing_and_says_nothing(tmp_path: Path) -> None:
    junk = tmp_path / "junk.db"
    junk.write_bytes(b"not a database at all" * 100)
    assert "".join(offered("bash", "labwright campaign show s", junk)) == ""


def test_bash_itself_completes_with_the_script_that_is_shown(store_file: Path, tmp_path: Path) -> None:
    program = tmp_path / "labwright"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m controller "$@"\n')
    program.chmod(0o755)
    script = """
    source <(labwright --show-completion bash)
    COMP_WORDS=(labwright campaign show sa); COMP_CWORD=3
    _labwright_completion labwright
    echo "${COMPREPLY[@]}"
    """
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "LABWRIGHT_STORE": str(store_file)}
    done = subprocess.run(
        ["bash", "-c", script], env={**environment, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == "sample", done.stderr
