"""`python -m deploy.manifests check|write|secrets DIRECTORY`: see deploy/README.md."""

import sys
from pathlib import Path

from deploy.local.errors import StackError


def check() -> int:
    from deploy.manifests.run_checks import all_violations

    violations = list(all_violations())
    for line in violations:
        print(line, file=sys.stderr)
    return 1 if violations else 0


def write() -> int:
    from deploy.manifests import rendering
    from deploy.manifests.settings_table import PAGE, with_table

    rendering.write(rendering.rendered())
    PAGE.write_text(with_table(PAGE.read_text()))
    return 0


def secrets(directory: Path) -> int:
    """Creates missing passwords and keys, and prints the Secrets."""
    from deploy.compose.prepare import prepare
    from deploy.manifests.local_secrets import as_yaml, local_secrets

    directory.mkdir(parents=True, exist_ok=True)
    prepare(directory)
    print(as_yaml(local_secrets(directory)), end="")
    return 0


def main(arguments: list[str]) -> int:
    try:
        match arguments:
            case ["check"]:
                return check()
            case ["write"]:
                return write()
            case ["secrets", directory]:
                return secrets(Path(directory))
            case _:
                print(f"usage: {__doc__}", file=sys.stderr)
                return 2
    except StackError as error:
        print(f"tandem: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
