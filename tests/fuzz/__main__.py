"""`python -m tests.fuzz`: a million changed frames through the codec, then each target by a fuzzer that follows coverage.

The fuzzer is atheris (https://github.com/google/atheris), an extra of its own: `pip install '.[fuzz]'`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

import psutil


def main() -> int:
    """Fuzz; 0 when nothing was found, otherwise what broke is shown and its input kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--frames", type=int, default=1_000_000, help="changed frames for the codec")
    parser.add_argument("--seed", type=int, default=0, help="of these frames")
    parser.add_argument("--seconds", type=int, default=60, help="for each target of the fuzzer; 0 for none")
    parser.add_argument("--target", action="append", help="only these")
    asked = parser.parse_args()
    if asked.frames:
        print(through_the_codec(asked.frames, asked.seed), flush=True)
    if not asked.seconds:
        return 0
    import importlib.util

    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed: .venv/bin/python -m pip install -c constraints.txt -e '.[fuzz]'", file=sys.stderr)
        return 2
    from tests.fuzz.seeds import SEEDS

    bad = 0
    for name in asked.target or list(SEEDS):
        # A process of its own: libFuzzer ends the one that it runs in.
        code = subprocess.run([sys.executable, "-m", "tests.fuzz.coverage", name, str(asked.seconds)], check=False).returncode
        print(f"{name}: {'nothing found' if code == 0 else f'FOUND, exit code {code}'}", flush=True)
        bad = bad or code
    return 1 if bad else 0


def through_the_codec(n: int, seed: int) -> str:
    """Send `n` changed frames through the codec; return what came of it, with the memory that it took [MB]."""
    from tests.fuzz.frames import frames
    from tests.fuzz.targets import codec

    process, taken, begun = psutil.Process(), 0, time.monotonic()
    before = 0
    for i, frame in enumerate(frames(n, seed)):
        if i == n // 10:
            before = process.memory_info().rss
        taken += codec(frame)
    grown = (process.memory_info().rss - before) / 1e6
    took = time.monotonic() - begun
    return f"{n} frames in {took:.0f} s, {taken} of them taken as messages; memory {grown:+.1f} MB since the first tenth"


if __name__ == "__main__":
    sys.exit(main())
