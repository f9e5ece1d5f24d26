#!/bin/sh
# Prints the Python 3.9 of the floor lane: PYTHON39, else the first that runs, on PATH or under pyenv's root.
# A name on PATH proves nothing: pyenv's shims are there for versions that are not active, and refuse.
runs() {
    [ "$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = 3.9 ]
}

if [ -n "${PYTHON39:-}" ]; then
    runs "$PYTHON39" && { command -v "$PYTHON39"; exit; }
    echo "PYTHON39=$PYTHON39 is not a Python 3.9 that runs" >&2
    exit 1
fi

IFS=:
for folder in $PATH; do
    runs "$folder/python3.9" && { printf '%s\n' "$folder/python3.9"; exit; }
done
unset IFS

root=${PYENV_ROOT:-$(pyenv root 2>/dev/null || printf '%s/.pyenv' "${HOME:-}")}
for python in "$root"/versions/3.9*/bin/python; do
    runs "$python" && { printf '%s\n' "$python"; exit; }
done

echo "the floor lane needs a Python 3.9 that runs: name it with PYTHON39=…, or put python3.9 on PATH or under pyenv root" >&2
exit 1
