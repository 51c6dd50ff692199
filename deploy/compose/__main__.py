"""`python -m deploy.compose prepare DIRECTORY` and `… token DIRECTORY SCOPE [SUBJECT]`."""

import sys
from pathlib import Path

from deploy.compose.prepare import prepare, private_key_in
from deploy.local.tokens import issue_token


def main(arguments: list[str]) -> None:
    match arguments:
        case ["prepare", directory]:
            prepare(Path(directory))
        case ["token", directory, scope]:
            print(issue_token(private_key_in(Path(directory)), scope))
        case ["token", directory, scope, subject]:
            print(issue_token(private_key_in(Path(directory)), scope, subject))
        case _:
            sys.exit(f"usage: {__doc__}")


if __name__ == "__main__":
    main(sys.argv[1:])
