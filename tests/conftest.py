"""What holds in every test: shapes are checked, ranks never promoted in silence, the CPU does the work."""

import gc
import os
import zlib
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace

os.environ["JAX_PLATFORMS"] = os.environ.get("MICRO_RL_TEST_PLATFORM", "cpu")  # see benchmarks/gpu.py
os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"  # the command's own would be the user's, in children too
os.environ["MPLBACKEND"] = "agg"
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # NumPy's small systems take longer on several, beside other tests
if "MICRO_RL_TEST_PLATFORM" not in os.environ:
    # Tests compile much and compute little: less optimisation makes both quicker. A program's code compiled in one
    # piece, and not in 32 side by side, takes a third less of the processors' time.
    os.environ["XLA_FLAGS"] = (
        f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0 --xla_cpu_parallel_codegen_split_count=1"
    )

import jax
import jaxlib.version
import pytest
from hypothesis import HealthCheck, settings

from tests.type_checks import check_types_of

PLAIN_EMITTERS = jaxlib.version.__version_info__ < (0, 11)
"""Whether XLA has the choice; the newer jaxlib, which Python 3.12 and 3.13 get, always fuses and refuses the flag."""

# Before anything imports micro_rl: modules loaded earlier would escape the checks.
check_types_of("micro_rl")
jax.config.update("jax_numpy_rank_promotion", "raise")

with suppress(ImportError, AttributeError):  # JAX's own affair, and another version may do without
    from jax._src.interpreters import mlir

    # JAX lowers every program in a context that takes 3 ms to make and a megabyte to keep; the tests share one.
    mlir.make_ir_context = cache(mlir.make_ir_context)

if PROGRAMS := os.environ.get("MICRO_RL_TEST_PROGRAMS"):
    # `make test` keeps what these processes compile, for each other and for the next time. With a largest size JAX
    # locks the folder. Children, which tests may kill while they write, write nothing there; few read (test_run.py).
    jax.config.update("jax_enable_compilation_cache", True)
    jax.config.update("jax_compilation_cache_dir", PROGRAMS)
    jax.config.update("jax_compilation_cache_max_size", 1 << 28)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)

    with suppress(ImportError, AttributeError):
        from jax._src import compilation_cache, lru_cache

        make_room, asked = lru_cache.LRUCache._evict_if_needed, set()

        def make_room_once(self: lru_cache.LRUCache, *, additional_size: int = 0) -> None:
            """JAX looks at every file of the folder whenever it keeps a program: in a process once is enough."""
            if self.path not in asked:
                asked.add(self.path)
                make_room(self, additional_size=additional_size)

        lru_cache.LRUCache._evict_if_needed = make_room_once

        quick = SimpleNamespace(compress=partial(zlib.compress, level=1), decompress=zlib.decompress)
        compilation_cache.__dict__["zlib"] = quick

with suppress(ImportError, AttributeError, ValueError):
    from tyro import _docstrings, _unsafe_cache

    # Each command line is parsed with the docstrings of a hundred settings, which tyro reads from the sources and
    # forgets again; no test changes a source.
    read_once = [
        id(cell.cell_contents)
        for function in vars(_docstrings).values()
        for cell in getattr(function, "__closure__", None) or ()
        if isinstance(cell.cell_contents, dict)
    ]
    _unsafe_cache._cache_list[:] = [each for each in _unsafe_cache._cache_list if id(each) not in read_once]

# Tracing makes objects by the million that die by counting; looking for cycles among them takes a tenth of the time.
gc.set_threshold(200_000, 20, 50)

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


def pytest_collection_finish() -> None:
    """What is imported by now stays: no later search for cycles, not that of the end either, looks at it again."""
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """What pytest's own search for cycles at the end has left is alive, and no second one looks at it again."""
    gc.freeze()


def pytest_configure(config: pytest.Config) -> None:
    """Compile with the plain emitters of LLVM code, in a quarter of the time, before XLA first reads its flags.

    Two programs may then round their shared part apart, so the slow tests of whole runs to the bit compile as users do;
    quick tests ask for it themselves (tests/probes.py, FUSED).
    """
    if PLAIN_EMITTERS and config.option.markexpr == "not slow" and "MICRO_RL_TEST_PLATFORM" not in os.environ:
        os.environ["XLA_FLAGS"] += " --xla_cpu_use_fusion_emitters=false"


@pytest.fixture(scope="module")
def no_page():
    """Runs write no page: its charts take longer than a tiny run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("micro_rl.reports.run.write_report", lambda path: None)
        yield


@pytest.fixture
def words_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages have their words without the charts, which take long to draw."""
    monkeypatch.setattr("micro_rl.reports.run.figures.drawing", lambda *_: "<svg></svg>")


MOST_MAPS, MAPS_OF_A_MODULE = 58_000, 7_000
unread_modules = 0


@pytest.fixture(autouse=True, scope="module")
def few_programs():
    """A compiled program holds maps of memory, of which a process may have 65,530; XLA ends the process past that.

    No module makes 7,000 of them, so as long as few are there, the next modules need not be followed by a look, which
    takes the kernel a while. Forgetting takes seconds, and what is forgotten is compiled again.
    """
    global unread_modules
    yield
    maps = Path("/proc/self/maps")
    if unread_modules or not maps.exists():
        unread_modules = max(0, unread_modules - 1)
        return
    count = maps.read_bytes().count(b"\n")
    if count > MOST_MAPS:
        jax.clear_caches()
    unread_modules = max(0, (MOST_MAPS - count) // MAPS_OF_A_MODULE - 1)
