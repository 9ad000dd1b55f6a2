"""Runs the notebooks of this folder from top to bottom: `python examples/notebooks/execute.py` keeps what they show in them."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def execute(path: Path, *, timeout_s: int = 300) -> Any:
    """Return a notebook with its cells carried out, in a folder of its own. Raises `CellExecutionError` at the first that fails."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory(prefix="notebook-") as folder:
        client = NotebookClient(notebook, timeout=timeout_s, kernel_name="python3", resources={"metadata": {"path": folder}})
        client.execute()
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)  # when it was carried out is nobody's business
            if "outputs" in cell:
                cell.outputs = [_small(output, folder) for output in cell.outputs]
    return notebook


def _small(output: Any, folder: str) -> Any:
    """Return an output without the folder that it ran in, and each picture once."""
    data = output.get("data", {})
    if "text/html" in data:
        data.pop("image/png", None)
    for place in (data, output):
        for key, value in list(place.items()):
            if isinstance(value, str) and not key.startswith("image"):
                place[key] = re.sub(re.escape(folder) + r"/?", "", value)
    return output


if __name__ == "__main__":
    for wanted in map(Path, sys.argv[1:]) if len(sys.argv) > 1 else NOTEBOOKS:
        nbformat.write(execute(wanted), wanted)
        print(f"{wanted.name}: {wanted.stat().st_size // 1000} kB")
