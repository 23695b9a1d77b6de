"""A new run that goes on from another's checkpoint, under settings of its own."""

from pathlib import Path

import numpy as np
import pytest

from micro_rl.errors import UserError
from micro_rl.storage.files import sha256
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training.job import Run
from micro_rl.training.plan_record import plan_to_config
from micro_rl.training.runner import execute
from tests.probes import tiny_plan


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return execute(tiny_plan(), tmp_path_factory.mktemp("runs") / "old")


def test_a_branch_goes_on_with_what_was_changed_and_says_so(old: Run, tmp_path: Path):
    before = {path: sha256(path) for path in old.path.rglob("*") if path.is_file()}
    new = execute(tiny_plan(epochs=3, beta=0.1), old.path, branch=tmp_path / "new")
    assert new.path == tmp_path / "new"
    assert [row["epoch"] for row in new.metrics] == [1, 2, 3]
    assert new.metrics[:2] == old.metrics
    config = RunFolder.open(new.path).config()
    origin = config["branched_off"]
    assert origin["run"] == str(old.path) and origin["epoch"] == 2
    assert origin["changed"] == ["beta: 0.5, now 0.1", "epochs: 2, now 3"]
    assert origin["checkpoint_sha256"] == sha256(old.path / "checkpoints/epoch-000002/state.safetensors")
    assert config["options"]["beta"] == 0.1
    assert {path: sha256(path) for path in before} == before
    for name in ("model/ensemble.safetensors", "fit.jsonl"):
        assert (new.path / name).read_bytes() == (old.path / name).read_bytes()


def test_a_branch_with_nothing_changed_but_its_length_is_the_run_itself(old: Run, tmp_path: Path):
    """The same bits as a run of three epochs from the start: epochs is a setting, so resuming would refuse it."""
    longer = execute(tiny_plan(epochs=3), old.path, branch=tmp_path / "new")
    whole = execute(tiny_plan(epochs=3), tmp_path / "whole")
    states = [RunFolder.open(run.path).checkpoints.newest() for run in (longer, whole)]
    assert states[0] is not None and states[1] is not None
    for name, array in states[0].arrays.items():
        np.testing.assert_array_equal(array, states[1].arrays[name], err_msg=name)


def test_what_cannot_be_gone_on_with_is_refused_and_leaves_no_folder(old: Run, tmp_path: Path):
    new = tmp_path / "new"
    with pytest.raises(UserError, match=r"epoch-000002: agent\.actor\.weights\.0 is .*, not "):
        execute(tiny_plan(epochs=3, hidden_sizes=(8,)), old.path, branch=new)
    with pytest.raises(UserError, match="has 2 epochs already"):
        execute(tiny_plan(), old.path, branch=new)
    RunFolder.create(tmp_path / "begun", plan_to_config(tiny_plan()))
    with pytest.raises(UserError, match="has no checkpoint to branch off from"):
        execute(tiny_plan(epochs=3), tmp_path / "begun", branch=new)
    with pytest.raises(UserError, match="not a run folder"):
        execute(tiny_plan(epochs=3), tmp_path / "nowhere", branch=new)
    assert not new.exists()
    with pytest.raises(UserError, match="is not empty"):
        execute(tiny_plan(epochs=3), old.path, branch=tmp_path / "begun")
