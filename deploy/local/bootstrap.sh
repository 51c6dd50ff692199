#!/bin/sh
# Finds a Python that is new enough, or takes the one that PYTHON names, and has it complete .venv.
for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
	if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
		exec "$candidate" -I deploy/local/bootstrap.py
	fi
done
found=$("${PYTHON:-python3}" --version 2>/dev/null) || found="no ${PYTHON:-python3} that runs"
echo "tandem: needs Python 3.11 or later and found $found; install one, or name it: make PYTHON=/path/to/python3" >&2
exit 1
