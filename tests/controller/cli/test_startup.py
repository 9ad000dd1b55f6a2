"""Commands start at once: fresh processes tell what they import, and how long they take beside a bare typer program."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

HEAVY = {
    "torch",
    "botorch",
    "gpytorch",
    "scipy",
    "numpy",
    "sqlalchemy",
    "sqlmodel",
    "alembic",
    "matplotlib",
    "zmq",
    "pint",
    "fastapi",
    "uvicorn",
    "prometheus_client",
}
"""What a command that only looks must not import. (Pydantic is not among them: typer itself reads options with it.)"""

BARE = """
import typer
app = typer.Typer()
@app.command()
def hello(name: str) -> None:
    "Say hello."
@app.command()
def bye(name: str) -> None:
    "Say good-bye."
app()
"""

PROBE = """
import json, sys
from controller.cli.app import app
try:
    app(sys.argv[1:], prog_name="labwright")
except SystemExit as end:
    code = end.code
print("\\n" + json.dumps([code, sorted(m for m in sys.modules if "." not in m)]))
"""


@pytest.mark.parametrize(
    "command",
    [
        ["--help"], ["campaign", "--help"], ["campaign", "list"], ["campaign", "list", "--json"],
        ["campaign", "show", "sample"], ["campaign", "watch", "--help"],
        ["experiment", "list", "sample"], ["experiment", "list", "sample", "--json"], ["experiment", "show", "sample", "1"],
        ["instrument", "list"], ["keys", "list"], ["keys", "--help"], ["tokens", "list"], ["tokens", "--help"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_looking_commands_import_nothing_heavy(command: list[str], store_file: Path) -> None:
    arguments = command if "--help" in command else [*command, "--store", str(store_file)]
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    code, modules = json.loads(done.stdout.splitlines()[-1])
    assert code in (0, None), done.stdout
    assert HEAVY & set(modules) == set()


def test_help_of_the_whole_loads_no_noun() -> None:
    probe = "import sys; from controller.cli.app import app\ntry: app(['--help'])\nexcept SystemExit: pass\n"
    probe += "print([m for m in sys.modules if m in ('controller.cli.campaign', 'controller.cli.driver', 'sqlite3')])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_start_takes_little_longer_than_a_bare_program(tmp_path: Path, store_file: Path) -> None:
    """The contract is 1.3 and 2 times; a busy machine is allowed half as much again, and the best of several counts."""
    bare = tmp_path / "bare.py"
    bare.write_text(BARE)
    commands = {
        "bare": [sys.executable, str(bare), "--help"],
        "help": [sys.executable, "-m", "controller", "--help"],
        "list": [sys.executable, "-m", "controller", "campaign", "list", "--store", str(store_file)],
    }
    best = dict.fromkeys(commands, float("inf"))
    for _ in range(7):
        for name, command in commands.items():
            began = time.perf_counter()
            subprocess.run(command, capture_output=True, timeout=60, check=True)
            best[name] = min(best[name], time.perf_counter() - began)
    assert best["help"] <= 1.5 * 1.3 * best["bare"], best
    assert best["list"] <= 1.5 * 2.0 * best["bare"], best
