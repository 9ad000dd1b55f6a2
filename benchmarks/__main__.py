"""Runs a benchmark: `python -m benchmarks tables --seeds 0-7`, `python -m benchmarks soak --minutes 60`."""

from __future__ import annotations

import argparse
import sys

from benchmarks import (
    answers,
    beliefs,
    calibration,
    dimensions,
    estop,
    fidelity,
    flood,
    forecast,
    fronts,
    looking,
    molecules,
    page,
    peers,
    pools,
    roundtrip,
    scale,
    soak,
    speed,
    tables,
    transfer,
)


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line, run the benchmark, and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    tables.add_arguments(commands.add_parser("tables", help="closed loops over measured tables, against other tools"))
    peers.add_arguments(commands.add_parser("peers", help="what other tools need on the same problems, measured again"))
    calibration.add_arguments(commands.add_parser("calibration", help="whether predicted intervals hold what they promise"))
    forecast.add_arguments(commands.add_parser("forecast", help="whether the forecast of a campaign's best holds the outcome"))
    speed.add_arguments(commands.add_parser("speed", help="processor time of a proposal, against BoTorch's default"))
    scale.add_arguments(commands.add_parser("scale", help="how the time of a proposal grows with the problem"))
    dimensions.add_arguments(
        commands.add_parser("dimensions", help="twenty to a hundred parameters, against random points and BoTorch")
    )
    pools.add_arguments(commands.add_parser("pools", help="a batch chosen from a million candidates, and the whole way there"))
    molecules.add_arguments(commands.add_parser("molecules", help="lists of thousands of molecules: the share of the best found"))
    transfer.add_arguments(
        commands.add_parser("transfer", help="with and without earlier campaigns, alike and misleading ones")
    )
    fronts.add_arguments(commands.add_parser("fronts", help="hypervolume reached, against BoTorch and random points"))
    fidelity.add_arguments(commands.add_parser("fidelity", help="cost to the target with a cheap fidelity and without"))
    beliefs.add_arguments(commands.add_parser("beliefs", help="with hints and physical models, right and wrong ones"))
    soak.add_arguments(commands.add_parser("soak", help="a simulated lab with failures, for as long as asked"))
    flood.add_arguments(commands.add_parser("flood", help="junk frames and connections against a hub at work"))
    roundtrip.add_arguments(commands.add_parser("roundtrip", help="what an attempt costs, against a bare echo and a bare commit"))
    estop.add_arguments(commands.add_parser("estop", help="an emergency stop of many busy instruments"))
    looking.add_arguments(commands.add_parser("looking", help="commands that look, on a store of ten thousand experiments"))
    page.add_arguments(commands.add_parser("page", help="the live page with twenty viewers and ten thousand experiments"))
    answers.add_arguments(commands.add_parser("answers", help="every answer over HTTP, on a full store"))
    chosen = parser.parse_args(arguments)
    benchmarks = {
        "tables": tables, "calibration": calibration, "forecast": forecast, "speed": speed, "transfer": transfer,
        "fidelity": fidelity, "soak": soak, "flood": flood, "roundtrip": roundtrip, "pools": pools, "estop": estop,
        "fronts": fronts, "scale": scale, "dimensions": dimensions, "looking": looking, "page": page, "answers": answers,
        "peers": peers, "beliefs": beliefs, "molecules": molecules,
    }  # fmt: skip
    return benchmarks[chosen.command].run(chosen)


if __name__ == "__main__":
    sys.exit(main())
