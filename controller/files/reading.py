"""YAML 1.2 (and so JSON) into plain data that remembers its lines; anything odd is one clean fault."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn

from controller.errors import FileFaultsError
from controller.files.faults import ABSENT, Fault, Faults, Keys, nearest, one_line, shortened

MAX_BYTES: Final = 4 * 2**20
"""Largest campaign or lab file [bytes]; tables are CSV files of their own and may be larger."""
MAX_NODES: Final = 50_000
"""Most entries of a file; each costs the parser 40 microseconds, so that no file takes longer than seconds to be refused."""
MAX_LINES: Final = 200_000
"""Most lines; a line that says nothing, or a comment, takes half a kilobyte while the file is read."""
MAX_DEPTH: Final = 64

_BREAKS: Final = "\n\r\x85\u2028\u2029"
_TAG: Final = re.compile(r"!\S*+")
_LONGEST_TAG: Final = 10_000
_CORE: Final = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Document:
    """What a file says: a mapping of plain Python values, and the line of every entry."""

    path: Path
    data: dict[str, Any]
    lines: dict[Keys, int] = field(repr=False)

    def line(self, keys: Keys) -> int:
        """Return the line (from 1) of an entry, or of the nearest entry around it."""
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return self.lines.get(keys, 1)

    def get(self, keys: Keys, default: object = None) -> Any:
        """Return the value of an entry, `default` where there is none."""
        here: Any = self.data
        for key in keys:
            if isinstance(here, list):
                if not isinstance(key, int) or key >= len(here):
                    return default
            elif not isinstance(here, dict) or key not in here:
                return default
            here = here[key]
        return here

    def holds(self, keys: Keys) -> bool:
        """Say whether there is such an entry."""
        missing = object()
        return self.get(keys, missing) is not missing

    def fault(self, faults: Faults, keys: Keys, message: str, *, value: bool = True) -> None:
        """Add a fault at an entry, shown with its value where it has one and `value` is true."""
        if value and self.holds(keys):
            faults.add(self.path, self.line(keys), keys, message, self.get(keys))
        else:
            faults.add(self.path, self.line(keys), keys, message)


def read_document(path: Path) -> Document:
    """Read a YAML or JSON file whose top level is a mapping.

    Raises:
        FileFaultsError: If the file is missing, too large, no text, not YAML, or not a mapping; or if keys repeat.
    """
    text = read_text(path)
    reader = _Reader(path)
    data = reader.read(text)
    reader.faults.raise_if_any()
    return Document(path, data, reader.lines)


def check_file_kind(path: Path) -> None:
    """Refuse what is no ordinary file, or not there.

    Raises:
        FileFaultsError: If it is so, with what is there instead.
    """
    try:
        if path.is_dir():
            _refuse(path, "is a folder; name a file in it")
        if not path.is_file() and path.exists():
            _refuse(path, "is neither a file nor a folder; name an ordinary file")
        path.stat()
    except FileNotFoundError:
        beside = (
            sorted(p.name for p in path.parent.glob("*") if p.suffix == path.suffix) if path.parent.is_dir() else []
        )
        make = ", or make one with: labwright init DIR" if path.suffix in (".yaml", ".yml") else ""
        _refuse(path, "there is no such file; " + (f"in that folder {nearest(path.name, beside)}" if beside
                else f"correct the name{make}"))  # fmt: skip
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        _refuse(path, f"cannot be read ({one_line(str(error))}); check its name and permissions")


def read_text(path: Path) -> str:
    """Read a UTF-8 file.

    Raises:
        FileFaultsError: If it cannot be read, is larger than `MAX_BYTES`, or is not UTF-8.
    """
    check_file_kind(path)
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        _refuse(path, f"cannot be read ({one_line(str(error))}); check its name and permissions")
    if len(content) > MAX_BYTES:
        _refuse(path, f"is larger than {MAX_BYTES / 2**20:g} MiB; keep tables in CSV files of their own")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        _refuse(path, f"byte {content[error.start]:#04x} is not UTF-8 text; save the file as UTF-8", line)


def _refuse(path: Path, message: str, line: int | None = None) -> NoReturn:
    raise FileFaultsError([str(Fault(path, line, (), ABSENT, message))]) from None


class _TooManyEntriesError(Exception):
    """More entries than are read, from `line` on."""

    def __init__(self, line: int) -> None:
        self.line = line


def _too_much(most: str) -> str:
    return f"holds more than {most} here (aliases count each time they are used); simplify it, and keep tables in CSV files"


class _Reader:
    """One walk over the nodes of one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.faults = Faults()
        self.lines: dict[Keys, int] = {}
        self.count = 0
        self.n_characters = 0

    def read(self, text: str) -> dict[str, Any]:
        from ruamel.yaml.nodes import MappingNode

        if sum(map(text.count, _BREAKS)) > MAX_LINES:
            _refuse(self.path, f"holds more than {MAX_LINES} lines; keep tables in CSV files", MAX_LINES)
        for tag in _TAG.finditer(text):  # ruamel.yaml's time for a tag grows with the square of its length
            if len(tag.group()) > _LONGEST_TAG:
                _refuse(self.path, f"{shortened(tag.group())} is longer than any tag ({_LONGEST_TAG} characters); remove it",
                        text.count("\n", 0, tag.start()) + 1)  # fmt: skip
        if text.lstrip().startswith("{"):
            text = _without_tabs(text)
        node = self._compose(text)
        if node is None:
            _refuse(self.path, "the file is empty; labwright init DIR writes one to begin with", 1)
        if not isinstance(node, MappingNode):
            _refuse(self.path, "must be a mapping, one `key: value` per line; labwright init DIR writes an example",
                    node.start_mark.line + 1)  # fmt: skip
        plain: dict[str, Any] = self._plain(node, ())
        return plain

    def _compose(self, text: str) -> Any:
        from ruamel.yaml import YAML
        from ruamel.yaml.composer import Composer, MaxDepthExceededError
        from ruamel.yaml.error import MarkedYAMLError
        from ruamel.yaml.reader import ReaderError

        class CountingComposer(Composer):
            """Gives up on too many entries while they are read, not when all of them are in memory."""

            n_nodes = 0

            def compose_node(self, parent: Any, index: Any) -> Any:
                self.n_nodes += 1
                if self.n_nodes > MAX_NODES:
                    raise _TooManyEntriesError(self.parser.peek_event().start_mark.line + 1)
                return super().compose_node(parent, index)

        yaml = YAML(typ="rt", pure=True)
        yaml.Composer, yaml.max_depth = CountingComposer, MAX_DEPTH
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # an anchor used twice is only warned of
                return yaml.compose(text)
        except _TooManyEntriesError as error:
            _refuse(self.path, _too_much(f"{MAX_NODES} entries"), error.line)
        except MaxDepthExceededError as error:
            _refuse(self.path, _too_much(f"{MAX_DEPTH} levels"), error.problem_mark.line + 1)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark is not None else None
            _refuse(self.path, _plain_problem(text, line, error.problem or error.context or "not YAML"), line)
        except ReaderError as error:
            character = error.character if isinstance(error.character, int) else ord(str(error.character)[:1] or "\0")
            line = text[: error.position].count("\n") + 1
            _refuse(self.path, f"character U+{character:04X} may not stand in YAML; remove it", line)
        except RecursionError:
            _refuse(self.path, f"is nested too deeply; at most {MAX_DEPTH} levels are read")
        except Exception as error:  # ruamel.yaml raises many classes for garbage; whatever it is, the file is not YAML
            _refuse(self.path, f"is not YAML ({one_line(str(error))[:120]}); correct the syntax")

    def _plain(self, node: Any, keys: Keys) -> Any:
        from ruamel.yaml.nodes import MappingNode, SequenceNode

        self.count += 1
        if isinstance(node.value, str):
            self.n_characters += len(node.value)
        line = node.start_mark.line + 1
        if self.count > MAX_NODES or len(keys) > MAX_DEPTH:
            most = f"{MAX_DEPTH} levels" if len(keys) > MAX_DEPTH else f"{MAX_NODES} entries"
            _refuse(self.path, _too_much(most), line)
        if self.n_characters > MAX_BYTES:
            _refuse(self.path, _too_much(f"{MAX_BYTES} characters"), line)
        self.lines.setdefault(keys, line)
        tag = str(node.tag or "")
        if not tag.startswith(_CORE) and tag not in ("", "!"):
            self.faults.add(self.path, line, keys, f"tag {shortened(tag)} has no meaning here; remove it")
        if isinstance(node, MappingNode):
            return self._mapping(node, keys)
        if isinstance(node, SequenceNode):
            return [self._plain(item, (*keys, i)) for i, item in enumerate(node.value)]
        return _scalar(tag.removeprefix(_CORE), node.value)

    def _mapping(self, node: Any, keys: Keys) -> dict[str, Any]:
        from ruamel.yaml.nodes import ScalarNode

        plain: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                self.faults.add(
                    self.path, line, keys, "a key must be a name, not a list or mapping; put names before the colon"
                )
                continue
            name = _paired(key_node.value)
            if str(key_node.tag) == _CORE + "merge":
                self.faults.add(
                    self.path, line, keys, "merge keys (<<) are not part of YAML 1.2; write the entries out"
                )
                continue
            here = (*keys, name)
            if name in plain:
                first = self.lines[here]
                self.faults.add(
                    self.path, line, here, f"stands here a second time (first in line {first}); keep one of the two"
                )
                continue
            self.lines[here] = line
            plain[name] = self._plain(value_node, here)
        return plain


def _scalar(kind: str, text: str) -> Hashable:
    """Return what a scalar says by the YAML 1.2 core schema; what does not fit stays text (dates do)."""
    try:
        if kind == "null":
            return None
        if kind == "bool" and text.lower() in ("true", "false"):
            return text.lower() == "true"
        if kind == "int":
            whole = int(text.replace("_", ""), 0 if text.lstrip("+-")[:2].lower() in ("0x", "0o", "0b") else 10)
            return whole if abs(whole) < 2**63 else text  # larger ones would be no number anywhere else
        if kind == "float":
            return float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan").replace(".Inf", "inf")
                         .replace(".INF", "inf").replace(".NaN", "nan").replace(".NAN", "nan"))  # fmt: skip
    except ValueError:  # sexagesimal numbers of YAML 1.1, thousands of digits
        pass
    return _paired(text)


def _paired(text: str) -> str:
    r"""Return `text` with surrogate pairs joined: JSON writes what lies beyond U+FFFF as two \u escapes."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _without_tabs(text: str) -> str:
    """Return JSON indented with spaces: JSON allows tabs between entries, and never inside its texts; YAML does not."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text
    return text.replace("\t", " ")


def _plain_problem(text: str, line: int | None, problem: str) -> str:
    """Return what ruamel.yaml found in words that say what to do."""
    lines = text.splitlines()
    here = lines[line - 1] if line is not None and line <= len(lines) else ""
    if "\\t" in problem and here[: len(here) - len(here.lstrip())].count("\t"):
        return "a tab indents this line; YAML wants spaces"
    if "mapping values are not allowed" in problem:
        return "a colon where no key can stand; put text that holds `: ` between quotes, and check the indentation"
    if "undefined alias" in problem:
        return f"{problem}; put text that begins with * between quotes"
    if "another document" in problem:
        return "a second document begins here (---); one file holds one campaign or lab"
    if "cannot start any token" in problem:
        return f"{problem}; put text that begins with it between quotes"
    if "<block end>" in problem or "block mapping" in problem:
        return "this line is not indented as the ones around it, or lacks its colon; align it"
    return f"{problem}; check quotes, brackets and indentation here"
