#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Prints the path of a Python 3 that has the modules named (those for pytest and pytest-xdist, if
# none is); exits 1 when there is none.
#
#   python.sh [MODULE ...]
#
# The first python3 in PATH may be a private one that does not see the system's packages, so the
# system's own is asked first. PYTHON= names another one.
set -euo pipefail

readonly probe='
import importlib.util, sys
sys.exit(any(importlib.util.find_spec(name) is None for name in sys.argv[1:]))'

(($# > 0)) || set -- pytest xdist
for candidate in ${PYTHON:-} /usr/bin/python3 python3; do
    if path=$(command -v "$candidate") && "$path" -c "$probe" "$@" 2>/dev/null; then
        printf '%s\n' "$path"
        exit 0
    fi
done
echo "python: no python3 with $* was found" >&2
exit 1
