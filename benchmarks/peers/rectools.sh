#!/usr/bin/env bash
# An environment of its own for RecTools, which needs numpy < 2: benchmarks/peers/.rectools
set -euo pipefail
cd "$(dirname "$0")"
[ -x .rectools/bin/python ] || python3.11 -m venv .rectools
.rectools/bin/python -m pip install --quiet "rectools[torch]==0.19.0" "numpy<2" "torch==2.13.0"
