"""micro-rl data collect, from its words to a log that trains without further ones."""

from pathlib import Path

import pytest

from micro_rl.cli import main as cli
from micro_rl.data import load
from micro_rl.training.plan import make_plan
from runs import d4rl_tasks

TINY = [
    "--hidden-sizes",
    "8",
    "--batch-size",
    "4",
    "--random-steps",
    "20",
    "--eval-every",
    "20",
    "--eval-episodes",
    "1",
]


def collect(out: Path, *words: str) -> int:
    return cli.run(["data", "collect", "Pendulum-v1", "--steps", "40", *TINY, "--out", str(out), *words])


def test_a_log_and_how_it_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "collected"
    assert collect(out, "--level", "random", "expert", "--rows", "400", "--horizon", "50") == 0
    output = capsys.readouterr().out
    assert "learner  step        40/40   return" in output and "0m00s left" in output
    assert f"{out}/pendulum-v1-expert.hdf5: 400 rows, 8 episodes, 0 terminals, return" in output
    plan = make_plan(out / "pendulum-v1-expert.hdf5")
    assert (plan.task.env, plan.task.horizon) == ("Pendulum-v1", 50)
    assert (plan.dataset.action_low, plan.dataset.action_high) == ([-2], [2]) and not plan.dataset.notes
    assert collect(out, "--level", "random", "expert", "--rows", "400", "--horizon", "50") == 0
    assert capsys.readouterr().out.count("is there already") == 2
    assert collect(out, "--level", "random", "--rows", "400", "--horizon", "60") == 2
    assert "requested otherwise" in capsys.readouterr().err
    assert len(load(out / "pendulum-v1-random.hdf5")) == 400


@pytest.mark.parametrize(
    "words, message",
    [
        (["--level", "best"], "invalid choice"),
        (["--steps", "45"], "no multiple of turn"),
        (["--steps", "50"], "steps: 50 is no multiple of eval_every (20)"),
        (["--steps", "10"], "steps: 10 is no multiple of eval_every (20)"),
        (["--medium-fraction", "2"], "medium_fraction: 2.0 is not between 0 and 1"),
    ],
)
def test_mistakes_leave_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
):
    assert collect(tmp_path / "collected", *words) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "collected").exists()


def test_the_recipe_of_the_nine_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked = []
    monkeypatch.setattr(
        "micro_rl.cli.main.run", lambda words: asked.append(words) or (2 if "Walker2d-v4" in words else 0)
    )
    assert d4rl_tasks.main(tmp_path, ["walker2d", "hopper"]) == 2
    assert asked == [d4rl_tasks.words("walker2d", tmp_path)]
    for robot in d4rl_tasks.CELLS:
        words = d4rl_tasks.words(robot, tmp_path)
        assert words[:2] == ["data", "collect"] and words[4:7] == list(d4rl_tasks.LEVELS)
