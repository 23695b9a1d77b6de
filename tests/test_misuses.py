"""Mistakes of people who program end in one line, before anything is begun; and what is no mistake is taken."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from micro_rl.training.plan import make_plan
from tests.probes import TINY, tiny_dataset


def test_every_misuse_is_told_in_one_line_with_the_remedy():
    root = Path(__file__).parents[1]
    tried = subprocess.run([sys.executable, "-m", "tests.misuses"], cwd=root, capture_output=True, text=True)
    assert (tried.returncode, tried.stdout) == (0, ""), tried.stdout + tried.stderr


def test_numbers_of_numpy_and_lists_are_taken():
    chosen = {"seed": np.int64(3), "beta": np.float32(0.5), "hidden_sizes": [16]}
    made = make_plan(tiny_dataset(), **(TINY | chosen))
    assert (made.settings.seed, made.options.beta, made.settings.hidden_sizes) == (3, 0.5, (16,))
