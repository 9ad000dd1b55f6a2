"""`python -m tests.fuzz.coverage TARGET SECONDS`: one target under atheris; what broke is kept beside its corpus."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path


def follow_coverage(name: str, seconds: int) -> None:
    """Run libFuzzer on one target; does not return."""
    import atheris

    with atheris.instrument_imports(include=["controller", "instruments", "simulators", "ruamel"]):
        from tests.fuzz.seeds import SEEDS
        from tests.fuzz.targets import TARGETS
    corpus = Path(tempfile.mkdtemp(prefix=f"labwright-corpus-{name}-"))
    for i, seed in enumerate(SEEDS[name]):
        (corpus / str(i)).write_bytes(seed)
    options = [f"-max_total_time={seconds}", "-timeout=20", "-rss_limit_mb=2048", "-max_len=4096", "-print_final_stats=1"]

    def once(data: bytes) -> None:
        TARGETS[name](data)

    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={corpus.parent}/{name}-", str(corpus)], once)
    atheris.Fuzz()


if __name__ == "__main__":
    follow_coverage(sys.argv[1], int(sys.argv[2]))
