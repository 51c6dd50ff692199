"""Reads a job from standard input, runs it, and writes its result to standard output."""

import asyncio
import gc
import pickle
import sys

import uvloop

from benchmarks.load.generator import generate
from benchmarks.load.job import Job


def main() -> None:
    job: Job = pickle.loads(sys.stdin.buffer.read())
    gc.disable()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = runner.run(generate(job))
    sys.stdout.buffer.write(pickle.dumps(result))


if __name__ == "__main__":
    main()
