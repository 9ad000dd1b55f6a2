"""The child process in which a function of the `function` driver is called."""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from instruments.sdk.modules import load_module


def main() -> int:
    """Read one JSON line of instructions, call the function, write one JSON line of results to the reply's file."""
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_leave_with_the_driver, daemon=True).start()
    reply: dict[str, Any]
    try:
        module, _, name = request["function"].rpartition(":")
        returned = getattr(load_module(module), name)(**request["arguments"])
        reply = {"returned": _plain(returned)}
        text = json.dumps(reply)
    except BaseException as error:  # whatever a stranger's function raises is the answer
        traceback.print_exc()
        text = json.dumps({"error": f"{type(error).__name__}: {error}"})
    Path(request["reply"]).write_text(text, encoding="utf-8")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads that the function left behind must not keep the process


def _leave_with_the_driver() -> None:
    sys.stdin.read()  # ends when the driver's process is gone
    os._exit(3)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    # numpy's scalars know `item`; everything else is left to the JSON writer's complaint.
    return value.item() if hasattr(value, "item") else value


if __name__ == "__main__":
    sys.exit(main())
