#!/bin/sh
# Makes a base for the agent's image from Debian packages, where no image registry is in reach.
#   deploy/agent/base-image.sh OUTPUT.tar [SUITE] [ARCHITECTURE]; then: podman import OUTPUT.tar wayside-base
set -eu
output=${1:?"usage: base-image.sh OUTPUT.tar [SUITE] [ARCHITECTURE]"}
suite=${2:-bookworm}
architecture=${3:-$(dpkg --print-architecture)}
command -v mmdebstrap >/dev/null || { echo "error: mmdebstrap is missing; try apt-get install mmdebstrap" >&2; exit 2; }
exec mmdebstrap --quiet --variant=minbase --architectures="$architecture" \
    --include=python3,python3-venv,git,openssh-client,ca-certificates,gpg,gpgv \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    "$suite" "$output"
