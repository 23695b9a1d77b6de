"""What an epoch of a candidate counts as, by rows that are written by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from micro_rl.policy import Policy
from micro_rl.selection.field import Field
from micro_rl.selection.portfolio import Candidate
from tests.trust import line_world


def field_of(folder: Path, *seconds: tuple[float, float]) -> Field:
    """A candidate whose epochs took so long; a seed each. Computing alone takes half a second."""
    for seed, both in enumerate(seconds):
        run = folder / "runs" / "bc" / f"seed{seed}"
        run.mkdir(parents=True)
        (run / "config.json").write_text("{}")
        rows = [
            {"epoch": 1 + number, "updates": 10 * (1 + number), "time/seconds": own, "time/updates_per_second": 20.0}
            for number, own in enumerate(both)
        ]
        (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    crew: Any = None
    return Field((Candidate("bc", "bc", {}, ""),), folder / "log.hdf5", folder, tuple(range(len(seconds))), crew)


@pytest.mark.parametrize(
    ("seconds", "cost"),
    [
        ([(3.0, 0.7)], 0.7),
        ([(3.0, 0.7), (3.0, 0.8)], 0.8),
        ([(3.0, 3.0)], 1.0),  # the process ended after its first epoch: the second was compiled again
    ],
)
def test_compiling_is_no_part_of_an_epochs_cost(tmp_path: Path, seconds, cost: float):
    assert field_of(tmp_path, *seconds).cost("bc") == pytest.approx(cost)


def test_policies_know_how_the_log_was_described(tmp_path: Path):
    described = 'reward = "-o0**2"\nexogenous = ["o1"]\n'
    field = field_of(tmp_path, (3.0, 0.7))._replace(mapping=described)
    line_world.policy(1.0).save(tmp_path / "runs" / "bc" / "seed0" / "policy.safetensors")
    policies = field.collect("bc", 2)
    assert policies["bc-seed0-epoch2"].mapping == described
    kept = Policy.load(tmp_path / "policies" / "bc-seed0-epoch2.safetensors")
    assert (kept.mapping, kept.sha256) == (described, policies["bc-seed0-epoch2"].sha256)
