"""The house keeps its promises: light imports, packages that are ours, a wheel that is whole, pins that fit."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from functools import cache
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES: list[str] = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
TORCH = {"torch", "botorch", "gpytorch", "linear_operator"}
MODELS = TORCH | {"scipy", "sklearn"}
STORES = {"sqlmodel", "sqlalchemy", "alembic"}


@cache
def _sources(folder: str) -> tuple[Path, ...]:
    return tuple(sorted(p for p in (ROOT / folder).rglob("*.py") if "__pycache__" not in p.parts))


def _modules(prefix: str) -> list[str]:
    """Return the modules at and below `prefix` that can be imported without anything being carried out."""
    found = []
    for path in _sources(prefix.split(".")[0]):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        runs_when_imported = parts[-1] == "__main__" or "migrations" in parts
        if (name == prefix or name.startswith(f"{prefix}.")) and not runs_when_imported:
            found.append(name)
    return found


def _loaded_by(code: str) -> set[str]:
    """Return the top-level names of all modules that a fresh process holds after `code`."""
    code += "\nimport json, sys\nsys.stderr.write('\\nLOADED' + json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=100, cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return set(json.loads(done.stderr.rpartition("LOADED")[2]))


@pytest.mark.parametrize(
    ("prefix", "absent"),
    [
        ("controller.domain", MODELS | STORES | {"zmq", "numpy", "pint", "typer", "ruamel"}),
        ("controller.errors", MODELS | STORES | {"zmq", "numpy", "pydantic"}),
        ("controller.files", MODELS | STORES | {"rdkit", "zmq"}),
        ("controller.build", MODELS | STORES | {"zmq", "typer"}),
        ("controller.measure", MODELS | STORES | {"zmq", "typer", "pint"}),
        ("controller.store.reading", MODELS | STORES | {"zmq", "rich"}),
        ("controller.store", MODELS | {"zmq", "rich"}),
        ("controller.cli", MODELS | {"rdkit", "matplotlib", "psycopg"}),
        ("controller.notebook", MODELS | STORES | {"zmq", "numpy", "pydantic", "pandas", "polars", "matplotlib"}),
        ("controller.daemon", TORCH),
        ("instruments", MODELS | STORES | {"pyvisa", "controller", "surrogates", "simulators"}),
        ("simulators", MODELS | STORES | {"controller", "surrogates"}),
        ("surrogates.specs", MODELS | STORES),
    ],
)
def test_modules_load_without_what_is_slow_or_not_theirs(prefix: str, absent: set[str]) -> None:
    modules = _modules(prefix)
    assert modules, f"nothing is called {prefix}"
    loaded = _loaded_by("\n".join(f"import {name}" for name in modules))
    assert loaded & absent == set()


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (["--help"], MODELS | STORES | {"pydantic", "numpy", "zmq", "ruamel", "pint"}),
        (["campaign", "--help"], MODELS | STORES | {"numpy", "zmq"}),
        (["run", "--help"], MODELS | STORES | {"numpy", "zmq"}),
    ],
    ids=["labwright", "campaign", "run"],
)
def test_help_loads_neither_models_nor_stores(arguments: list[str], absent: set[str]) -> None:
    code = f"""
import contextlib, io, sys
sys.argv = ["labwright", *{arguments!r}]
from controller.__main__ import main
with contextlib.redirect_stdout(io.StringIO()) as shown, contextlib.suppress(SystemExit):
    main()
assert "Usage" in shown.getvalue(), shown.getvalue()
"""
    assert _loaded_by(code) & absent == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_package_is_typed_and_marked_as_ours(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()
    first = ast.parse((ROOT / package / "__init__.py").read_text(encoding="utf-8"))
    marked = {
        target.id: ast.literal_eval(node.value)
        for node in first.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert marked == {"LABWRIGHT_PACKAGE": PROJECT["project"]["name"]}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_folder_is_a_package_and_every_module_says_what_it_is_for(package: str) -> None:
    assert [p for p in {s.parent for s in _sources(package)} if not (p / "__init__.py").is_file()] == []
    assert [p for p in _sources(package) if not ast.get_docstring(ast.parse(p.read_text(encoding="utf-8")))] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_that_is_shipped_imports_tests_or_benchmarks(package: str) -> None:
    guilty = []
    for path in _sources(package):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            guilty += [(path, n) for n in names if n.split(".")[0] in ("tests", "benchmarks", "examples", "hypothesis")]
    assert guilty == []


def test_every_folder_of_tests_is_a_package() -> None:
    # Without, a folder `tests/controller` would stand before the package `controller`.
    assert [p for p in {s.parent for s in _sources("tests")} if not (p / "__init__.py").is_file()] == []


def test_tests_are_called_by_what_they_expect() -> None:
    odd = []
    for path in _sources("tests"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
                odd += [f"{path.name}::{node.name}"] if not re.fullmatch(r"test(_[a-z0-9]+){2,}(?<!_\d\d)", node.name) else []
    assert odd == []


def _entry_points() -> list[EntryPoint]:
    groups: dict[str, dict[str, str]] = PROJECT["project"]["entry-points"]
    return [EntryPoint(name, value, group) for group, named in groups.items() for name, value in named.items()]


@pytest.mark.parametrize("entry", _entry_points(), ids=lambda entry: f"{entry.group}:{entry.name}")
def test_entry_point_leads_to_something(entry: EntryPoint) -> None:
    assert callable(entry.load())


def test_wheel_holds_exactly_the_packages_with_everything_in_them(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="the build backend comes with the extra `dev`")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, check=True, capture_output=True, timeout=100,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {n for n in archive.namelist() if ".dist-info/" not in n}
        scripts = next(archive.read(n).decode() for n in archive.namelist() if n.endswith("entry_points.txt"))
    assert {name.split("/")[0] for name in names} == set(PACKAGES)
    ours = {
        p.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for p in (ROOT / package).rglob("*")
        if p.is_file() and "__pycache__" not in p.parts
    }
    assert not ours - names
    # Examples come along for `labwright init --example`.
    assert names - ours == {
        f"controller/files/{p.relative_to(ROOT).as_posix()}"
        for p in (ROOT / "examples").rglob("*")
        if p.is_file() and "__pycache__" not in p.parts
    }
    assert "labwright = controller.__main__:main" in scripts


def _pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    return {name.lower().replace("_", "-"): version for name, version in pins.items()}


def test_every_dependency_is_pinned_to_a_version_that_fits() -> None:
    pins = _pins()
    extras: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
    for text in [*PROJECT["project"]["dependencies"], *(r for needed in extras.values() for r in needed)]:
        wanted = Requirement(text)
        version = pins.get(wanted.name.lower().replace("_", "-"))
        assert version is not None, f"{wanted.name} is not in constraints.txt"
        assert wanted.specifier.contains(version), f"constraints.txt has {wanted.name} {version}, pyproject.toml wants {wanted}"


def test_pins_are_exact_and_portable() -> None:
    pins = _pins()
    assert all(re.fullmatch(r"[0-9][0-9a-z.]*", version) for version in pins.values()), "a local or loose version"
    assert not [name for name in pins if name.startswith(("nvidia", "cuda", "triton", "labwright"))]
    assert f"torch=={pins['torch']}" in (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", ["Makefile", ".ci/run", "constraints.txt", "pyproject.toml"])
def test_set_up_depends_on_no_machine(path: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    assert not re.search(r"https?://|\.\./|index-url|(?<![\w.!#])/(?:home|work|tmp|opt|root|usr)\b(?!/bin/env)", text)


def test_continuous_integration_can_be_started() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
