"""`python -m deploy.local up|down|ps|reset|token|demo`: what the Makefile's targets call."""

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
        plan = up(home, os.environ, say, arguments.servers_only)
    say(f"ready: commands at {plan.url_of('command-service')}, queries at", end=" ")
    print(plan.url_of("query-service"))
    print(f"next:  . {os.path.relpath(home.env)}; make token SCOPE=products:write; make ps")
    return 0


def down(home: Home, _: argparse.Namespace) -> int:
    from deploy.local.down import down

    with home.exclusive():
        stopped = down(home)
    say("stopped; the data stays" if stopped else "nothing was running")
    return 0


def reset(home: Home, _: argparse.Namespace) -> int:
    from deploy.local.down import down

    with home.exclusive():
        down(home)
        shutil.rmtree(home.directory)
    say(f"{home.directory} is deleted")
    return 0


def ps(home: Home, _: argparse.Namespace) -> int:
    from deploy.local.ps import lines

    found = lines(home)
    if not found:
        raise StackError("nothing is running; start it with make up")
    print("\n".join(line.text for line in found))
    return 0 if all(line.state == "running" for line in found) else 1


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


def say(text: str, end: str = "\n") -> None:
    print(f"tandem: {text}", end=end, flush=True)


def stop_in_order(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.local")
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--servers-only", action="store_true", help="up without the services")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, stop_in_order)
    signal.signal(signal.SIGHUP, stop_in_order)
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
