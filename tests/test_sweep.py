"""Several runs in one program: each is the run that it would be alone, and leaves the same folder."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, cast

import jax
import numpy as np
import pytest
from rich.console import Console

from micro_rl.algorithms import registry
from micro_rl.algorithms.coefficients import coefficients
from micro_rl.algorithms.learner import ModelLearner
from micro_rl.algorithms.model_based import micro
from micro_rl.cli import main as cli
from micro_rl.cli.commands import sweep as sweep_command
from micro_rl.cli.commands.console import console
from micro_rl.cli.display import Display
from micro_rl.cluster.place import sweep_home
from micro_rl.core.types import Keys
from micro_rl.dynamics import fit_epoch
from micro_rl.dynamics.fit_epoch import finish_fit
from micro_rl.dynamics.saved_model import load_model, save_model
from micro_rl.dynamics.termination_rules import ByRule, never
from micro_rl.errors import Diverged, Interrupted, UserError
from micro_rl.policy import Policy
from micro_rl.storage.files import CannotWrite
from micro_rl.storage.locks import locked
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training import fit_program, fitting, memory, models, sweep
from micro_rl.training.callbacks import Callback
from micro_rl.training.fitting import fit_model, problem_of
from micro_rl.training.grid import Trial, chunks, groups, trials
from micro_rl.training.interrupts import Interrupts
from micro_rl.training.job import Job, Run
from micro_rl.training.lanes import set_run, stack, take_run
from micro_rl.training.models import given_model
from micro_rl.training.plan import Plan, make_plan
from micro_rl.training.plan_record import plan_to_config
from micro_rl.training.program import Program, compiled_epoch
from micro_rl.training.runner import execute, execute_all
from micro_rl.training.sweep import SharedFits, SweepCallback, carry_out
from tests.compared_runs import make_run as make_compared_run
from tests.probes import tiny_plan
from tests.tiny_runs import SETTINGS, options, write_log

OF_ANY = ("hidden_sizes", "epochs", "updates_per_epoch", "batch_size", "eval_episodes", "checkpoint_every")
SHORT: dict[str, Any] = {"epochs": 3, "max_fit_epochs": 2, "checkpoint_every": 1, "eval_every": 2, "rollout_every": 10}

# A batched product rounds differently: about 1e-7 a step, which training then amplifies.
assert_close = partial(np.testing.assert_allclose, rtol=5e-3, atol=5e-4)


def together(plans: Sequence[Plan], folder: Path, **more) -> list[Run | Diverged]:
    paths = [folder / str(number) for number in range(len(plans))]
    return execute_all(plans, paths, [Callback() for _ in plans], **more)


def weights(path: Path) -> dict[str, np.ndarray]:
    kept = RunFolder.open(path).checkpoints.newest()
    assert kept is not None
    return kept.arrays


def same_weights(one: Path, other: Path, check: Callable[..., None] = np.testing.assert_array_equal) -> None:
    """Each folder is read once: a checkpoint is hashed before it is used."""
    expected = weights(other)
    for name, array in weights(one).items():
        check(expected[name], array, err_msg=name)


def plans(**changes) -> list[Plan]:
    plan = tiny_plan(**{**SHORT, **changes})
    return [plan.varied({"beta": 0.0}), plan.varied({"beta": 1.0, "seed": 3, "actor_lr": 1e-3})]


def test_lanes_are_put_in_and_taken_out():
    stacked = stack([{"a": np.arange(3.0)}, {"a": np.zeros(3)}])
    stacked = set_run(stacked, 1, {"a": np.full(3, 7.0)})
    np.testing.assert_array_equal(take_run(stacked, 0)["a"], np.arange(3.0))
    np.testing.assert_array_equal(take_run(stacked, 1)["a"], np.full(3, 7.0))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pair")
    assert all(isinstance(run, Run) for run in together(plans(), folder))
    return folder


def test_every_run_is_the_run_that_it_would_be_alone(pair: Path, tmp_path: Path):
    for number, plan in enumerate(plans()):
        alone = execute(plan, tmp_path / str(number))
        beside, kept = RunFolder.open(pair / str(number)), RunFolder.open(alone.path)
        beside.verify()
        names = {path.name for path in alone.path.iterdir()}
        assert {path.name.split(".")[0] for path in beside.path.iterdir()} == {name.split(".")[0] for name in names}
        assert beside.config() == kept.config()
        for rows in ("metrics", "fit"):
            for row, other in zip(getattr(beside, rows)(), getattr(kept, rows)(), strict=True):
                assert row.keys() == other.keys()
                known = [key for key in row if "time" not in key]
                assert_close([row[key] for key in known], [other[key] for key in known])
        same_weights(alone.path, beside.path, assert_close)


def test_the_same_runs_side_by_side_have_the_same_bits(pair: Path, tmp_path: Path):
    together(plans(), tmp_path)
    for number in "01":
        same_weights(tmp_path / number, pair / number)


def test_a_population_that_was_stopped_goes_on_to_the_same_bits(pair: Path, tmp_path: Path):
    class Stops(Callback):
        def trained(self, row, policy) -> None:
            asked._received = signal.SIGTERM

    asked = Interrupts()
    paths = [tmp_path / number for number in "01"]
    with pytest.raises(Interrupted, match="every run is saved"):
        execute_all(plans(), paths, [Stops(), Callback()], interrupts=asked)
    together(plans(), tmp_path, resume=True)
    for number in "01":
        same_weights(tmp_path / number, pair / number)


def test_a_fit_that_was_stopped_goes_on_to_the_same_bits(pair: Path, tmp_path: Path):
    asked = Interrupts()
    asked._received = signal.SIGTERM
    with pytest.raises(Interrupted, match="fit is saved after epoch 1"):
        together(plans(), tmp_path, interrupts=asked)
    together(plans(), tmp_path, resume=True)
    for number in "01":
        same_weights(tmp_path / number, pair / number)


KILLED = """
import os, signal, sys
from pathlib import Path
from micro_rl.training.runner import execute_all
from micro_rl.training.callbacks import Callback
from tests.test_sweep import plans

folder, event, times = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
left = [times]

def die(*_):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)

watcher = Callback()
setattr(watcher, event, die)
execute_all(plans(), [folder / "0", folder / "1"], [Callback(), watcher])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("event", "times"), [("fitted", 1), ("fitted", 2), ("trained", 1), ("trained", 2), ("trained", 3)]
)
def test_a_population_that_was_killed_goes_on_to_the_same_bits(pair: Path, event: str, times: int, tmp_path: Path):
    """Item 40 of what users do: a worker of a sweep is killed."""
    child = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), event, str(times)], capture_output=True)
    assert child.returncode == -signal.SIGKILL, child.stderr
    together(plans(), tmp_path, resume=True)
    for number in "01":
        RunFolder.open(tmp_path / number).verify()
        assert [row["epoch"] for row in RunFolder.open(tmp_path / number).metrics()] == [1, 2, 3]
        same_weights(tmp_path / number, pair / number)


def test_a_log_on_the_host_serves_many_runs(pair: Path, tmp_path: Path):
    """Each run is given the rows that it draws, and draws what it would from the device."""
    assert all(isinstance(run, Run) for run in together(plans(log_on="host"), tmp_path))
    for number in "01":
        same_weights(pair / number, tmp_path / number, assert_close)


def test_runs_at_different_epochs_go_on_together_each_from_its_own(pair: Path, tmp_path: Path):
    together(plans(), tmp_path, until=1)
    first = plans()[0]
    execute(first, tmp_path / "0", resume=True)
    together(plans(), tmp_path, resume=True)
    for number in "01":
        rows = RunFolder.open(tmp_path / number).metrics()
        assert [row["epoch"] for row in rows] == [1, 2, 3]
        same_weights(tmp_path / number, pair / number, assert_close)


@pytest.mark.slow
def test_runs_of_one_seed_share_one_fit(tmp_path: Path):
    fitted: list[str] = []

    class Counts(Callback):
        def __init__(self, name: str):
            self.name = name

        def fitted(self, row) -> None:
            fitted.append(self.name)

    plan = tiny_plan(**SHORT)
    alike = [plan.varied({"beta": 0.0}), plan.varied({"beta": 1.0})]
    execute_all(alike, [tmp_path / name for name in "ab"], [Counts("a"), Counts("b")])
    assert set(fitted) == {"a"}
    assert (tmp_path / "a/fit.jsonl").read_bytes() == (tmp_path / "b/fit.jsonl").read_bytes()
    np.testing.assert_array_equal(
        weights(tmp_path / "a")["ensemble.input_mean"], weights(tmp_path / "b")["ensemble.input_mean"]
    )


def test_rows_of_a_shared_fit_that_the_disk_refuses_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refused(path: Path, content: bytes) -> None:
        raise CannotWrite(f"{path}: cannot be written")

    notes: list[str] = []

    class Notes(Callback):
        def note(self, text: str) -> None:
            notes.append(text)

    plan, folders = tiny_plan(**SHORT), [RunFolder.create(tmp_path / name, {}) for name in "ab"]
    first, second = (Job(plan, folder, Notes(), None) for folder in folders)
    first.fit_rows.append({"epoch": 1, "loss": 0.5})
    with monkeypatch.context() as full:
        full.setattr("micro_rl.storage.jsonl.replace_file", refused)
        models._share_fit(first, second)
    assert len(notes) == 1
    second.fit_rows.write_waiting()
    assert folders[1].fit() == folders[0].fit() == [{"epoch": 1, "loss": 0.5}]


def test_a_run_whose_end_the_disk_refuses_leaves_the_others_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real = Policy.save

    def save(policy: Policy, path: Path) -> None:
        if path.parent.name == "0":
            raise UserError(f"{path}: cannot be written")
        real(policy, path)

    with monkeypatch.context() as full:
        full.setattr(Policy, "save", save)
        with pytest.raises(UserError, match="cannot be written"):
            together(plans(epochs=1), tmp_path)
    assert [RunFolder.open(tmp_path / number).sealed for number in "01"] == [False, True]


def test_a_model_that_a_kill_left_missing_is_that_of_the_same_seed(tmp_path: Path):
    plan = tiny_plan(**SHORT)
    alike = [plan.varied({"beta": 0.0}), plan.varied({"beta": 1.0})]
    execute(alike[1], tmp_path / "1", until=1)
    RunFolder.create(tmp_path / "0", plan_to_config(alike[0]))
    assert all(isinstance(run, Run) for run in together(alike, tmp_path, resume=True, until=1))
    assert RunFolder.open(tmp_path / "0").fit() == RunFolder.open(tmp_path / "1").fit()
    for name, array in load_model(tmp_path / "1/model").arrays().items():
        jax.tree.map(np.testing.assert_array_equal, load_model(tmp_path / "0/model").arrays()[name], array)


@pytest.mark.slow
def test_a_given_model_without_a_termination_learns_one(tmp_path: Path):
    used = {**SHORT, **SETTINGS, "epochs": 1, "rollout_every": 4, "termination_updates": 5}
    plan = make_plan(write_log(tmp_path / "log.hdf5", terminal=True), **used)
    problem = problem_of(plan.dataset, plan.settings)
    save_model(tmp_path / "model", fit_model(plan.dataset, problem, plan.settings, 0, lambda row: None))
    plan = dataclasses.replace(plan, model=tmp_path / "model")
    assert all(isinstance(run, Run) for run in together([plan, plan.varied({"beta": 0.0})], tmp_path))
    assert all(load_model(tmp_path / number / "model").head is not None for number in "01")


def test_a_run_that_diverges_leaves_the_others_alone(pair: Path, tmp_path: Path):
    calm, wild = plans()[0], plans()[1].varied({"critic_lr": 1e30})
    done, blown = together([calm, wild], tmp_path)
    assert isinstance(done, Run) and isinstance(blown, Diverged)
    assert RunFolder.open(tmp_path / "1").diverged.exists()
    same_weights(tmp_path / "0", pair / "0")


@pytest.mark.slow
def test_a_fit_that_diverges_leaves_the_others_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real = fit_program.run_fit_epoch

    def one_goes_wrong(*arguments):
        after, logged, first_bad = real(*arguments)
        return after, logged | {"loss": logged["loss"].at[1].set(np.nan)}, first_bad

    monkeypatch.setattr(fitting, "run_fit_epoch", one_goes_wrong)
    done, blown = together(plans(), tmp_path)
    assert isinstance(done, Run)
    assert isinstance(blown, Diverged) and "dynamics fit" in str(blown)


@pytest.mark.slow
@pytest.mark.parametrize("method", sorted(registry.ALL))
def test_every_method_can_be_vmapped(method: str, tmp_path: Path):
    check_vmapped(method, tmp_path)


def check_vmapped(method: str, tmp_path: Path):
    more: dict[str, Any] = {"max_fit_epochs": 1} if registry.learns_model(method) else {}
    more |= {"model_decay": (0.0, 0.0), "adversarial_steps": 5, "clone_epochs": 1} if method == "rambo" else {}
    plan = tiny_plan(method=method, epochs=1, **more)
    for run in together([plan, plan.varied({"seed": 1})], tmp_path):
        assert isinstance(run, Run)
        assert all(np.isfinite(value) for row in run.metrics for value in row.values())
    single = execute(plan, tmp_path / "alone")
    alone = weights(single.path)
    for name, array in weights(tmp_path / "0").items():
        assert_close(array, alone[name], err_msg=name)


def test_the_exact_mode_has_the_bits_of_single_runs(tmp_path: Path):
    fitted: list[str] = []

    class Told(SweepCallback):
        def of(self, trial: Trial) -> Callback:
            one = Callback()
            one.fitted = lambda row: fitted.append(trial.name)
            return one

    runs = trials(tiny_plan(**SHORT), 1, {"beta": [0.0, 1.0]})
    assert len(groups(runs)) == 1, "they would be one program"
    done = carry_out(runs, tmp_path / "sweep", exact=True, callback=Told())
    assert all(isinstance(run, Run) for run in done.values())
    assert set(fitted) == {runs[0].name}, "the second takes over the fit of the first, which is its own"
    alone = execute(runs[1].plan, tmp_path / "alone").path
    beside = tmp_path / "sweep" / runs[1].name
    assert RunFolder.open(beside).fit() == RunFolder.open(alone).fit()
    same_weights(beside, alone)


def test_combinations_have_names_and_share_programs_where_only_leaves_differ():
    runs = trials(tiny_plan(seed=4), 2, {"num_samples": [1, 2], "beta": [0.0, 0.25]})
    assert [trial.name for trial in runs][:3] == [
        "num_samples=1-beta=0-seed4",
        "num_samples=1-beta=0-seed5",
        "num_samples=1-beta=0.25-seed4",
    ]
    assert [len(group) for group in groups(runs)] == [4, 4]
    assert [len(chunk) for chunk in chunks(groups(runs)[0], 3)] == [2, 2]
    assert [len(chunk) for chunk in chunks(groups(runs)[0], 4, devices=3)] == [3, 1]
    assert [len(chunk) for chunk in chunks(groups(runs)[0], 2, devices=8)] == [2, 2]
    near = trials(tiny_plan(), 1, {"actor_lr": [1e-4, 1.0000001e-4]})
    assert [trial.name for trial in near] == ["actor_lr=0.0001-seed0", "actor_lr=0.00010000001-seed0"]
    assert [trial.name for (trial,) in groups(trials(tiny_plan(), 1, {"hidden_sizes": [[8, 8], (4,)]}))] == [
        "hidden_sizes=8x8-seed0",
        "hidden_sizes=4-seed0",
    ]


@pytest.mark.parametrize(
    ("grid", "seeds", "message"),
    [
        ({"seed": [1, 2]}, 1, "--seeds"),
        ({"beta": [0.5, 0.5]}, 1, "each once"),
        ({"beta": [2.0]}, 1, "beta: 2.0"),
        ({"betta": [0.5]}, 1, "betta"),
        ({}, 0, "seeds: 0"),
    ],
)
def test_what_cannot_be_varied_is_refused(grid: dict, seeds: int, message: str):
    with pytest.raises(UserError, match=message):
        trials(tiny_plan(), seeds, grid)


def test_a_mistake_leaves_nothing_behind(tmp_path: Path):
    runs = trials(tiny_plan(**SHORT), 1, {"beta": [0.0, 1.0]})
    taken = tmp_path / runs[1].name
    taken.mkdir()
    (taken / "file").touch()
    refusals: list[dict[str, Any]] = [{}, {"width": 0}, {"width": 2, "exact": True, "resume": True}]
    for refused in refusals:
        with pytest.raises(UserError):
            carry_out(runs, tmp_path, **refused)
    assert [path.name for path in tmp_path.iterdir()] == [taken.name]


def test_what_a_later_run_would_be_refused_for_is_said_before_there_is_a_folder(pair: Path, tmp_path: Path):
    runs = trials(tiny_plan(**SHORT), 2, {})
    RunFolder.create(tmp_path / runs[1].name, plan_to_config(tiny_plan(**SHORT, batch_size=3).varied({"seed": 1})))
    with pytest.raises(UserError, match="batch_size: 3"):
        carry_out(runs, tmp_path, resume=True)
    with pytest.raises(UserError, match="go on with --resume"):
        carry_out(runs, tmp_path)
    (tmp_path / runs[1].name / "config.json").unlink()
    (tmp_path / runs[1].name / "file").touch()
    with pytest.raises(UserError, match="not empty; choose"):
        carry_out(runs, tmp_path, resume=True)
    assert [path.name for path in tmp_path.iterdir()] == [runs[1].name]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / runs[0].name).touch()
    with pytest.raises(UserError, match="cannot be read"):
        carry_out(runs, tmp_path / "other")
    shared = dataclasses.replace(tiny_plan(**SHORT), model=pair / "0/model")
    with pytest.raises(UserError, match="model_lr decides how a model is fitted, and the model is given"):
        trials(shared, 1, {"model_lr": [1e-3, 1e-2]})
    with pytest.raises(UserError, match="num_elites 4 is too many"):
        carry_out(trials(shared.varied({"ensemble_size": 4}), 1, {"num_elites": [1, 4]}), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_signal_between_two_programs_is_answered_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked, begun = Interrupts(), []

    def alone(plans: Sequence[Plan], paths: Sequence[Path], *_: Any, **more: Any) -> list[Diverged]:
        begun.extend(path.name for path in paths)
        asked._received = signal.SIGTERM
        return [Diverged("")]

    monkeypatch.setattr(sweep.runner, "execute_all", alone)
    with pytest.raises(Interrupted, match="--resume goes on"):
        carry_out(trials(tiny_plan(**SHORT), 2, {}), tmp_path, exact=True, interrupts=asked)
    assert begun == ["seed0"]


def test_a_grid_of_formulas_is_parted_at_the_commas_between_them(capsys: pytest.CaptureFixture[str]):
    grid = "known_reward=o0 + 0 * max(o1, abs(o2)),o1"
    assert cli.run(["sweep", "pendulum-demo", "--grid", grid, "--dry-run"]) == 2
    assert "known_reward: gives" in capsys.readouterr().err


def test_the_command_makes_every_run_and_one_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    log, out = str(write_log(tmp_path / "log.hdf5")), str(tmp_path / "sweep")
    words = ["sweep", log, "--method", "td3_bc", *options(OF_ANY), "--seeds", "2", "--no-scoring-model"]
    words += ["--grid", "actor_lr=1e-4,3e-4", "--out", out]
    assert cli.run(words) == 0
    output = capsys.readouterr().out
    assert "4 runs (actor_lr 2 x seed 2)" in output
    assert {path.name for path in (tmp_path / "sweep").iterdir()} == {
        "actor_lr=0.0001-seed0",
        "actor_lr=0.0001-seed1",
        "actor_lr=0.0003-seed0",
        "actor_lr=0.0003-seed1",
        "compare.html",
    }
    assert [line.split()[:2] for line in output.splitlines() if line.startswith("actor_lr=")] == [
        ["actor_lr=0.0001", "2"],
        ["actor_lr=0.0003", "2"],
    ]
    assert len([line for line in output.splitlines() if line.startswith("policy ")]) == 2
    assert cli.run(words) == 2 and "is not empty" in capsys.readouterr().err
    (tmp_path / "sweep" / "compare.html").write_text("mine")
    assert cli.run([*words, "--resume"]) == 2 and "did not write it" in capsys.readouterr().err


def test_a_sweep_ends_with_a_note_where_another_file_has_its_pages_name(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr("micro_rl.cli.outcome.print_sweep", lambda *_: None)
    make_compared_run(tmp_path / "seed0")
    (tmp_path / "compare.html").write_text("mine")
    sweep_command._conclude({"seed0": cast(Any, "a run")}, tmp_path, console())
    assert "note    no page: " in (text := capsys.readouterr().out) and "did not write it" in text.replace("\n", " ")
    assert (tmp_path / "compare.html").read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--grid", "beta"], "NAME=VALUE"),
        (["--grid", "beta=0,"], "NAME=VALUE"),
        (["--grid", "betta=0"], "did you mean 'beta'"),
        (["--grid", "beta=0", "beta=1"], "twice"),
        (["--grid", "beta=x"], "--beta"),
        (["--grid", "learn_temperature=yes"], "true or false"),
        (["--grid", "learn_temperature=true,false", "min_target=-1,0", "--seeds", "0"], "seeds: 0"),
    ],
)
def test_a_wrong_grid_is_answered_in_one_line(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert cli.run(["sweep", "pendulum-demo", *words, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_sweep_that_goes_on_there_on_a_cluster_is_told_before_anything_is_made(tmp_path: Path):
    every = [Trial("one", tiny_plan(seed=0)), Trial("two", tiny_plan(seed=1))]
    with sweep_home(tmp_path), pytest.raises(UserError, match=r"another sweep is going on there \(process \d+\); wait"):
        carry_out(every, tmp_path)
    assert not (tmp_path / "one").exists()


def test_a_sweep_begins_no_more_runs_once_one_goes_on_there_on_a_cluster(tmp_path: Path, monkeypatch):
    every = [Trial("one", tiny_plan(seed=0)), Trial("two", tiny_plan(seed=1))]
    begun = []
    with ExitStack() as homes:

        def run_chunk(chunk, *_: Any, **__: Any) -> dict[str, Any]:
            begun.append(chunk[0].name)
            homes.enter_context(sweep_home(tmp_path))
            return {}

        monkeypatch.setattr(sweep, "_run_chunk", run_chunk)
        with pytest.raises(UserError, match="another sweep is going on there"):
            carry_out(every, tmp_path, exact=True)
    assert begun == ["one"]


def test_a_run_that_another_process_trains_is_told_before_anything_is_made(tmp_path: Path):
    runs = trials(tiny_plan(**SHORT), 2, {})
    folder = RunFolder.create(tmp_path / runs[1].name, plan_to_config(runs[1].plan))
    with locked(folder.lock), pytest.raises(UserError, match="another training"):
        carry_out(runs, tmp_path, resume=True)
    assert [path.name for path in tmp_path.iterdir()] == [runs[1].name]


def test_what_was_said_of_one_run_is_not_said_of_all(capsys: pytest.CaptureFixture[str]):
    runs = trials(tiny_plan(), 3, {})
    with Display(3, 2, Console(width=200)) as display:
        for watcher in [display.of(trial) for trial in runs]:
            watcher.note("goes on after epoch 1")
    assert capsys.readouterr().out == "note: seed0: goes on after epoch 1\n"


def test_too_little_memory_makes_fewer_at_a_time_and_says_so(monkeypatch: pytest.MonkeyPatch):
    notes: list[str] = []

    class Notes(SweepCallback):
        def note(self, text: str) -> None:
            notes.append(text)

    plan = tiny_plan(**SHORT)
    monkeypatch.setattr(memory, "free_memory", lambda: 3 * memory.bytes_of_run(plan))
    assert sweep._width(trials(plan, 3, {}), None, Notes()) == 2
    assert [text.startswith("2 of 3 runs at a time") for text in notes] == [True]


def buffer_and_plan(rollouts_kept: int) -> tuple[int, Any]:
    """Bytes of the buffers of three runs, and the compiler's plan of their epoch."""
    plan = tiny_plan(rollouts_kept=rollouts_kept)
    problem = problem_of(plan.dataset, plan.settings)
    fit = fit_epoch.compiled_start(problem.log, sizes=plan.settings.fit_sizes(), key=Keys.of(0).fit)
    learner = ModelLearner(micro.build(micro.Options()), finish_fit(fit), ByRule(never))
    program = Program([learner] * 3, problem, range(3), [1.0] * 3, [1e9] * 3, plan.settings.sizes())
    states, c = program.fresh(), stack([coefficients(plan.settings, 1)] * 3)
    lowered = compiled_epoch.lower(
        states, program._learners, problem, None, c, program._keys.epochs, program._limits, sizes=program.sizes
    )
    return sum(leaf.nbytes for leaf in jax.tree.leaves(states.buffer)), lowered.compile().memory_analysis()


@pytest.mark.slow
def test_device_arrays_of_the_runs_exist_once():
    """The compiled epoch takes over the states it is given, and what it writes down does not grow with the buffer."""
    (few, small), (many, large) = buffer_and_plan(5), buffer_and_plan(50)
    assert small.alias_size_in_bytes >= few and large.alias_size_in_bytes >= many
    assert large.temp_size_in_bytes - small.temp_size_in_bytes < 0.05 * (many - few)


def on_log() -> list[Plan]:
    return [tiny_plan(method="td3_bc", epochs=2, seed=seed) for seed in (0, 1)]


TWO_DEVICES = """
import sys
from pathlib import Path
import jax
from micro_rl.training.program import Program
from tests.test_sweep import on_log, plans, together

assert len(jax.devices()) == 2
real, epochs = Program.epoch, []
def epoch(program, states, c):
    assert all(len(leaf.sharding.device_set) == 2 for leaf in jax.tree.leaves(states)), "not dealt out"
    epochs.append(states)
    return real(program, states, c)
Program.epoch = epoch
folder = Path(sys.argv[1])
together(plans(), folder / "whole")
together(plans(), folder / "resumed", until=1)
together(plans(), folder / "resumed", resume=True)
together(on_log(), folder / "log")
assert len(epochs) == 3 + 1 + 2 + 2, len(epochs)
"""


@pytest.mark.slow
def test_devices_share_the_runs_which_stay_what_they_are(pair: Path, tmp_path: Path):
    environment = os.environ | {"XLA_FLAGS": f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=2"}
    command = [sys.executable, "-c", TWO_DEVICES, str(tmp_path)]
    subprocess.run(command, env=environment, check=True)
    together(on_log(), tmp_path / "on one")
    for dealt, alike in (("whole", pair), ("resumed", pair), ("log", tmp_path / "on one")):
        for number in "01":
            same_weights(tmp_path / dealt / number, alike / number, assert_close)


def test_a_fit_is_handed_on_or_made_again_where_it_cannot_be_read(pair: Path, tmp_path: Path):
    notes: list[str] = []
    callback = Callback()
    callback.note = lambda text: notes.append(text)
    plan, fits = plans()[0], SharedFits()
    fits.remember(plan, pair / "0")
    assert not fits.begin(plan.varied({"seed": 5}), tmp_path / "another", False, callback)
    assert not fits.begin(plan.varied({"patience": 3}), tmp_path / "another", False, callback)
    assert not fits.begin(dataclasses.replace(plan, model=pair / "1/model"), tmp_path / "another", False, callback)
    assert not (tmp_path / "another").exists()
    assert fits.begin(plan.varied({"num_samples": 2}), tmp_path / "run", False, callback)
    assert RunFolder.open(tmp_path / "run").fit() == RunFolder.open(pair / "0").fit()
    assert not fits.begin(plan.varied({"num_samples": 2}), tmp_path / "run", True, callback), "it has its own by now"
    shutil.copytree(pair / "0", tmp_path / "damaged")
    (tmp_path / "damaged/model/ensemble.safetensors").write_bytes(b"")
    torn = SharedFits()
    torn.remember(plan, tmp_path / "damaged")
    assert torn.begin(plan, tmp_path / "fresh", False, callback)
    assert not (tmp_path / "fresh/model").exists() and not RunFolder.open(tmp_path / "fresh").fit()
    assert [note.partition(":")[0] for note in notes] == ["takes over the model of 0", "the model is fitted again"]


def test_a_given_models_own_settings_are_told(pair: Path, tmp_path: Path):
    notes: list[str] = []

    class Notes(Callback):
        def note(self, text: str) -> None:
            notes.append(text)

    given = dataclasses.replace(plans()[0], model=pair / "0/model")
    given_model(given, tmp_path, False, Notes())
    given_model(given.varied({"patience": 7, "model_lr": 0.5}), tmp_path, False, Notes())
    had = plans()[0].settings
    assert notes[0].endswith("model")
    assert notes[1].endswith(f", fitted with model_lr {had.model_lr}, patience {had.patience}")
