"""What holds in every test: shapes are checked, ranks never promoted in silence, the CPU does the work."""

import os
from pathlib import Path

os.environ["JAX_PLATFORMS"] = os.environ.get("MICRO_RL_TEST_PLATFORM", "cpu")  # see benchmarks/gpu.py
os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"  # the command's own would be the user's
os.environ["MPLBACKEND"] = "agg"
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # NumPy's small systems take longer on several, beside other tests
if "MICRO_RL_TEST_PLATFORM" not in os.environ:
    # Tests compile much and compute little: less optimisation, one thread and the plainer emitters of LLVM code (a
    # quarter of the seconds per program; with MLIR's fusion emitters compiling is half of all that the tests do).
    QUICK = ("backend_optimization_level=0", "cpu_multi_thread_eigen=false", "cpu_use_fusion_emitters=false")
    os.environ["XLA_FLAGS"] = " ".join([os.environ.get("XLA_FLAGS", ""), *(f"--xla_{flag}" for flag in QUICK)])

import jax
import pytest
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

# Before anything imports micro_rl: modules loaded earlier would escape the checks.
install_import_hook("micro_rl", "beartype.beartype")
jax.config.update("jax_numpy_rank_promotion", "raise")

# Compilation makes a first example slow and the next one fast, so a deadline would only measure that.
settings.register_profile(
    "micro-rl",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("micro-rl")


@pytest.fixture(autouse=True, scope="module")
def few_programs():
    """A compiled program holds maps of memory, of which a process may have 65,530; XLA ends the process past that."""
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and len(maps.read_text().splitlines()) > 30_000:
        jax.clear_caches()
