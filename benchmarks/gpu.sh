#!/usr/bin/env bash
# The card's tests and table, on a machine that has Python, a card's JAX and nothing of this project's.
# Wheels that were carried along in .whl/ are installed first. Arguments go to benchmarks.gpu.
#
# A machine with these needs no wheel more: jax with its card's plugin, equinox, optax, jaxtyping, numpy, scipy, h5py,
# safetensors, cloudpickle, filelock, typing-extensions, pytest, hypothesis, rich, jinja2, matplotlib, imageio, protobuf.
# Seldom there, and to be carried (mujoco is asked for its version alone, so nothing that it needs):
#
#     beartype==0.23.1 gymnasium==1.4.0 farama-notifications==0.0.6 tensorboardX==2.6.5 mujoco==3.4.0
#     pydantic==2.14.3 pydantic-core==2.50.4 annotated-types==0.8.0 typing-inspection==0.4.5
#
# With pytest-xdist the tests run side by side. What the run on a real log compiles twice is kept in a new folder; no
# line of the table is in it.
set -euo pipefail
cd "$(dirname "$0")/.."
if compgen -G ".whl/*.whl" > /dev/null; then
    site=$(mktemp -d)
    python3 -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --target "$site" .whl/*.whl
    export PYTHONPATH="$site${PYTHONPATH:+:$PYTHONPATH}"
fi
export XLA_PYTHON_CLIENT_PREALLOCATE=false PYTHONUNBUFFERED=1
export JAX_COMPILATION_CACHE_DIR="${JAX_COMPILATION_CACHE_DIR:-$(mktemp -d)}"
exec python3 -m benchmarks.gpu "$@"
