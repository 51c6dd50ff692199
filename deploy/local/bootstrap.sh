#!/bin/sh
# Finds a Python 3.11 or later, or uses the one that PYTHON names, and completes .venv with it.
for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
	if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
		exec "$candidate" -I deploy/local/bootstrap.py
	fi
done
found=$("${PYTHON:-python3}" --version 2>/dev/null) || found="no working ${PYTHON:-python3}"
echo "tandem: needs Python 3.11 or later and found $found; install one, or name it: make PYTHON=/path/to/python3" >&2
exit 1
