"""What is told of a sweep."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from micro_rl.cli.commands import sweep
from micro_rl.cli.display import Display
from micro_rl.training.callbacks import Callback
from micro_rl.training.grid import trials
from tests.probes import tiny_plan
from tests.test_display import POLICY, ROW


@pytest.fixture(autouse=True)
def _no_page(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("micro_rl.cli.display.write_page", lambda *_: None)


def watched(runs: int, epochs: int = 2, beside: int | None = None) -> tuple[Display, list[Callback], StringIO]:
    output = StringIO()
    display = Display(runs, epochs, Console(file=output, width=200))
    return display, [display.of(trial) for trial in trials(tiny_plan(), beside or runs, {})], output


def lines(output: StringIO, kind: str) -> list[str]:
    return [line for line in output.getvalue().splitlines() if line.startswith(kind)]


def test_a_fit_is_told_with_all_models_beside():
    _, runs, output = watched(2)
    for epoch in (1.0, 2.0):
        for run, error in zip(runs, (0.125, 0.375), strict=True):
            run.fitted({"epoch": epoch, "holdout/mean": error / epoch})
    assert lines(output, "models") == ["models  epoch    1   holdout error 0.25000 (0.12500 to 0.37500)"]


def test_runs_that_are_over_are_not_waited_for():
    _, (over, blown, first, second), output = watched(4)
    over.finished(Path("none"))
    blown.diverged("too far")
    for run in (first, second):
        run.trained(ROW | {"epoch": 2.0}, POLICY)
        run.finished(Path("none"))
    (line,) = lines(output, "policy")
    assert "epoch    2/2   2 runs" in line and "updates per second 1000 together   0m00s left" in line


def test_the_next_program_begins_anew_where_the_last_had_nothing_left_to_do():
    display, (first,), output = watched(2, beside=1)
    first.finished(Path("none"))
    display.of(trials(tiny_plan(), 2, {})[1]).trained(ROW, POLICY)
    assert "1 run   return -150.0   " in lines(output, "policy")[0]


def test_runs_of_a_grid_over_epochs_each_have_their_own_end():
    output, runs = StringIO(), trials(tiny_plan(), 1, {"epochs": [1, 2]})
    epochs = sweep._epochs(runs, None)
    display = Display(2, max(epochs.values()), Console(file=output, width=200), epochs)
    for trial in runs:
        run = display.of(trial)
        for epoch in range(1, trial.plan.settings.epochs + 1):
            run.trained(ROW | {"epoch": float(epoch)}, POLICY)
        run.finished(Path("none"))
    targets, left = zip(*((line.split()[2], line.split()[-2]) for line in lines(output, "policy")), strict=True)
    assert targets == ("1/1", "1/2", "2/2") and left[1:] == ("0m02s", "0m00s")
    assert sweep._epochs(runs, 1) == {"epochs=1-seed0": 1, "epochs=2-seed0": 1}


def test_a_sweep_of_one_run_is_shown_as_that_run():
    display, (run,), output = watched(1)
    display.note("a column never changes")
    run.note("a column never changes")
    run.note("goes on after epoch 1")
    run.trained(ROW, POLICY)
    first, second, line = output.getvalue().splitlines()
    assert (first, second) == ("note: a column never changes", "note: goes on after epoch 1")
    assert line.startswith("policy  epoch    1/2   return -150.0   Q on model rows -2.50")
