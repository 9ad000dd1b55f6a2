"""The process that tells people: it is told on its standard input of what stores and by which file, and ends when that is closed.

A process of its own, fed by the log alone: a mail server that is down, slow or lost holds up nothing but itself. When its input
ends without a farewell the controller has ended without being told to, which people should know.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from pathlib import Path
from typing import Any

from controller.errors import LabwrightError
from controller.notify.service import FAREWELL, Teller


def main() -> None:
    """Tell until told to end, or until the controller is gone."""
    told: dict[str, Any] = json.loads(sys.stdin.buffer.readline())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    code = 0
    try:
        teller = Teller(told["urls"], Path(told["file"]), only=told.get("only"))
        threading.Thread(target=_leave_with_parent, args=(teller,), daemon=True).start()
        teller.run()
    except LabwrightError as error:
        logging.getLogger("controller.notify").error("nobody can be told of anything: %s", error)
        code = 1
    logging.shutdown()
    os._exit(code)  # what is being sent is sent again after the next start: nobody waits for a server that does not answer


def _leave_with_parent(teller: Teller) -> None:
    teller.leave(orderly=sys.stdin.buffer.read().startswith(FAREWELL))


if __name__ == "__main__":
    main()
