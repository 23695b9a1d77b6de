"""The best evaluated epoch is named, and the policy of an epoch whose state is kept is had bit for bit."""

from pathlib import Path

import pytest

import micro_rl
from micro_rl.cli import main as cli
from micro_rl.cli.best_evaluation import best_evaluation
from micro_rl.core.metric_keys import EVAL_RETURN, MODEL_RETURN
from micro_rl.errors import UserError
from micro_rl.policy import Policy
from micro_rl.training.job import Run
from tests.tiny_runs import IN_PENDULUM, SETTINGS, options, write_log

pytestmark = pytest.mark.usefixtures("no_page")


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Run, dict[int, bytes]]:
    """A run of five epochs, and the bytes that each one's policy has as a file."""
    folder = tmp_path_factory.mktemp("kept")
    log, files = write_log(folder / "swing.hdf5"), {}

    def keep(row: dict[str, float], policy: Policy) -> None:
        policy.save(folder / "policy.safetensors")
        files[int(row["epoch"])] = (folder / "policy.safetensors").read_bytes()

    settings = {name: value for name, value in SETTINGS.items() if name in ("hidden_sizes", "batch_size")}
    more = {"epochs": 5, "updates_per_epoch": 4, "checkpoint_every": 1, "eval_episodes": 1}
    run = micro_rl.train(log, "td3_bc", out=folder / "a run", on_epoch=keep, **settings, **more, **IN_PENDULUM)
    return run, files


def test_a_kept_epochs_policy_is_the_one_that_training_would_have_written(trained, tmp_path: Path, capsys):
    run, files = trained
    opened = micro_rl.open_run(run.path)
    assert len(opened.kept_epochs) >= 2 and opened.kept_epochs[-1] == 5 and len(set(files.values())) == 5
    for epoch in opened.kept_epochs:
        opened.policy_of(epoch).save(tmp_path / "python.safetensors")
        assert (tmp_path / "python.safetensors").read_bytes() == files[epoch]
    first = str(opened.kept_epochs[0])
    assert cli.run(["export", str(run.path), "--epoch", first]) == 0
    assert (run.path / f"policy-epoch-{first}.safetensors").read_bytes() == files[int(first)]
    assert cli.run(["export", str(run.path), "--epoch", first, "--out", str(tmp_path / "a.safetensors")]) == 0
    assert (tmp_path / "a.safetensors").read_bytes() == files[int(first)]
    assert cli.run(["export", str(run.path), "--epoch", first, "--out", str(tmp_path / "a.safetensors")]) == 0
    assert cli.run(["evaluate", str(run.path), "--epoch", first, "--episodes", "1"]) == 0
    assert f"epoch {first} in Pendulum-v1, 1 episode," in capsys.readouterr().out
    assert (run.path / "policy.safetensors").read_bytes() == files[5]


@pytest.mark.parametrize("verb", ["export", "evaluate"])
def test_an_epoch_whose_state_is_gone_is_refused_in_a_line_that_names_those_there_are(verb, trained, capsys):
    run, _ = trained
    kept = ", ".join(map(str, micro_rl.open_run(run.path).kept_epochs))
    assert cli.run([verb, str(run.path), "--epoch", "77"]) == 2
    assert capsys.readouterr().err == f"micro-rl: {run.path}: the state of epoch 77 is not kept; kept are: {kept}\n"
    if verb == "export":
        assert cli.run([verb, str(run.path), "--to", "safetensors"]) == 2
        assert f"keeps the states of: {kept}" in capsys.readouterr().err


def test_an_epochs_policy_takes_no_other_files_place(trained, tmp_path: Path, capsys):
    run, files = trained
    log = tmp_path / "log.csv"
    log.write_text("mine")
    first = str(micro_rl.open_run(run.path).kept_epochs[0])
    own, folder = run.path / "policy.safetensors", tmp_path / "there.safetensors"
    folder.mkdir()
    another, taken = "its name ends in none of .py, .c, .onnx, .safetensors", "is there and is not this policy"
    for out, message in ((log, another), (own, taken), (folder, taken)):
        assert cli.run(["export", str(run.path), "--epoch", first, "--out", str(out)]) == 2
        error = capsys.readouterr().err
        assert f"{out}: {message}" in error and error.count("\n") == 1
    assert log.read_text() == "mine" and own.read_bytes() == files[5]


def test_a_checkpoint_without_an_actor_is_refused(trained, tmp_path: Path):
    run, _ = trained
    folder = micro_rl.storage.run_folder.RunFolder(run.path)
    arrays = folder.checkpoints.read(5).arrays
    other = micro_rl.storage.run_folder.RunFolder.create(tmp_path / "run", folder.config())
    (tmp_path / "run" / "policy.safetensors").write_bytes((run.path / "policy.safetensors").read_bytes())
    other.checkpoints.save(1, {name: array for name, array in arrays.items() if "actor" not in name})
    with pytest.raises(UserError, match="epoch-000001: holds no actor of this run"):
        micro_rl.open_run(tmp_path / "run").policy_of(1)


def scored(run: Run, values: dict[int, float], key: str = EVAL_RETURN) -> str:
    rows = [{"epoch": epoch, key: value} for epoch, value in values.items()]
    return best_evaluation(Run(run.path, run.policy, {key: {}}, rows))


def test_the_best_evaluation_is_named_with_what_it_is_worth(trained):
    run, _ = trained
    first = micro_rl.open_run(run.path).kept_epochs[0]
    text = scored(run, {first: -1.0, 5: -2.0})
    assert text.startswith(
        f"epoch {first} of 2 evaluated, −1.00 over 1 episode, the best of many and so in part luck; "
    )
    assert f"`micro-rl evaluate '{run.path}' --epoch {first}`" in text
    assert "it is the last" in scored(run, {4: -2.0, 5: -1.0})
    lost = scored(run, {-3: 5.0, first: -2.0, 5: -1.0})
    assert "its state was not kept (see --checkpoint-every); the best of the kept is epoch 5 (−1.00)" in lost
    assert "its own estimate, which nobody measured" in scored(run, {4: 1.0, 5: 0.0}, MODEL_RETURN)
    assert scored(run, {5: 1.0}) == "" == best_evaluation(Run(run.path, run.policy, {}, [{"epoch": 5}]))


def test_what_another_model_estimated_is_not_compared(trained, tmp_path: Path):
    run, _ = trained
    folder = micro_rl.storage.run_folder.RunFolder.open(run.path)
    origin = {"run": "old", "epoch": 3, "refit": True}
    branch = micro_rl.storage.run_folder.RunFolder.create(tmp_path / "run", folder.config() | {"branched_off": origin})
    branched = Run(branch.path, run.policy, {}, [])
    values = {3: 9.0, 4: 1.0, 5: 0.0}
    assert scored(branched, values, MODEL_RETURN).startswith("epoch 4 of 2 evaluated")
    assert scored(branched, values).startswith("epoch 3 of 3 evaluated")


def test_a_training_ends_with_that_line(tmp_path: Path, capsys):
    log = write_log(tmp_path / "swing.hdf5")
    only = ("hidden_sizes", "epochs", "updates_per_epoch", "batch_size", "eval_episodes")
    words = [*options(only=only), "--env", "Pendulum-v1", "--horizon", "20", "--out", str(tmp_path / "run")]
    assert cli.run(["train", str(log), "--method", "bc", *words]) == 0
    assert sum(line.startswith("best    epoch ") for line in capsys.readouterr().out.splitlines()) == 1
