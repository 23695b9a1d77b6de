"""A new run that goes on from another's checkpoint, under settings of its own."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from micro_rl.core.columns import Column, Columns
from micro_rl.data import Dataset
from micro_rl.dynamics.saved_model import load_model
from micro_rl.errors import UserError
from micro_rl.storage.files import sha256
from micro_rl.storage.json_files import write_json
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training import runner
from micro_rl.training.callbacks import Callback
from micro_rl.training.job import Run
from micro_rl.training.plan_record import plan_to_config
from micro_rl.training.runner import execute
from tests.probes import tiny_dataset, tiny_plan


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
    with pytest.raises(UserError, match=r"epoch-000002: agent\.actor\.weights\.0 is .*hidden_sizes: \[16\], now \[8\]"):
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


class Notes(Callback):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.mark.parametrize(
    "changed",
    [{"predictions": "stored"}, pytest.param({"rollout_length": 2, "rollouts_kept": 1}, marks=pytest.mark.slow)],
)
def test_a_branch_whose_buffer_has_another_shape_begins_with_an_empty_one(
    old: Run, tmp_path: Path, changed: dict[str, Any]
):
    """Rows of its own rollouts alone, then; the agent and its optimisers are the old run's to the bit."""
    notes, plan = Notes(), tiny_plan(epochs=3, **changed)
    new = execute(plan, old.path, branch=tmp_path / "new", callback=notes, until=2)
    assert any("the buffer's shape is another, so it begins empty" in note for note in notes.notes)
    states = [RunFolder.open(run.path).checkpoints.newest() for run in (old, new)]
    assert states[0] is not None and states[1] is not None
    for name, array in states[0].arrays.items():
        if not name.startswith("buffer."):
            np.testing.assert_array_equal(array, states[1].arrays[name], err_msg=name)
    assert not states[1].arrays["buffer.filled"].any()
    gone_on = execute(plan, new.path, resume=True)
    rows = plan.settings.rollout_batch_size * plan.settings.rollout_length
    assert [row["epoch"] for row in gone_on.metrics] == [1, 2, 3] and gone_on.metrics[-1]["buffer/rows"] <= rows


def longer_log() -> Dataset:
    """The old run's log, and as many rows after it."""
    return tiny_dataset(rows=600)


def test_a_refitted_branch_has_another_model_and_the_same_agent_in_the_same_units(old: Run, tmp_path: Path):
    plan = tiny_plan(log=longer_log(), epochs=3)
    new = execute(plan, old.path, branch=tmp_path / "new", refit=True, until=2)
    for (weight, bias), (own_weight, own_bias) in zip(old.policy.layers, new.policy.layers, strict=True):
        np.testing.assert_array_equal(own_weight, weight)
        np.testing.assert_array_equal(own_bias, bias)
    np.testing.assert_array_equal(new.policy.observation_mean, old.policy.observation_mean)
    assert new.metrics == old.metrics
    models = [load_model(run.path / "model") for run in (old, new)]
    assert not np.array_equal(models[0].ensemble.members.net.weights[0], models[1].ensemble.members.net.weights[0])
    jax.tree.map(np.testing.assert_array_equal, models[0].scaling, models[1].scaling)
    gone_on = execute(plan, tmp_path / "new", resume=True)
    assert [row["epoch"] for row in gone_on.metrics] == [1, 2, 3]
    assert not np.array_equal(gone_on.policy.layers[0][0], old.policy.layers[0][0])
    assert RunFolder.open(new.path).config()["branched_off"]["refit"] is True


def test_a_refit_that_was_stopped_before_its_first_checkpoint_goes_on_without_its_source(
    old: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    plan, source = tiny_plan(log=longer_log(), epochs=3), tmp_path / "source"
    whole = execute(plan, old.path, branch=tmp_path / "whole", refit=True)
    shutil.copytree(old.path, source)
    with monkeypatch.context() as patch:
        patch.setattr(runner, "adopt", stop)
        with pytest.raises(KeyboardInterrupt):
            execute(plan, source, branch=tmp_path / "new", refit=True)
    shutil.rmtree(source)
    new = execute(plan, tmp_path / "new", resume=True)
    np.testing.assert_array_equal(new.policy.layers[0][0], whole.policy.layers[0][0])


def stop(*_: object) -> None:
    raise KeyboardInterrupt


def test_what_cannot_be_refitted_is_refused(old: Run, tmp_path: Path):
    with pytest.raises(UserError, match="refit: is of a run that goes on with --branch"):
        execute(tiny_plan(), tmp_path / "new", refit=True)
    bc = execute(tiny_plan(method="bc"), tmp_path / "bc")
    with pytest.raises(UserError, match="refit: bc learns no model; leave it out"):
        execute(tiny_plan(method="bc", epochs=3), bc.path, branch=tmp_path / "new", refit=True)
    assert not (tmp_path / "new").exists()


def test_the_same_command_with_resume_goes_on_with_a_branch(old: Run, tmp_path: Path):
    plan, new = tiny_plan(log=longer_log(), epochs=4), tmp_path / "new"
    execute(plan, old.path, branch=new, refit=True, until=3)
    gone_on = execute(plan, old.path, branch=new, refit=True, resume=True)
    assert [row["epoch"] for row in gone_on.metrics] == [1, 2, 3, 4]


def test_a_branch_of_a_branch_that_was_stopped_before_its_first_epoch_has_all_rows(
    old: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    plan = tiny_plan(epochs=3)
    with monkeypatch.context() as patch:
        patch.setattr(runner, "adopt", stop)
        with pytest.raises(KeyboardInterrupt):
            execute(plan, old.path, branch=tmp_path / "stopped")
    new = execute(plan, tmp_path / "stopped", branch=tmp_path / "new")
    assert new.metrics[:2] == old.metrics and [row["epoch"] for row in new.metrics] == [1, 2, 3]


def test_a_branch_that_took_nothing_over_yet_does_not_begin_anew(tmp_path: Path):
    plan = tiny_plan(epochs=3)
    RunFolder.create(tmp_path / "new", plan_to_config(plan) | {"branched_off": {"run": "old"}})
    with pytest.raises(UserError, match="new: was stopped before it took over old"):
        execute(plan, tmp_path / "new", resume=True)


@pytest.mark.parametrize("names", [("b", "a"), ("a", "c")])
def test_a_branch_on_other_columns_is_refused(old: Run, tmp_path: Path, names: tuple[str, str]):
    shutil.copytree(old.path, tmp_path / "old")
    config = RunFolder.open(old.path).config()
    columns = [
        column | {"name": name} for column, name in zip(config["columns"]["observations"], "abcdef", strict=False)
    ]
    config["columns"]["observations"] = columns
    write_json(tmp_path / "old" / "config.json", config)
    own = [Column(column["name"]) for column in columns]
    log = longer_log()
    named = replace(log, columns=Columns((Column(names[0]), Column(names[1]), *own[2:]), log.columns.actions))
    with pytest.raises(UserError, match=r"column 0 of its observations is 'b'|column 1 of its observations is 'c'"):
        execute(tiny_plan(log=named, epochs=3), tmp_path / "old", branch=tmp_path / "new", refit=True)
    assert not (tmp_path / "new").exists()
