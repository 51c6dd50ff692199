"""`python -m deploy.local up|down|ps|reset|token|demo`: what the targets of the Makefile run."""

import argparse
import os
import shutil
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from deploy.local.errors import StackError
from deploy.local.home import Home, home_from

Command = Callable[[Home, argparse.Namespace], int]


def up(home: Home, arguments: argparse.Namespace) -> int:
    from deploy.local.up import up

    with home.exclusive():
        plan = up(home, os.environ, report, arguments.servers_only)
    report(f"ready: commands at {plan.url_of('command-service')}, queries at", end=" ")
    print(plan.url_of("query-service"))
    print(f"next: . {os.path.relpath(home.env)}; make token SCOPE=products:write; make ps")
    return 0


def down(home: Home, _: argparse.Namespace) -> int:
    from deploy.local.down import down

    with home.exclusive():
        stopped = down(home)
    report("stopped; the data is kept" if stopped else "nothing was running")
    return 0


def reset(home: Home, _: argparse.Namespace) -> int:
    from deploy.local.down import down

    with home.exclusive():
        down(home)
        shutil.rmtree(home.directory)
    report(f"deleted {home.directory}")
    return 0


def ps(home: Home, _: argparse.Namespace) -> int:
    from deploy.local.ps import process_lines

    lines = process_lines(home)
    if not lines:
        raise StackError("nothing is running; start it with make up")
    print("\n".join(line.text for line in lines))
    return 0 if all(line.state == "running" for line in lines) else 1


def token(home: Home, _: argparse.Namespace) -> int:
    from deploy.local.token_command import token_from_environment

    print(token_from_environment(home, os.environ))
    return 0


def demo(home: Home, _: argparse.Namespace) -> int:
    from deploy.local.demo import demo

    return demo(home, os.environ)


COMMANDS: dict[str, Command] = {
    "up": up,
    "down": down,
    "ps": ps,
    "reset": reset,
    "token": token,
    "demo": demo,
}


def report(text: str, end: str = "\n") -> None:
    print(f"tandem: {text}", end=end, flush=True)


def interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.local")
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--servers-only", action="store_true", help="up: start the servers only")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGHUP, interrupt)
    try:
        return COMMANDS[arguments.command](home_from(os.environ), arguments)
    except StackError as error:
        print(f"tandem: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("tandem: stopped", file=sys.stderr)
        return 130
    except OSError as error:
        print(f"tandem: {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
