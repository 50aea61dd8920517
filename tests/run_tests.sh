#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs pytest over the given folders (all, if none is given); two processes by default.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=$(tests/setup/python.sh)
folders=()
for argument in "$@"; do
    [[ $argument == tests/* ]] && folders+=("$argument")
done
((${#folders[@]} > 0)) || folders=(tests)
options=()
for argument in "$@"; do
    [[ $argument == tests/* ]] || options+=("$argument")
done
[[ " ${options[*]:-} " == *" -k "* ]] || rm -rf build/tests/seen
exec "$python" -B -m pytest -q -n "${TEST_JOBS:-2}" "${options[@]}" "${folders[@]}"
