"""micro-rl robust, whole: a tiny run through a protocol of its own, stopped, resumed and read."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from micro_rl.cli import main as cli
from micro_rl.errors import UserError
from micro_rl.policy import Policy
from micro_rl.robustness.jobs import planned
from micro_rl.simulation.envs import Environments, make
from tests.robust.finished_run import make_finished_run

PROTOCOL = """
episodes = 2

[[group]]
name = "noise"
axes = { size = [0.0, 0.5] }
changes = [{ observation = "noise", amount = "size" }]

[[group]]
name = "attack [/x]"
axes = { epsilon = [0.0, 0.2] }
attack = { aim = "min Q" }
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("robust")
    (folder / "mine.toml").write_text(PROTOCOL)
    return make_finished_run(folder / "run")


def command(run: Path, *words: str) -> int:
    return cli.run(["robust", str(run), "--protocol", str(run.parent / "mine.toml"), "--workers", "1", *words])


def cells(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "cells.jsonl").read_text().splitlines()]


def test_every_episode_is_kept_and_a_stopped_trial_goes_on_to_the_same_numbers(run: Path, capsys):
    assert command(run) == 0
    folder, output = run / "robust" / "mine", capsys.readouterr().out
    assert "protocol mine: 5 cells of 2 episodes in Pendulum-v1" in output
    assert "5/5 cells" in output
    assert "trained 2 of 2 epochs" in output
    assert "its own" in output
    assert "from 100 episodes on, and these are 2" in output
    rows = cells(folder)
    assert [cell["group"] for cell in rows] == ["nominal", "noise", "noise", "attack [/x]", "attack [/x]"]
    nominal, silent, noisy, unattacked, attacked = (cell["returns"] for cell in rows)
    assert nominal == silent == unattacked
    assert noisy != nominal
    assert attacked != nominal
    with (folder / "episodes.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 10
    assert [row["size"] for row in rows if row["group"] == "noise"] == ["0.0", "0.0", "0.5", "0.5"]
    whole = (folder / "cells.jsonl").read_bytes()
    (folder / "cells.jsonl").write_bytes(whole[: whole.rindex(b"attack [/x]: epsilon 0.2") - 5])
    assert command(run) == 0
    assert (folder / "cells.jsonl").read_bytes() == whole
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["unit"] == "return"
    assert summary["groups"]["nominal"]["mean"][0] == pytest.approx(sum(nominal) / 2)
    assert summary["groups"]["noise"]["worst"][0] == pytest.approx(min(sum(nominal), sum(noisy)) / 2)


def test_other_settings_do_not_mix_with_what_is_there(run: Path, capsys):
    assert command(run, "--out", str(run.parent / "there")) == 0
    assert cli_error(capsys, run, "--seed", "1", "--out", str(run.parent / "there")).endswith(
        "holds results with another seed; remove that folder or choose another with --out"
    )


def cli_error(capsys, run: Path, *words: str) -> str:
    with pytest.raises(UserError) as raised:
        cli._run("robust", [str(run), "--protocol", str(run.parent / "mine.toml"), "--workers", "1", *words])
    return str(raised.value)


def test_another_time_limit_is_not_scored(tmp_path: Path, capsys):
    run = make_finished_run(tmp_path / "scored", score_range=(-2000.0, 0.0))
    (tmp_path / "mine.toml").write_text(PROTOCOL)
    for words, unit in ((["--horizon", "5"], "return"), ([], "normalised score")):
        assert command(run, "--no-film", "--out", str(tmp_path / unit), *words) == 0
        assert json.loads((tmp_path / unit / "scored/mine/summary.json").read_text())["unit"] == unit
        capsys.readouterr()
        assert cli.run(["evaluate", str(run), "--episodes", "1", *words]) == 0
        assert ("score  " in capsys.readouterr().out) == (unit == "normalised score")


def test_what_does_not_suit_is_said_in_a_line(run: Path, capsys, tmp_path: Path):
    assert "is not a run folder" in cli_error(capsys, tmp_path)
    assert "Hopper-v4" in cli_error(capsys, run, "--env", "Hopper-v4")
    no_steps = cli_error(capsys, run, "--horizon", "0", "--out", str(tmp_path / "none"))
    assert no_steps == "horizon: 0 is not a whole number of at least 1"
    assert "name a run folder" in cli_error_without_runs()
    assert "robust" in (run / "robust").name
    policy = run / "policy.safetensors"
    assert "name it with --env" in cli_error(capsys, policy)


@pytest.mark.parametrize(
    ("protocol", "critic", "message"),
    [
        ("industrial", "run", "run: protocol industrial has no min Q attack, so nothing asks it; leave it out"),
        ("mine.toml", "typo", "typo: is not a run folder"),
    ],
)
def test_a_critic_that_is_not_asked_or_not_there_is_refused(run: Path, protocol: str, critic: str, message: str):
    name = str(run.parent / protocol) if protocol.endswith(".toml") else protocol
    with pytest.raises(UserError, match=message):
        planned([run], name, None, None, 0, None, (run.parent / critic,), None)


def cli_error_without_runs() -> str:
    with pytest.raises(UserError) as raised:
        cli._run("robust", [])
    return str(raised.value)


def test_a_policys_file_is_tried_with_another_runs_critic(run: Path, tmp_path: Path, capsys):
    alone = tmp_path / "mine.safetensors"
    alone.write_bytes((run / "policy.safetensors").read_bytes())
    protocol = run.parent / "mine.toml"
    words = [str(alone), "--env", "Pendulum-v1", "--protocol", str(protocol), "--critic", str(run), "--workers", "1"]
    assert cli.run(["robust", *words]) == 0
    output = capsys.readouterr().out
    assert "mine.safetensors" in output
    assert f"critic  {run.name}" in output
    there = tmp_path / "mine" / "robust" / f"mine-by-{run.name}"
    assert json.loads((there / "robust.json").read_text())["critic"] == run.name


def test_a_policys_file_without_a_suffix_has_a_folder_beside_it(run: Path, tmp_path: Path):
    alone = tmp_path / "plain"
    alone.write_bytes((run / "policy.safetensors").read_bytes())
    [job] = planned([alone], "industrial", "Pendulum-v1", None, 0, None, (), None)[1]
    assert job.results.path == tmp_path / "plain-robust" / "industrial"


@pytest.mark.parametrize(
    ("std", "change", "noted"),
    [
        (1.0, "changes = [{ observation = 'noise', amount = 0.5 }]", True),
        (1.0, "attack = { aim = 'random', epsilon = 0.2 }", True),
        (1.0, "changes = [{ observation = 'delay', amount = 1 }]", False),
        (1.0, "changes = [{ action = 'noise', amount = 0.5 }]", False),
        (0.7, "attack = { aim = 'random', epsilon = 0.2 }", False),
    ],
)
def test_a_file_without_the_logs_unit_is_noted_where_it_is_needed(
    run: Path, tmp_path: Path, std: float, change: str, noted: bool
):
    (tmp_path / "one.toml").write_text(f"[[group]]\nname = 'a'\n{change}")
    policy = Policy.load(run / "policy.safetensors")
    policy.observation_std = np.full(3, std)
    policy.save(tmp_path / "alone.safetensors")
    words = str(tmp_path / "one.toml"), "Pendulum-v1", None, 0, None, (), None
    notes = planned([tmp_path / "alone.safetensors"], *words)[1][0].subject.notes
    assert any("attacked and disturbed in raw units; name the run folder" in note for note in notes) == noted
    assert not planned([run], *words)[1][0].subject.notes


def test_the_help_says_that_seeds_next_to_each_other_share_episodes(capsys):
    assert cli.run(["robust", "--help"]) == 0
    assert "seed + i: seeds next to each other share episodes" in " ".join(capsys.readouterr().out.split())
    simulators = Environments([make("Pendulum-v1") for _ in range(2)])
    np.testing.assert_array_equal(simulators.reset(0)[1], simulators.reset(1)[0])
    simulators.close()
