"""A process that is to keep to one core has one thread that computes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from micro_rl.core.one_thread import ONE_THREAD

THREADS = """
import jax, pathlib
jax.numpy.ones(3).block_until_ready()
print(sum("XLAEigen" in each.read_text() for each in pathlib.Path("/proc/self/task").glob("*/comm")))
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="Linux alone lists threads by name")
def test_xla_computes_with_one_thread():
    ran = subprocess.run(
        [sys.executable, "-c", THREADS], env=os.environ | ONE_THREAD, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "1"
