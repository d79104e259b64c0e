#!/bin/sh
# Makes .venv from the pinned requirements, or says what the machine lacks for it. PYTHON names another interpreter.
set -eu

recent='import sys; sys.exit(sys.version_info < (3, 11))'
python=
for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
    # Run, not looked up: a version manager's stand-ins exist for versions that are not there.
    if "$candidate" -c "$recent" 2>/dev/null; then python=$candidate; break; fi
done
if [ -z "$python" ]; then
    echo "Python 3.11 or later is needed, and ${PYTHON:-python3} is older or missing." >&2
    echo "Install it (Debian, Ubuntu: apt-get install python3 python3-venv), or name one: make PYTHON=/path/to/python3.12" >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    echo "$python ($("$python" --version)) cannot make virtual environments." >&2
    echo "Install what it lacks (Debian, Ubuntu: apt-get install python3-venv), or name another one: make PYTHON=..." >&2
    exit 1
fi
if ! .venv/bin/python -c "$recent" 2>/dev/null; then
    echo "making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
fi
echo "installing what requirements-dev.txt pins into .venv (a minute the first time)"
.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
