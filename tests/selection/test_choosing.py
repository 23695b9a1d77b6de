"""Whole choices of a system where everything is known, with networks of a few units, in this process."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import micro_rl
from micro_rl import Dataset, UserError
from micro_rl.reports.choice.record import KEEP, TRY
from micro_rl.selection import choosing, front, plan_file, portfolio, workers
from micro_rl.selection.question import Question
from micro_rl.selection.task import Task, carry_out, read
from micro_rl.selection.watching import Watcher
from micro_rl.storage.files import sha256
from micro_rl.trust import fqe
from tests.test_run_formats import FIXTURES
from tests.trust import line_world
from tests.trust.test_judging import SMALL as SMALL_JUDGE

SMALL: dict[str, Any] = {
    "updates_per_epoch": 20,
    "hidden_sizes": (16,),
    "batch_size": 32,
    "ensemble_size": 3,
    "num_elites": 2,
    "model_hidden_sizes": (16,),
    "weight_decay": (0.0, 0.0),
    "rollout_batch_size": 64,
    "rollout_length": 1,
    "actor_lr": 3e-3,
    "critic_lr": 3e-3,
}
OF_A_MODEL = ("ensemble_size", "num_elites", "model_hidden_sizes", "weight_decay")
OF_ROLLOUTS = ("rollout_batch_size", "rollout_length")
EPISODES = 360
JUDGE = SMALL_JUDGE.effort._replace(fit_epochs=50, fqe_updates=300, starts=60, fold_starts=20)
"""Enough to decide by one rule or the other; whether the judge is right is asked in tests/trust/test_judging.py."""


class Seen(Watcher):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self.rankings: list[list[str]] = []

    def looked(self, lines):
        self.lines += lines

    def ranked(self, rung, of, best):
        self.rankings.append([own.candidate for own in best])


def in_this_process(tasks, folder, count, watch=lambda running: None):
    """As `workers.carry_out` does it, without processes."""
    folder.mkdir(parents=True, exist_ok=True)
    failures = []
    for task in tasks:
        watch([task])
        path = folder / f"{task.name}.json"
        path.write_text(json.dumps(task._asdict()))
        try:
            carry_out(read(path))
        except UserError as error:
            failures.append(workers.Failure(task.name, str(error)))
    return failures


def seen_once(look):
    """Looks at a log once, as what it sees depends on the log alone."""
    seen = {}
    return lambda dataset: (
        seen[dataset.sha256] if dataset.sha256 in seen else seen.setdefault(dataset.sha256, look(dataset))
    )


@pytest.fixture(scope="module", autouse=True)
def small():
    """Everything small: networks, epochs, the judge; a candidate that learns no model and two that share one."""
    with pytest.MonkeyPatch.context() as patch:
        alone = {name: value for name, value in SMALL.items() if name not in OF_A_MODEL + OF_ROLLOUTS}
        alone.pop("critic_lr")
        every = (
            portfolio.Candidate("bc", "bc", alone, "a clone"),
            portfolio.Candidate("micro-near", "micro", SMALL | {"bc_weight": 0.4}, "learns in a model"),
            portfolio.Candidate("micro", "micro", SMALL, "far from the log"),
        )
        patch.setattr(choosing, "portfolio", lambda *about: every)
        patch.setattr(portfolio, "COMMON", portfolio.COMMON | {"updates_per_epoch": 20})
        patch.setattr(plan_file, "COMMON", portfolio.COMMON)
        patch.setattr(workers, "carry_out", in_this_process)
        patch.setattr(workers, "cores", lambda: 1)
        patch.setattr(plan_file.schedule, "plan", lambda *about: SCHEDULE)
        patch.setattr(plan_file.schedule, "longer", lambda now, *about: LONGER if now == SCHEDULE else None)
        patch.setattr(choosing, "look", seen_once(choosing.look))
        options = Question.options
        patch.setattr(Question, "options", lambda *own: options(*own)._replace(effort=JUDGE))
        for name, value in {"HIDDEN": (32, 32), "BATCH": 64, "RATE": 2e-3, "TAU": 0.05}.items():
            patch.setattr(fqe, name, value)
        yield


SCHEDULE = plan_file.schedule.Schedule(
    (
        {"bc": 4, "micro-near": 8, "micro": 4},
        {"bc": 6, "micro-near": 16, "micro": 6},
        {"bc": 8, "micro-near": 30, "micro": 8},
    ),
    (3, 2, 2),
)
LONGER = plan_file.schedule.Schedule(
    (*SCHEDULE.until, {"bc": 10, "micro-near": 32, "micro": 10}), (*SCHEDULE.places, 2)
)
"""With the rung that follows as time is left."""


@pytest.fixture(scope="module")
def log():
    return line_world.log(episodes=EPISODES)


@pytest.fixture(scope="module")
def made(log, tmp_path_factory):
    """A choice, its folder, and what was told of it."""
    folder, seen = tmp_path_factory.mktemp("choice") / "out", Seen()
    return micro_rl.choose(log, minutes=5, out=folder, window=10, watcher=seen), folder, seen


def test_every_candidate_trained(made):
    assert [own.failure for own in made[0].candidates] == [None, None, None]


def test_it_says_what_the_log_is_and_ranks_after_every_rung(made):
    choice, folder, seen = made
    plan = json.loads((folder / "plan.json").read_text())
    assert plan["final"] and plan["schedule"]["places"] == [3, 2, 2, 2]
    assert [word for word, _ in seen.lines] == ["log", "rewards", "breadth", "step", "check", "parts", "judge"]
    assert choice.looks == tuple(seen.lines)
    assert len(seen.rankings) == 4 and set(seen.rankings[0]) == {"bc", "micro-near", "micro"}
    assert len(seen.rankings[1]) <= 2


def test_a_policy_is_handed_over_where_it_is_shown_to_be_better_and_else_none(made):
    choice, folder, _ = made
    assert choice.judgement is not None and choice.best is not None
    assert choice.best.name == choice.judgement.ranking[0]
    assert choice.decision == (TRY if choice.best.verdict == "better" else KEEP)
    handed, own = folder / "policy.safetensors", folder / "policies" / f"{choice.best.name}.safetensors"
    assert choice.chosen == (choice.best.name if choice.decision == TRY else None)
    assert handed.read_bytes() == own.read_bytes() if choice.decision == TRY else not handed.exists()
    assert {own.best for own in choice.candidates} == {policy.name for policy in choice.judgement.policies}


def test_intervals_are_widened_for_all_policies_that_were_scored(made):
    choice, _, _ = made
    assert 1 < choice.judgement.widening < 2


def test_no_candidate_saw_what_the_judge_judges_by(made, log):
    _, folder, _ = made
    training = micro_rl.load(folder / "training.hdf5")
    assert len(training) == pytest.approx(len(log) * 2 / 3, rel=0.02)
    config = micro_rl.open_run(folder / "runs" / "bc" / "seed0").config
    assert config["log"]["sha256"] == training.sha256


def test_the_pages_and_the_record_are_there(made):
    choice, folder, _ = made
    page = (folder / "decision.html").read_text()
    for text in ("What was tried", "micro-near", "trust.html", "runs/", "Rung by rung"):
        assert text in page
    record = json.loads((folder / "decision.json").read_text())
    assert record["decision"] == choice.decision and record["chosen"] == choice.chosen
    for policy in record["judgement"]["policies"]:
        assert policy["sha256"] == sha256(folder / "policies" / f"{policy['name']}.safetensors")
    assert (folder / "trust.html").exists()


def test_it_goes_on_to_the_same_decision(made, log):
    choice, folder, _ = made
    assert choice.judgement is not None
    again = choosing.choose_policy(log, Question(5.0, 10), folder, True, Watcher())
    assert again.judgement is not None
    assert (again.chosen, again.decision, again.judgement.policies) == (
        choice.chosen,
        choice.decision,
        choice.judgement.policies,
    )


def test_a_folder_is_not_taken_twice_nor_asked_something_else(made, log):
    _, folder, _ = made
    with pytest.raises(UserError, match="--resume"):
        micro_rl.choose(log, minutes=5, out=folder, window=10)
    with pytest.raises(UserError, match="another minutes"):
        micro_rl.choose(log, minutes=6, out=folder, window=10, resume=True)


def test_a_plan_of_something_else_is_refused(made, log, tmp_path):
    _, folder, _ = made
    planned, path = json.loads((folder / "plan.json").read_text()), tmp_path / "plan.json"
    path.write_text(json.dumps(planned | {"costs": {"x": 1}}))
    with pytest.raises(UserError, match="x is no candidate"):
        micro_rl.choose(log, minutes=5, out=tmp_path / "out", window=10, plan=path)
    with pytest.raises(UserError, match="another minutes and seed"):
        micro_rl.choose(log, minutes=6, seed=1, out=tmp_path / "out", window=10, plan=folder / "plan.json")
    path.write_text("{}")
    with pytest.raises(UserError, match="is no plan of a choice"):
        micro_rl.choose(log, minutes=5, out=tmp_path / "out", window=10, plan=path)
    assert not (tmp_path / "out").exists()


def test_rewards_that_never_differ_are_told_before_anything_is_trained(tmp_path):
    same = Dataset.from_arrays(
        np.random.default_rng(0).normal(size=(600, 1)), np.zeros((600, 1)), np.ones(600), horizon=20
    )
    choice = micro_rl.choose(same, minutes=5, out=tmp_path / "out")
    assert choice.decision == KEEP and "every reward is 1" in choice.reason and choice.chosen is None
    assert "Keep what you have" in (tmp_path / "out" / "decision.html").read_text()
    assert not (tmp_path / "out" / "runs").exists()


def test_a_log_that_is_too_short_is_told_so(tmp_path):
    values = np.random.default_rng(0).uniform(-1, 1, (60, 1))
    short = Dataset.from_arrays(values, values, values[:, 0], horizon=60)
    choice = micro_rl.choose(short, minutes=5, out=tmp_path / "out")
    assert choice.decision == KEEP and "40 are needed" in choice.reason
    one = Dataset.from_arrays(values[:1], values[:1], values[0], timeouts=[True], next_observations=values[:1])
    choice = micro_rl.choose(one, minutes=5, out=tmp_path / "one")
    assert choice.decision == KEEP and any("too few rows to tell" in text for _, text in choice.looks)


@pytest.mark.parametrize("name", ["decision.html", "trust.html"])
def test_what_somebody_else_wrote_is_not_replaced_and_told_before_the_work(tmp_path, name):
    values = np.random.default_rng(0).uniform(-1, 1, (60, 1))
    short = Dataset.from_arrays(values, values, values[:, 0], horizon=60)
    micro_rl.choose(short, minutes=5, out=tmp_path / "out")
    micro_rl.choose(short, minutes=5, out=tmp_path / "out", resume=True)
    (tmp_path / "out" / name).write_text("mine")
    with pytest.raises(UserError, match=rf"{name}: is there and micro-rl choose did not write it; move it away"):
        micro_rl.choose(short, minutes=5, out=tmp_path / "out", resume=True)
    assert (tmp_path / "out" / name).read_text() == "mine"


def test_a_choice_ends_with_a_note_where_another_file_has_its_runs_pages_name(tmp_path):
    values = np.random.default_rng(0).uniform(-1, 1, (60, 1))
    short, out = Dataset.from_arrays(values, values, values[:, 0], horizon=60), tmp_path / "out"
    choice = micro_rl.choose(short, minutes=5, out=out)._replace(chosen="bc-seed0-epoch3")
    run, notes = shutil.copytree(FIXTURES / "run-format-3", out / "runs" / "bc" / "seed0"), []
    (out / "policies").mkdir()
    shutil.copy(run / "policy.safetensors", out / "policies" / "bc-seed0-epoch3.safetensors")
    front.hand_over(choice, out, notes.append)
    assert "4 an epoch" in (run / "report.html").read_text() and not notes
    (run / "report.html").write_text("mine")
    front.hand_over(choice, out, notes.append)
    assert (run / "report.html").read_text() == "mine" and (out / "policy.safetensors").exists()
    [note] = notes
    assert note.startswith("no page: ") and "did not write it" in note


@pytest.mark.parametrize("minutes", [0, -1, float("nan"), 4.9])
def test_minutes_that_cannot_be_are_refused(log, tmp_path, minutes):
    with pytest.raises(UserError, match="minutes"):
        micro_rl.choose(log, minutes=minutes, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_task_survives_its_file(tmp_path: Path):
    task = Task("a", "log", "out", "micro", {"hidden_sizes": (8, 8), "beta": 0.5}, (0, 1), 4)
    (tmp_path / "a.json").write_text(json.dumps(task._asdict()))
    assert read(tmp_path / "a.json") == task
