"""Runs what a page tells a reader to type: all its shell and Python blocks, from top to bottom, in one shell and one empty folder.

The files that the page shows are there. What else must be there before (a campaign that has run, an experiment that nobody
knows the end of) is made by `tests/docs/stages/PAGE.sh`. Home, store and ports are the scenario's own, and whatever is still
running at its end, such as a daemon, is ended.
"""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import psutil

from tests.docs.pages import PAGES, ROOT, SHELL, Block, blocks, write_files

STAGES = Path(__file__).parent / "stages"
TOKEN = "LABWRIGHT_DOCS_TEST"
PORTS = ("8765", "8766", "5570")
"""What pages and stages write where an address is needed; free ones take their place, for these may be taken."""

FOLLOWED = {"look-from-the-terminal": "test_looking.py", "look-from-the-page": "test_looking_at_the_page.py"}
"""Pages whose commands need a test of their own -> that test."""


def is_run(block: Block) -> bool:
    """Say whether a block is run with the others of its page. Python in a file of its own is run by those that name the file."""
    return block.note("not run") is None and (block.language in SHELL or (block.language == "python" and "." not in block.mark))


def having_scenarios() -> list[Path]:
    """Return the pages with something to run."""
    return [page for page in PAGES if page.stem not in FOLLOWED and any(is_run(block) for block in blocks(page))]


def script(page: Path) -> str:
    """Return a page as a shell script that ends at the first command that fails, saying at which line of the page."""
    parts = ["set -euo pipefail", f"stages={shlex.quote(str(STAGES))}"]
    stage = STAGES / f"{page.stem}.sh"
    if stage.exists():
        parts += ["echo '@ stage' >&2", stage.read_text(encoding="utf-8")]
    if page.parent.parent == ROOT / "examples":  # an example is carried out in its own folder, or in a copy of it
        parts.append(f"cp -r {shlex.quote(str(page.parent))}/. .")
    for block in filter(is_run, blocks(page)):
        parts.append(f"echo '@ line {block.line}' >&2")
        if (before := block.note("before")) is not None:
            parts.append(before)
        text = block.text
        if block.language == "python":
            typed = " ".join(shlex.quote(line) for line in (block.note("typed in") or "").split())
            file = f"block_{block.line}.py"
            text = f"cat > {file} <<'END_OF_BLOCK'\n{text}END_OF_BLOCK\nprintf '%s\\n' {typed} | python {file}\n"
        elif block.language == "console":
            text = "".join(line[2:] for line in text.splitlines(keepends=True) if line.startswith("$ "))
        if block.note("goes on") is not None:  # a server, which is ended with the scenario
            parts.append(f"{{\n{text}\n}} & served=$!\nsleep 5\nkill -0 $served")
        elif (code := block.note("exit code")) is not None:
            parts.append(f"set +e\n{text}\ncode=$?\nset -e")
            parts.append(f"[ $code = {int(code)} ] || {{ echo \"exit code $code, not {code}\" >&2; exit 1; }}")
        else:
            parts.append(text)
    return "\n".join(parts) + "\necho '@ end' >&2\n"


def run(page: Path, folder: Path, timeout: float) -> str:
    """Run the scenario of a page in an empty folder, and end what it leaves running.

    Returns:
        Nothing if all went well; otherwise where it ended, and the last lines of what was said.
    """
    write_files(page, folder)
    (folder / "home").mkdir(exist_ok=True)
    token = uuid.uuid4().hex
    text = script(page)
    for port in PORTS:
        with socket.create_server(("127.0.0.1", 0)) as free:
            text = text.replace(port, str(free.getsockname()[1]))
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
        "HOME": str(folder / "home"), "LABWRIGHT_HOME": str(folder / "home" / "labwright"), "OMP_NUM_THREADS": "1",
        "LANG": "C.UTF-8", "ROOT": str(ROOT), TOKEN: token,
    }  # fmt: skip
    said = folder / "said.log"
    try:
        with said.open("w") as out:
            done = subprocess.run(
                ["bash", "-c", text], cwd=folder, env=environment, timeout=timeout, check=False,
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
            )  # fmt: skip
        code: int | str = done.returncode
    except subprocess.TimeoutExpired:
        code = f"none within {timeout:g} s"
    finally:
        end_processes(token)
    lines = said.read_text(encoding="utf-8", errors="replace").splitlines()
    if code == 0 and lines[-1:] == ["@ end"]:
        return ""
    reached = [line for line in lines if line.startswith("@ ")][-1:] or ["@ nowhere"]
    return "\n".join((f"ended at {reached[0][2:]}, exit code {code}", *lines[-25:]))


def end_processes(token: str) -> None:
    """End the processes that a scenario has left: those that carry its token in their environment."""
    left = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(TOKEN) == token:
                process.kill()
                left.append(process)
        except psutil.Error:
            continue
    psutil.wait_procs(left, timeout=10)


def main(wanted: list[str]) -> int:
    """Run the scenarios of the pages whose path holds one of the words, or of all; say how each went."""
    failed = 0
    pages = [page for page in having_scenarios() if not wanted or any(word in str(page) for word in wanted)]
    for page in pages:
        folder = Path("/tmp" if os.access("/tmp", os.W_OK) else ".") / f"labwright-docs-{uuid.uuid4().hex[:8]}"
        folder.mkdir()
        began = time.monotonic()
        fault = run(page, folder, timeout=1800)  # a machine that has other things to do too
        print(f"{'failed' if fault else 'passed'}  {page.relative_to(ROOT)}  {time.monotonic() - began:.0f} s", flush=True)
        if fault:
            failed += 1
            print("    " + fault.replace("\n", "\n    ") + f"\n    everything is in {folder}", flush=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(pages) - failed} of {len(pages)} pages do what they say")
    return 1 if failed or not pages else 0
