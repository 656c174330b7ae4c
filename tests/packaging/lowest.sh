#!/usr/bin/env bash
# Runs tests with the lowest versions that pyproject.toml permits. By hand: some minutes, and a package registry.
#   tests/packaging/lowest.sh [tests...]      everything but what needs today's type checker or browser, by default
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python3 - > "$folder/lowest.txt" <<'PYTHON'
import tomllib

with open("pyproject.toml", "rb") as file:
    print("\n".join(bound.replace(">=", "==") for bound in tomllib.load(file)["project"]["dependencies"]))
PYTHON
cat "$folder/lowest.txt"
"$folder/venv/bin/pip" install --quiet --constraint "$folder/lowest.txt" --editable . pytest pytest-asyncio pytest-xdist hypothesis mypy
[ $# -gt 0 ] || set -- tests/inventory tests/graph tests/dataflow tests/engine tests/sandbox tests/report tests/cli tests/faults tests/library
"$folder/venv/bin/python" -B -m pytest -p no:cacheprovider --ignore tests/report/test_html_browser.py "$@"
