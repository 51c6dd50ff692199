"""`python -m deploy.contracts write` and `check`: see `make contracts` and `make check`."""

import sys

from deploy.contracts.files import ROOT, generated, write
from deploy.contracts.gate import HOW_TO_FIX, broken_contracts, violations


def main(command: str) -> int:
    files = generated()
    if command == "check":
        found = violations(files, ROOT)
    else:
        broken = broken_contracts(files, ROOT)
        found = [*broken, HOW_TO_FIX, "Nothing was written."] if broken else []
        if not found:
            write(files)
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    if sys.argv[1:] not in (["write"], ["check"]):
        sys.exit("usage: python -m deploy.contracts write|check")
    sys.exit(main(sys.argv[1]))
