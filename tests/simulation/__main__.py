"""`python -m tests.simulation`: runs many schedules, or replays one by its seed."""

import argparse
import itertools
import sys
import time

from tests.simulation.schedule import WORLDS, first_violation, reduce_faults, run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--world", choices=WORLDS, help="default: all")
    parser.add_argument("--seed", type=int, help="replay this schedule only")
    parser.add_argument("--only", help="the numbers of the faults that happen in it; default: all")
    parser.add_argument("--schedules", type=int, default=10_000)
    parser.add_argument("--first-seed", type=int, default=int(time.time()) * 1000)
    arguments = parser.parse_args()
    worlds = [arguments.world] if arguments.world else list(WORLDS)
    if arguments.seed is not None:
        only = arguments.only and {int(number) for number in arguments.only.split(",")}
        outcomes = [run(world, arguments.seed, only) for world in worlds]
        print("\n".join(map(str, outcomes)))
        return any(outcome.violation is not None for outcome in outcomes)
    started = time.monotonic()
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.schedules // len(worlds))
    for world, chunk in itertools.product(worlds, range(0, len(seeds), 1000)):
        outcome = first_violation(world, seeds[chunk : chunk + 1000])
        if outcome is not None:
            print(reduce_faults(outcome))
            return 1
    count = len(seeds) * len(worlds)
    print(f"{count} schedules without a violation in {time.monotonic() - started:.0f} s")
    return 0


sys.exit(main())
