"""Sweeps over several logs, said by words or by a TOML; what is told before any run is begun."""

import shlex
import time
from dataclasses import replace
from pathlib import Path

import pytest

import micro_rl
from micro_rl.cli.main import run
from micro_rl.cli.sweep_file import with_file
from micro_rl.errors import UserError
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training.evaluator import PolicyEvaluator
from micro_rl.training.grid import groups, sweep_folder, trials_of_logs, twins
from micro_rl.training.outlook import outlook, tried
from micro_rl.training.sweep import what_is_fitted
from tests.probes import TINY, tiny_dataset, tiny_plan
from tests.tiny_runs import options, write_log


def two_plans():
    plan = tiny_plan()
    other = replace(plan.log, name="other", sha256="another")
    return [plan, replace(plan, log=other, dataset=other)]


def test_every_log_has_every_combination_in_its_own_folder_and_programs():
    every = trials_of_logs(two_plans(), 2, {"beta": [0.0, 0.5]})
    assert [trial.name for trial in every][::4] == ["tiny/beta=0-seed0", "other/beta=0-seed0"]
    assert [{trial.name.partition("/")[0] for trial in group} for group in groups(every)] == [{"tiny"}, {"other"}]
    assert len({what_is_fitted(trial.plan) for trial in every}) == 4
    assert sweep_folder(two_plans(), {}) == Path("trained/tiny-other-micro-sweep")
    assert [trial.name for trial in trials_of_logs(two_plans()[:1], 1, {})] == ["seed0"]


def test_two_readings_of_one_file_share_neither_a_program_nor_a_fit():
    plan = tiny_plan()
    other = replace(plan.log, name="other", rewards=-plan.log.rewards)
    every = trials_of_logs([plan, replace(plan, log=other, dataset=other)], 2, {})
    assert [{trial.name.partition("/")[0] for trial in group} for group in groups(every)] == [{"tiny"}, {"other"}]
    assert len({what_is_fitted(trial.plan) for trial in every}) == 4
    assert twins(every) == []


def test_two_logs_of_one_name_would_share_a_folder():
    with pytest.raises(UserError, match="two of the logs are called tiny"):
        trials_of_logs([tiny_plan(), tiny_plan()], 1, {})


def test_the_outlook_counts_programs_and_the_fits_that_runs_share():
    ahead = outlook(trials_of_logs(two_plans(), 2, {"beta": [0.0, 0.5], "num_samples": [0, 1]}))
    assert [len(program.trials) for program in ahead.programs] == [4, 4, 4, 4] and ahead.fits == 4
    timed = ahead._replace(programs=tuple(program._replace(fit=2.0, epoch=3.0) for program in ahead.programs))
    plan = tiny_plan()
    assert timed.programs[0].seconds == 4 * 3.0 * plan.settings.epochs
    assert timed.programs[0]._replace(until=1).seconds == 4 * 3.0
    most = plan.settings.max_fit_epochs
    assert timed.fitting() == (4 * 2.0 * min(most, plan.settings.patience + 1), 4 * 2.0 * most)


def test_an_epoch_that_is_tried_counts_without_the_evaluation_after_it(monkeypatch):
    monkeypatch.setattr(PolicyEvaluator, "__call__", lambda *_: time.sleep(1) or {})
    [program] = tried(outlook(trials_of_logs([tiny_plan(method="bc")], 1, {}))).programs
    assert program.epoch is not None and 0 < program.epoch < 0.5


def test_a_toml_is_the_words_of_a_sweep_and_words_behind_it_outrank_it(tmp_path):
    path = tmp_path / "sweep.toml"
    path.write_text(
        'logs = ["a.csv", "b.csv"]\nseeds = 3\nexact = true\nhidden_sizes = [64, 64]\n'
        '[grid]\nmethod = ["micro", "bc"]\nbeta = [0.25]\nmodel_hidden_sizes = [[8, 8], [16]]\nvalue = [true]\n'
    )
    words = with_file([str(path), "--seeds", "5"])
    assert words[:8] == ["a.csv", "b.csv", "--seeds", "3", "--exact", "--hidden-sizes", "64", "64"]
    assert words[8:] == [
        "--grid",
        *("method=micro,bc", "beta=0.25", "model_hidden_sizes=8 8,16", "value=true"),
        *("--seeds", "5"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seeds = 3", "logs is missing"),
        ('logs = ["a"]\ngrid = 3', "grid must be a table"),
        ('logs = ["a"]\n[grid]\nbeta = 0.5', "grid: beta must be a list"),
        ('logs = ["a"]\nout = 2020-01-01', "cannot be typed"),
        ("logs = [", "is no TOML"),
    ],
)
def test_what_a_toml_cannot_say_is_one_line(tmp_path, capsys, text, message):
    path = tmp_path / "sweep.toml"
    path.write_text(text)
    assert run(["sweep", str(path)]) == 2
    error = capsys.readouterr().err
    assert message in error and str(path) in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.toml", "b.csv"], r"a\.toml: a sweep file names all logs .*: write 'b\.csv' into the logs of one file"),
        (["b.csv", "c.csv", "a.toml", "--seeds", "2"], r"a\.toml: a sweep file .* write 'b\.csv', 'c\.csv' into"),
        (["--seeds", "2", "a.toml"], r"comes before all options: micro-rl sweep a\.toml OPTIONS"),
    ],
)
def test_a_sweep_file_stands_first_and_alone(words, message):
    with pytest.raises(UserError, match=message):
        with_file(words)


def test_a_dry_run_keeps_nothing_and_its_commands_make_the_runs(tmp_path, capsys, monkeypatch):
    """The outlook of two logs, then the command of one of their runs, typed twice: the second goes on."""
    monkeypatch.setattr("micro_rl.reports.run.write_report", lambda path: None)
    logs = [str(write_log(tmp_path / f"{name}.hdf5", episodes=count)) for name, count in (("one", 6), ("two", 7))]
    words = ["sweep", *logs, "--out", str(tmp_path / "out"), "--dry-run", *options()]
    assert run(words) == 0
    told = capsys.readouterr().out
    assert "2 in 2 programs" in told and "2 fits" in told and not (tmp_path / "out").exists()
    assert run([*words, "--commands"]) == 0
    commands = capsys.readouterr().out.splitlines()
    assert len(commands) == 2
    assert run([*words, "--commands", "--until", "1", "--wandb", "offline"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"{commands[0]} --until 1 --wandb offline"
    for _ in range(2):
        assert run(shlex.split(commands[1])[1:]) == 0
    assert RunFolder(tmp_path / "out" / "two" / "seed0").metrics()[-1]["epoch"] == TINY["epochs"]
    assert run(["sweep", *logs, "--commands"]) == 2
    assert "say --dry-run, too" in capsys.readouterr().err


def test_python_takes_several_logs(tmp_path, monkeypatch):
    monkeypatch.setattr("micro_rl.reports.run.write_report", lambda path: None)
    logs = [tiny_dataset(), replace(tiny_dataset(), name="other", sha256="another")]
    done = micro_rl.sweep(logs, out=tmp_path / "out", **TINY)
    assert list(done) == ["tiny/seed0", "other/seed0"] and (tmp_path / "out" / "other" / "seed0").is_dir()
    with pytest.raises(UserError, match="name one log or more"):
        micro_rl.sweep([], **TINY)
