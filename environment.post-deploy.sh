#!/usr/bin/env bash
# Second half of environment.yml: OpenPifPaf, built from source against the torch that is installed there.
set -euo pipefail
pip install --disable-pip-version-check --progress-bar off \
    --no-deps --no-build-isolation --no-cache-dir --require-hashes -r requirements-openpifpaf.txt
