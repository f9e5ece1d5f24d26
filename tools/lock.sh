#!/bin/sh
# Resolves the locks: the newest packages for every Python from 3.9 on, the oldest that we allow, for Python 3.9, and the
# benchmarks' peers.
# uv resolves for all Pythons at once, which pip cannot; it is fetched for this purpose alone. pip installs the result.
set -eu
cd "$(dirname "$0")/.."
trap 'rm -f requirements/*.new' EXIT
uv=$(command -v uv || true)
if [ -z "$uv" ] || ! "$uv" --version >/dev/null 2>&1; then
    [ -x .venv-lock/bin/uv ] || { "${PYTHON:-python3}" -m venv .venv-lock && .venv-lock/bin/pip install --quiet uv; }
    uv=.venv-lock/bin/uv
fi

resolve() {
    "$uv" pip compile --quiet --no-config --generate-hashes --no-header --no-annotate --upgrade "$@"
}

{ echo "# Newest packages for Python 3.9 and later, all extras, tests and linters. Made by: make lock"; resolve pyproject.toml --all-extras --universal --python-version 3.9 --group dev; } >requirements/newest.txt.new
{ echo "# Oldest packages that pyproject.toml allows, for Python 3.9, all extras and tests. Made by: make lock"; resolve pyproject.toml --all-extras --universal --python-version 3.9 --group test --resolution lowest-direct; } >requirements/floor.txt.new
{ echo "# What the benchmarks compare with, for Python 3.9 and later. Made by: make lock"; resolve --universal --python-version 3.9 --group bench; } >requirements/benchmarks.txt.new
mv requirements/newest.txt.new requirements/newest.txt
mv requirements/floor.txt.new requirements/floor.txt
mv requirements/benchmarks.txt.new requirements/benchmarks.txt
