#!/bin/sh
# Makes sure that what the Makefile needs from the system is there: Python 3.11 with venv, and git.
# As root on Debian and its kin, missing packages are installed; elsewhere they are named exactly.
set -eu
python=${1:-python3}

missing=""
command -v git >/dev/null 2>&1 || missing="$missing git"
if ! command -v "$python" >/dev/null 2>&1; then
    missing="$missing python3 python3-venv"
elif ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    found=$("$python" -c 'import platform; print(platform.python_version())')
    echo "error: expected Python 3.11 or later, found $found as $python" >&2
    echo "  hint: make PYTHON=/path/to/python3.11 ..." >&2
    exit 2
elif ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    missing="$missing python3-venv"
fi
# What some tests need on top, and skip without on a laptop: system-packages.sh PYTHON --test
wanted="$missing"
if [ "${2:-}" = --test ]; then
    command -v podman >/dev/null 2>&1 || missing="$missing podman"
    command -v runc >/dev/null 2>&1 || missing="$missing runc"
    command -v mmdebstrap >/dev/null 2>&1 || missing="$missing mmdebstrap"
    command -v gpg >/dev/null 2>&1 || missing="$missing gnupg"
    command -v ssh-keygen >/dev/null 2>&1 || missing="$missing openssh-client"
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null 2>&1 \
        || missing="$missing postgresql"
    ls /usr/sbin/sshd >/dev/null 2>&1 || command -v sshd >/dev/null 2>&1 || missing="$missing openssh-server"
    command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 \
        || command -v google-chrome >/dev/null 2>&1 || missing="$missing chromium fonts-dejavu-core"
    command -v npm >/dev/null 2>&1 || missing="$missing npm"
fi
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing:$missing" >&2
    apt-get update -qq
    # shellcheck disable=SC2086 # a list of packages
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null
elif [ -z "$wanted" ]; then
    echo "note: some tests are skipped, because these system packages are missing:$missing" >&2
else
    echo "error: these system packages are missing:$missing" >&2
    echo "  hint: sudo apt-get install$missing   (or your system's equivalent)" >&2
    exit 2
fi
