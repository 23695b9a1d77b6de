"""A few mutations of each reader's files; `python -m tests.fuzz_readers` goes on for longer, guided by coverage."""

import numpy as np
import pytest

from tests.data.test_bad_files import corrupted
from tests.fuzz_readers import TARGETS

MUTATIONS = {"expression": 1000, "toml": 60}
USUAL = 40


@pytest.mark.parametrize("name", TARGETS)
def test_mutations_are_read_or_refused_in_one_line(name):
    random = np.random.default_rng(0)
    target = TARGETS[name]()
    try:
        for seed in target.seeds:
            target(seed)
        for _ in range(MUTATIONS.get(name, USUAL)):
            seed = target.seeds[random.integers(len(target.seeds))]
            target(seed[:1] + corrupted(seed[1:], random))
    finally:
        target.close()
