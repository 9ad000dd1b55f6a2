"""The proposer process: reads one request per line, writes one answer per line, and knows nothing of stores or labs.

Its argument is the folder of large pools, which requests only refer to.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def main() -> None:
    """Answer requests until standard input ends."""
    # Answers go to the real standard output; whatever a library prints goes to the log.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    from controller.domain.request import Request
    from controller.engine.thinking import propose
    from controller.errors import SpaceExhaustedError
    from controller.store.pools import Shelf
    from surrogates.memory import keep_freed_memory

    keep_freed_memory()
    context = {"pools": Shelf(Path(sys.argv[1]))}
    try:
        answers.write(b"ready\n")
        answers.flush()
    except BrokenPipeError:
        return  # the controller is gone already
    for line in sys.stdin.buffer:
        try:
            proposals = propose(Request.model_validate_json(line, context=context))
            answer: dict[str, object] = {"proposals": [p.model_dump(mode="json") for p in proposals]}
        except SpaceExhaustedError as error:
            answer = {"exhausted": str(error)}
        except Exception as error:  # the controller decides what follows; the log keeps the traceback
            import traceback

            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


if __name__ == "__main__":
    main()
