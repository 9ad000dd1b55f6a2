"""The examples that come along: which there are, and a copy of one to begin with."""

from __future__ import annotations

import difflib
import shutil
from pathlib import Path

from controller.errors import FileFaultsError
from controller.files.faults import ABSENT, Fault, one_line

_LEFT = shutil.ignore_patterns("__pycache__", "*.pyc", "*.db*")


def examples() -> dict[str, str]:
    """Return what each example is about, by name; empty where they were not installed.

    Its words are the `description` in its campaign file.
    """
    return {folder.name: _about(folder / "campaign.yaml") for folder in sorted(_home().glob("*")) if _is_one(folder)}


def copy_example(name: str, folder: Path, *, force: bool = False) -> list[Path]:
    """Copy an example with all its files into a folder, made if it is not there.

    Args:
        name: Of the example.
        folder: Where to.
        force: Write over files of the same names.

    Returns:
        The files written.

    Raises:
        FileFaultsError: If there is no such example, a file is there already and `force` is false (nothing has been written then),
            or the folder cannot be written.
    """
    source = _home() / name
    if name not in examples():
        raise FileFaultsError([f"--example {name}: there is no such example; {_near(name)}"])
    paths = [folder / path.name for path in sorted(source.iterdir()) if not _LEFT(str(source), [path.name])]
    there = [path for path in paths if path.exists() or path.is_symlink()]
    if there and not force:
        message = "is there already and is not written over; choose another folder, or use --force"
        raise FileFaultsError([str(Fault(path, None, (), ABSENT, message)) for path in there])
    try:
        shutil.copytree(source, folder, ignore=_LEFT, dirs_exist_ok=True)
    except (OSError, shutil.Error) as error:
        said = getattr(error, "strerror", None) or str(error)
        message = f"cannot be written ({one_line(said)}); choose another folder"
        raise FileFaultsError([str(Fault(folder, None, (), ABSENT, message))]) from None
    return paths


def _home() -> Path:
    """Return where examples lie: within the installed package, or beside it in a checkout."""
    installed = Path(__file__).with_name("examples")
    return installed if installed.is_dir() else Path(__file__).resolve().parents[2] / "examples"


def _is_one(folder: Path) -> bool:
    return (folder / "campaign.yaml").is_file()


def _about(campaign: Path) -> str:
    for line in campaign.read_text(encoding="utf-8").splitlines():
        if line.startswith("description:"):
            return line.removeprefix("description:").strip()
    return ""


def _near(name: str) -> str:
    known = list(examples())
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"there are {', '.join(known)}" if known else "this installation has none"
