"""The checks of `labwright doctor`: each looks at one thing and says what to do when it is wrong."""

from __future__ import annotations

import importlib
import importlib.util
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError
from pathlib import Path

from controller.cli.requirements import requirements
from controller.errors import LabwrightError
from controller.settings import folder_of, sqlite_file
from controller.verbs.stores import show_url

OURS = ("controller", "surrogates", "instruments", "simulators")
MARKER = "LABWRIGHT_PACKAGE"
EARLIEST = 1_735_689_600  # 2025-01-01: no copy of this program is older
SLOW_FSYNC_S = 0.05
"""A commit costs one fsync and an experiment a handful of commits; slower disks than this hold up fast labs."""
EXTRAS = {
    "rdkit": ("rdkit", "chem", "`smiles` columns in descriptor files"),
    "pyvisa": ("pyvisa", "instruments", "SCPI instruments"),
    "psycopg": ("psycopg", "postgres", "PostgreSQL stores"),
    "matplotlib": ("matplotlib", "plot", "pictures"),
    "fastapi": ("fastapi", "http", "the HTTP API"),
}


@dataclass(frozen=True)
class Finding:
    """What one check saw."""

    check: str
    result: str
    """`ok`, `warning` (something optional or slow) or `failed` (something essential)."""
    detail: str
    remedy: str = ""

    def as_row(self) -> dict[str, str]:
        """Return the finding as a row."""
        return asdict(self)


def examine(urls: list[str]) -> list[Finding]:
    """Carry out every check; one that breaks is itself a failed finding.

    Args:
        urls: The stores to look at.
    """
    checks: list[tuple[str, Callable[[], list[Finding]]]] = [
        ("python", _python), ("packages", _packages), ("our packages", _our_packages), ("extras", _extras),
        ("clock", _clock), ("loopback", _loopback), ("models", _models),
        *((f"store {show_url(url)}", partial(_store, url)) for url in urls),
    ]  # fmt: skip
    findings: list[Finding] = []
    for name, check in checks:
        try:
            findings += check()
        except Exception as error:  # a check that breaks is a finding, and the others must still be made
            findings.append(Finding(name, "failed", f"{type(error).__name__}: {error}", "report this"))
    return findings


def _python() -> list[Finding]:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < (3, 11):  # noqa: UP036 - the packages can be run without being installed
        return [Finding("python", "failed", found, "install Python 3.11 or newer")]
    inside = "" if sys.prefix != sys.base_prefix else "; not in a virtual environment"
    return [Finding("python", "ok" if not inside else "warning", f"{found} at {sys.executable}{inside}", "" if not inside else
                    "install Labwright in an environment of its own: other packages can overwrite its folders")]  # fmt: skip


def _packages() -> list[Finding]:
    try:
        wanted = [r for r in requirements() if not r.extra]
    except PackageNotFoundError:
        return [
            Finding(
                "packages", "warning", "labwright runs from its folder and is not installed", "pip install labwright"
            )
        ]
    wrong = [r for r in wanted if not r.satisfied]
    if not wrong:
        return [Finding("packages", "ok", f"{len(wanted)} packages in the versions that were tested")]
    return [
        Finding("packages", "failed", f"{r.package} {r.installed or 'is not installed'}, needed: {r.specifier}",
                f"pip install '{r.package}{r.specifier}'")
        for r in wrong
    ]  # fmt: skip


def _our_packages() -> list[Finding]:
    """Say whether each package is ours: `instruments` and `controller` are also names of other projects, and pip overwrites."""
    findings, homes = [], set()
    for name in OURS:
        module = importlib.import_module(name)
        place = Path(module.__file__).parent if module.__file__ else None
        if getattr(module, MARKER, None) != "labwright" or place is None:
            findings.append(Finding(
                "our packages", "failed", f"the package {name!r} at {place} is not Labwright's",
                "another project owns that name; install Labwright in an environment of its own",
            ))  # fmt: skip
        else:
            homes.add(place.parent)
    if not findings and len(homes) > 1:
        places = ", ".join(sorted(map(str, homes)))
        findings.append(
            Finding("our packages", "failed", f"they come from several places: {places}", "reinstall Labwright")
        )
    return findings or [Finding("our packages", "ok", f"all four are ours, in {homes.pop()}")]


def _extras() -> list[Finding]:
    findings = []
    for name, (module, extra, purpose) in EXTRAS.items():
        if importlib.util.find_spec(module) is None:
            remedy = f"pip install 'labwright[{extra}]' if you need it"
            findings.append(Finding(name, "warning", f"not installed; for {purpose}", remedy))
        else:
            findings.append(Finding(name, "ok", f"installed; for {purpose}"))
    return findings


def _clock() -> list[Finding]:
    now = time.time()
    if now < EARLIEST:
        return [
            Finding(
                "clock", "failed", f"it says {time.strftime('%Y-%m-%d', time.gmtime(now))}", "set the clock; use NTP"
            )
        ]
    return [Finding("clock", "ok", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now)))]


def _loopback() -> list[Finding]:
    """Say whether a controller can listen and a driver connect on this machine."""
    try:
        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            socket.create_connection(server.getsockname(), timeout=2),
        ):
            port = server.getsockname()[1]
    except OSError as error:
        return [
            Finding("loopback", "failed", f"127.0.0.1 cannot be used: {error}", "let processes connect over loopback")
        ]
    return [Finding("loopback", "ok", f"drivers can connect over 127.0.0.1 (tried port {port})")]


def _models() -> list[Finding]:
    began = time.monotonic()
    import torch

    took = time.monotonic() - began
    detail = f"torch {torch.__version__}, {torch.get_num_threads()} threads, loaded in {took:.1f} s"
    if not torch.cuda.is_available():
        return [Finding("models", "ok", f"{detail}; no GPU, models are computed on the processor")]
    device = torch.device("cuda")
    roots = torch.linalg.cholesky(4.0 * torch.eye(64, dtype=torch.float64, device=device)).diagonal()
    if not torch.allclose(roots, torch.full_like(roots, 2.0)):
        return [
            Finding(
                "models", "failed", f"{detail}; the GPU computes wrongly", "use --device cpu and have the GPU looked at"
            )
        ]
    return [Finding("models", "ok", f"{detail}; GPU {torch.cuda.get_device_name(0)}")]


def _store(url: str) -> list[Finding]:
    from controller.store.reading import open_reader

    name = f"store {show_url(url)}"
    file = sqlite_file(url)
    findings = []
    try:
        if file is not None and not file.exists():
            findings.append(Finding(name, "ok", "not there yet; it is made with the first campaign"))
        else:
            with closing(open_reader(url)) as reader:
                findings.append(Finding(name, "ok", f"readable, {len(reader.campaigns())} campaigns"))
    except LabwrightError as error:
        return [Finding(name, "failed", str(error), "see labwright db check, labwright db upgrade")]
    return [*findings, _folder(folder_of(url) if file is None else file.parent)]


def _folder(folder: Path) -> Finding:
    """Say whether the folder of a store can be written and how fast its disk makes data safe."""
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    check = f"folder {folder}"
    try:
        with tempfile.TemporaryFile(dir=existing) as file:
            took = min(_fsync(file.fileno()) for _ in range(5))
    except OSError as error:
        return Finding(
            check, "failed", f"cannot be written: {error.strerror}", "choose another with --store or LABWRIGHT_HOME"
        )
    free = os.statvfs(existing)
    gigabytes = free.f_bavail * free.f_frsize / 1e9
    detail = f"writable, {gigabytes:.1f} GB free, a commit takes {1000 * took:.1f} ms"
    if gigabytes < 1:
        return Finding(check, "warning", detail, "make room: when the disk is full, everything waits")
    if took > SLOW_FSYNC_S:
        return Finding(check, "warning", detail, "put the store on a faster local disk")
    return Finding(check, "ok", detail)


def _fsync(handle: int) -> float:
    began = time.monotonic()
    os.write(handle, b"x" * 4096)
    os.fsync(handle)
    return time.monotonic() - began
