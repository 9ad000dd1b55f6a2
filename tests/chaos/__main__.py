"""The long form: campaigns under a storm until so many kills have fallen, on both stores; prints a table.

    python -m tests.chaos --kills 500 [--experiments 200] [--seed 1] [--stores sqlite,postgresql] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.chaos.bench import Bench, write_files
from tests.chaos.books import Books, examine
from tests.chaos.storm import KILLS, Storm
from tests.controller.store.postgres import PostgresServer, find_binaries

STORES = ("sqlite", "postgresql")


def main() -> int:
    """Run campaigns; 0 when nothing was lost, repeated or wrong."""
    asked = _parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that nothing is left behind
    stores = list(dict.fromkeys(asked.stores.split(",")))
    if strange := set(stores) - set(STORES):
        print(f"no store {', '.join(sorted(strange))}; there are {', '.join(STORES)}", file=sys.stderr)
        return 2
    server: PostgresServer | None = None
    if "postgresql" in stores:
        binaries = find_binaries()
        if binaries is None and stores == ["postgresql"]:
            print("no PostgreSQL server is installed", file=sys.stderr)
            return 2
        if binaries is None:
            print("no PostgreSQL server is installed: SQLite alone", file=sys.stderr)
            stores.remove("postgresql")
        else:
            server = PostgresServer(binaries)
    if asked.keep is not None:
        asked.keep.mkdir(parents=True, exist_ok=True)
    total: Counter[str] = Counter()
    failures = 0
    try:
        print(f"{'store':<11}{'seed':>5}{'kills':>7}{'other':>7}{'done':>6}{'unknown':>9}{'interrupted':>13}{'attempts':>10}"
              f"{'lost':>6}{'repeated':>10}{'wrong':>7}{'min':>7}", flush=True)  # fmt: skip
        for seed, store in zip(itertools.count(asked.seed), itertools.cycle(stores), strict=False):
            if sum(total[name] for name in KILLS) >= asked.kills and seed >= asked.seed + len(stores):
                break
            failures += not _one(store, seed, asked, server, total)
    finally:
        if server is not None:
            server.remove()
    kills = sum(total[name] for name in KILLS)
    print(f"{kills} kills, {total.total() - kills} other blows: " + ", ".join(f"{n} {name}" for name, n in total.most_common()))
    print("the books balance" if not failures else f"{failures} campaigns whose books do not balance")
    return 1 if failures else 0


def _one(store: str, seed: int, asked: argparse.Namespace, server: PostgresServer | None, total: Counter[str]) -> bool:
    """Run one campaign to its end and print its row; say whether its books balance."""
    folder = Path(tempfile.mkdtemp(prefix=f"lw-chaos-{store}-{seed}-", dir=asked.keep))
    write_files(folder, experiments=asked.experiments, seed=seed)
    of_store = server if store == "postgresql" else None
    url = of_store.create_database() if of_store is not None else f"sqlite:///{folder / 'store.db'}"
    os.environ["LABWRIGHT_HOME"] = str(folder / "home")
    bench = Bench(folder, url, asked.experiments)
    storm, began = Storm(bench, seed, of_store), time.monotonic()
    try:
        storm.run(timeout_s=asked.timeout, pace=asked.pace)
        books = examine(bench)
    except AssertionError as error:
        books = Books(wrong=[str(error)])
    finally:
        bench.close()
    total.update(storm.counts)
    other = storm.counts.total() - storm.n_kills
    print(f"{store:<11}{seed:>5}{storm.n_kills:>7}{other:>7}{books.completed:>6}{books.unknown:>9}{books.interrupted:>13}"
          f"{books.attempts:>10}{len(books.lost):>6}{len(books.repeated):>10}{len(books.wrong):>7}"
          f"{(time.monotonic() - began) / 60:>7.1f}", flush=True)  # fmt: skip
    for text in [*books.lost, *books.repeated, *books.wrong]:
        print(f"  {text}", flush=True)
    if books.balanced and asked.keep is None:
        shutil.rmtree(folder)
    else:
        print(f"  its files are in {folder}", flush=True)
    return books.balanced


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=int(os.environ.get("LABWRIGHT_KILLS", "500")), help="at least so many in all")
    parser.add_argument("--experiments", type=int, default=200, help="of each campaign")
    parser.add_argument("--pace", type=float, default=0.8, help="experiments between two blows, on average")
    parser.add_argument("--seed", type=int, default=1, help="of the first campaign; each further one has the next")
    parser.add_argument("--stores", default=",".join(STORES))
    parser.add_argument("--timeout", type=float, default=3600.0, help="longest time of one campaign [s]")
    parser.add_argument("--keep", type=Path, help="keep every campaign's files in this folder")
    return parser


if __name__ == "__main__":
    sys.exit(main())
