"""The command, the page and the front door, with a judgement that is made by hand."""

import json
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest

import micro_rl
from micro_rl import Dataset
from micro_rl.cli import main as cli
from micro_rl.data.conversion import convert
from micro_rl.data.parts import part
from micro_rl.data.read_options import ReadOptions
from micro_rl.errors import TooLittle, UserError
from micro_rl.reports.trust import words as sentences
from micro_rl.reports.trust.page import render
from micro_rl.reports.trust.record import BETTER, NOT_SHOWN, WORSE, BaselineError, Interval, spanning
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training.plan import make_plan
from micro_rl.training.plan_record import plan_to_config
from micro_rl.trust import apart, front
from micro_rl.trust.evidence import decides_alone, deciding
from micro_rl.trust.front import logs_of
from micro_rl.trust.kept_judge import place
from micro_rl.trust.verdict import Thresholds, decide, gates, ranking, standing
from tests.pages import assert_self_contained
from tests.trust import line_world
from tests.trust.judgements import evidence, judged, judgement


@pytest.mark.parametrize(
    ("found", "expected", "failed"),
    [
        (evidence(0.5, 2.0), BETTER, ""),
        (evidence(-0.5, 2.0), NOT_SHOWN, "lower end"),
        (evidence(-2.0, -0.5), WORSE, ""),
        (evidence(0.5, 2.0, support=0.7), NOT_SHOWN, "vouches for too few"),
        (evidence(0.5, 2.0, worst_tenth=-4.3), NOT_SHOWN, "worst windows"),
        (evidence(0.5, 2.0, fqe=Interval(4.0, 3.0, 5.0)), NOT_SHOWN, "contradict"),
        (evidence(0.5, 2.0, violations=0.01), NOT_SHOWN, "limits"),
        (evidence(0.5, 2.0, correlation=-0.2), NOT_SHOWN, "does not rank"),
        (evidence(0.5, 2.0, correlation=None), BETTER, ""),
    ],
)
def test_every_gate_can_decide(found, expected, failed):
    policy = judged("a", found)
    assert policy.verdict == expected
    if failed:
        assert [failed in gate.name for gate in policy.gates if gate.passed is False] == [True]
        assert failed in policy.sentence
        assert ("promises nothing" in policy.sentence) == (failed == "vouches for too few")
    assert all(gate.remedy for gate in policy.gates)
    assert (policy.trial is not None) == (expected == BETTER or failed == "lower end")


def test_figures_of_numpy_pass_no_gate_that_others_do_not():
    """A comparison of NumPy's numbers is none of Python's False and True."""
    asked = gates(evidence(np.float64(-0.5), np.float64(2.0), support=np.float64(0.1)), Thresholds())
    assert [gate.passed for gate in asked] == [False, False, True, True, True]
    assert decide(evidence(np.float64(-0.5), 2.0), asked) == NOT_SHOWN


def test_worse_asks_for_estimators_that_do_not_contradict_each_other():
    worse = evidence(-3.0, -1.0)
    assert decide(worse, gates(worse, Thresholds())) == WORSE
    contradicted = worse._replace(fqe=Interval(1.0, 0.5, 1.5))
    assert decide(contradicted, gates(contradicted, Thresholds())) == NOT_SHOWN


def test_the_model_decides_alone_where_it_leaves_less_unexplained():
    assert decides_alone(0.9, 0.8) and not decides_alone(0.9, 0.89)
    assert decides_alone(0.1, -3.0) and not decides_alone(0.0, -3.0)


def test_the_interval_that_decides_spans_both():
    assert spanning(Interval(1.0, 0.0, 2.0), Interval(3.0, 1.0, 4.0)) == Interval(2.0, 0.0, 4.0)


def test_it_holds_the_difference_from_what_was_measured_too():
    """The model puts the clones 4 too low, FQE 1 too high; their differences are halved, and multiplied by 0.8."""
    model, fqe = Interval(1.0, 0.0, 2.0), Interval(3.0, 2.0, 4.0)
    assert deciding(model, fqe, BaselineError(-4.0, 1.0), (0.5, 0.8), alone=False) == Interval(2.0, -2.0, 4.8)
    assert deciding(model, fqe, BaselineError(-4.0, 1.0), (0.5, 0.8), alone=True) == Interval(1.0, -2.0, 2.0)
    assert deciding(model, fqe, None, (0.5, 0.8), alone=False) == spanning(model, fqe)
    assert deciding(model, fqe, None, (0.5, 0.8), alone=True) == model


def test_it_holds_the_difference_from_the_current_policy_itself():
    """The imitation collects 4 less than the policy that it stands for: of 2 more than it, 2 less remain possible."""
    apart = Interval(2.0, 1.0, 3.0)
    assert deciding(apart, apart, BaselineError(-4.0, -4.0), (1.0, 1.0), alone=False) == Interval(2.0, -3.0, 3.0)


def test_a_log_of_two_behaviours_is_no_clone_of_their_mean():
    """A step pays a^2; half of the log acts by 1, half by -1: 1 a step. The clone, 0 give or take 1, collects less.

    Always 0.9 is worse than the log by 0.19, and better than the clone: between the two nothing is shown.
    """
    noise = NormalDist()
    clone = 2 * noise.cdf(-1.0) + (noise.cdf(1.0) - noise.cdf(-1.0)) - 2 * noise.pdf(1.0)  # E clip(n, -1, 1)^2
    apart = Interval(0.81 - clone, 0.81 - clone, 0.81 - clone)
    assert apart.low > 0.25
    own = deciding(apart, apart, BaselineError(clone - 1, clone - 1), (1.0, 1.0), alone=False)
    assert own.low == pytest.approx(0.81 - 1) and own.high == apart.high


def test_the_ranking_by_hand():
    """A judge that earned a quarter keeps a quarter of the half width; a verdict goes before any figure."""
    assert standing(Interval(2.0, -2.0, 6.0), 0.25) == 2.0 - 0.75 * 4.0
    assert standing(Interval(2.0, -2.0, 6.0), -3.0) == -2.0 and standing(Interval(2.0, -2.0, 6.0), 1.0) == 2.0
    narrow, wide, sure = (
        judged(name, evidence(*ends)) for name, ends in {"n": (-1.0, 2.0), "w": (-9.0, 14.0), "s": (0.1, 0.3)}.items()
    )
    assert ranking([wide, narrow, sure], 1.0) == ("s", "w", "n")
    assert ranking([wide, narrow, sure], 0.0) == ("s", "n", "w")


def test_the_picture_names_policies_of_one_folder_apart():
    names = [f"results/policies/a-log-with-a-name/{method}-seed0-epoch01.safetensors" for method in ("iql", "bc")]
    page = render(judgement(*(judged(name, evidence(0.5, 2.0)) for name in names)))
    assert "…th-a-name/iql-seed0-epoch01" in page and "…ith-a-name/bc-seed0-epoch01" in page


def test_the_page_says_whose_interval_decides():
    alone = judgement(judged("run", evidence(0.5, 2.0)))
    assert "the model’s interval decides" in sentences.tested(alone)
    assert "Bar, which decides: the model’s interval" in render(alone)
    both = alone._replace(alone=False)
    assert "spans the model’s and its own" in sentences.tested(both)
    assert "Bar, which decides: what spans both intervals" in render(both)


def test_a_judge_that_predicted_nothing_says_so():
    whole = judgement(judged("run", evidence(0.5, 2.0)))
    assert "the interval can promise 90 %" in sentences.tested(whole)
    untested = sentences.tested(whole._replace(explained=-0.1))
    assert "no interval can promise anything" in untested and "90 %" not in untested


def test_a_trial_is_planned_for_what_is_estimated_to_be_better_and_only_then():
    whole = judgement(judged("hopeful", evidence(-0.5, 2.0)), judged("worse", evidence(-2.0, 0.5)))
    hopeful, worse = whole.policies
    assert worse.trial is None and sentences.trial(whole, worse) == ""
    sentence = sentences.trial(whole, hopeful)
    assert sentence.startswith("The log does not show hopeful to be better; a trial can, where a few bad windows")
    assert "It takes at most" in sentence and "However often one looks" in sentence
    assert "worth little" not in sentence
    assert "even the estimate is worth little" in sentences.trial(whole._replace(explained=-0.1), hopeful)
    better = judgement(judged("a", evidence(0.5, 2.0)))
    assert sentences.trial(better, better.policies[0]).startswith("Try it for at most")


def test_the_judge_is_held_against_what_was_measured():
    whole = judgement(judged("run", evidence(0.5, 2.0)))
    sentence = sentences.against_measured(whole)
    assert "−10.5 a window by the model and −8.50 by fitted Q evaluation, where −10.0 was measured" in sentence
    unmeasured = whole._replace(baseline_error=None)
    assert sentences.against_measured(unmeasured).endswith("both sides of the difference are estimates.")
    imitated = sentences.against_measured(unmeasured._replace(imitation_error=-4.0))
    assert "the network that imitates it collects 4.00 a window less than your policy’s own actions" in imitated


def test_the_page_says_what_decided_and_loads_nothing():
    page = render(judgement(judged("run-a", evidence(0.5, 2.0)), judged("run-b", evidence(-0.5, 2.0, violations=0.01))))
    assert_self_contained(page)
    for words in (
        "1 of 2 are better than what made the log",
        "windows of 50 steps",
        "block",
        "level &lt;= 3.2",
        "What would change it",
        "However often one looks",
        "No log can tell of a reward",
        "a column stands still",
    ):
        assert words in page


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        ((0.5, 2.0), "Better than what made the log, as far as the log can tell."),
        ((-2.0, 2.0), "Not shown to be better. Keep what you have."),
        ((-2.0, -0.5), "Worse than what made the log. Keep what you have."),
    ],
)
def test_one_policy_gets_one_sentence(ends, words):
    assert words in render(judgement(judged("run-a", evidence(*ends))))


@pytest.fixture
def files(tmp_path):
    """A policy's file and a log's."""
    line_world.policy(-2.0).save(tmp_path / "home.safetensors")
    log = line_world.log(episodes=4)
    rows = ["x,a,r,episode"]
    columns = zip(log.observations[:, 0], log.actions[:, 0], log.rewards, range(len(log)), strict=True)
    rows += [f"{x},{a},{r},{n // 20}" for x, a, r, n in columns]
    (tmp_path / "line.csv").write_text("\n".join(rows))
    (tmp_path / "line.toml").write_text(
        'observations = ["x"]\nactions = ["a"]\nreward = "r"\nepisode = "episode"\naction_bounds = [-1, 1]\n'
    )
    (tmp_path / "quits.py").write_text("raise SystemExit(3)")
    return tmp_path


def test_the_command_prints_the_verdict_and_writes_the_page(files, capsys, monkeypatch):
    made = judgement(judged("run-a", evidence(0.5, 2.0)), judged("run-b", evidence(-0.5, 2.0)))
    monkeypatch.setattr("micro_rl.trust.front.trust", lambda *_, **__: made)
    policy, page = str(files / "home.safetensors"), files / "out" / "page.html"
    command = ["trust", policy, "--log", str(files / "line.csv"), "--page", str(page)]
    assert cli.run(command) == 0
    output = capsys.readouterr().out
    assert "run-a" in output and "better" in output and "not shown" in output
    assert "in short  1 of 2 are better" in output and "the lower end of the difference is not above 0" in output
    assert "<html" in page.read_text()
    assert cli.run([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["policies"][0]["verdict"] == "better"


def test_a_current_policy_is_named_as_what_is_beaten():
    made = judgement(judged("a", evidence(0.5, 2.0)))._replace(baseline_error=None)
    assert sentences.headline(made) == "Better than your current policy, as far as the log can tell."
    assert "estimate of what your current policy collects" in sentences.trial(made, made.policies[0])
    assert "Better than your current policy?" in render(made)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name a run folder or a policy's file"),
        (["{}/home.safetensors"], "does not tell its log"),
        (["{}/no-run"], "no such file or folder"),
        (["{}/none.safetensors", "--log", "{}/line.csv"], "no such file"),
        (["{}/home.safetensors", "--log", "{}/line.csv", "--limits", "x"], "is a number, not a condition"),
        (["{}/home.safetensors", "--log", "{}/line.csv", "--limits", "y < 1"], "no column"),
        (["{}/home.safetensors", "--log", "{}/line.csv", "--current-policy", "mine.py"], "name a file and a function"),
        (["{}/home.safetensors", "--log", "{}/line.csv", "--current-policy", "mine"], "no column 'mine'"),
        (
            ["{}/home.safetensors", "--log", "{}/line.csv", "--current-policy", "x,x"],
            "for each action of the log, in order",
        ),
        (["{}/home.safetensors", "--log", "{}/line.csv", "--window", "8h"], "tells no times"),
        (["{}/home.safetensors", "--log", "{}/line.csv", "--groups", "who"], "no column 'who'"),
        (["{}/home.safetensors", "--log", "{}/line.csv"], "where 40 are needed"),
        (["{}/home.safetensors", "--log", "{}/line.csv", "--page", "{}"], "is a folder"),
        (["{}/home.safetensors", "--log", "{}/line.csv", "--page", "{}/line.csv"], "micro-rl trust did not write it"),
        (["{}/home.safetensors", "--log", "{}/line.csv", "--window", "9" * 30], "where 40 are needed"),
        (["{}/home.safetensors", "--log", "{}/line.csv", "--seed=-1"], "seed: -1 is not"),
        (["{}/home.safetensors", "--log", "{}/line.csv", "--window", "0"], "a window has 1, 2, 3"),
        (["{}/home.safetensors", "--log", "{}/line.csv", "--limits", "x <="], "cannot be read"),
        (["{}/home.safetensors", "--log", "{}/line.csv", "--groups", "clusters"], "form no clusters"),
        (["{}/home.safetensors", "--log", "{}/line.csv", "--current-policy", "{}/quits.py:pi"], "SystemExit"),
    ],
)
def test_mistakes_are_one_line(files, capsys, words, message):
    page = [] if "--page" in words else ["--page", str(files / "page.html")]
    assert cli.run(["trust", *(word.format(files) for word in words), *page]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_a_folder_for_judges_that_cannot_be_made_is_refused_before_the_fit(files):
    with pytest.raises(UserError, match=r"line\.csv: cannot be written"):
        place(files / "line.csv", {})


def test_a_run_of_another_log_is_told(tmp_path):
    log = line_world.log(episodes=4)
    for name, sha256 in (("own", log.sha256), ("other", "0" * 64)):
        (tmp_path / name).mkdir()
        RunFolder.create(tmp_path / name / "run", {"log": {"name": name, "sha256": sha256}})
    runs = [tmp_path / name / "run" for name in ("own", "other")]
    notes = apart.notes(log, part(log), logs_of([*runs, line_world.policy(1.0)]))
    assert notes == [
        f"{runs[1]} was trained on another log, other: what it is judged by may be of another system",
        apart.SHARED.format(names=str(runs[0])),
    ]


def test_runs_of_the_training_part_are_told_where_the_whole_log_judges():
    log = line_world.log(episodes=30)
    parts = part(log)
    known = {name: {"name": log.name, "sha256": own.sha256} for name, own in (("a", parts.training), ("b", log))}
    assert apart.notes(log, parts, known) == [apart.SHARED.format(names="a and b")]
    assert apart.notes(log, parts, {"a": known["a"]}) == [], (
        "where the judge's part was too small, another note says so"
    )


def test_a_log_is_read_as_its_run_read_it_and_whole(tmp_path):
    """Its formula, bounds and time limit count, which stand in three places of the record; its part does not."""
    path = tmp_path / "line.csv"
    convert(line_world.log(episodes=30, length=20), path, "csv", "a test")
    reading = ReadOptions(part="training", observations=("o0",), actions=("a0",), reward="-2 * abs(o0)", horizon=10)
    plan = make_plan(path, "bc", horizon=10, reading=replace(reading, action_bounds=(-3.0, 3.0)), scoring_model=False)
    RunFolder.create(tmp_path / "run", plan_to_config(plan))
    log = front.own_log(tmp_path / "run")
    assert log.action_high.tolist() == [3.0] and len(log.starts) == 60 and len(log) == 600
    assert log.rewards == pytest.approx(-2 * np.abs(log.observations[:, 0]))
    assert plan.dataset.sha256 == part(log).training.sha256


def test_a_reading_without_a_log_is_refused(tmp_path, capsys):
    assert cli.run(["trust", str(tmp_path), "--reward", "o0"]) == 2
    assert "name it with --log to read it otherwise" in capsys.readouterr().err


def test_a_run_of_the_other_part_is_no_stranger():
    log = line_world.log(episodes=30, length=4)
    for own, learned in ((ReadOptions(part="training"), "judging"), (ReadOptions(part="judging"), "training")):
        half = replace(log, reading=own)
        known = {"run": {"name": log.name, "sha256": "0" * 64, "reading": {"part": learned}}}
        assert apart.notes(half, part(half), known) == []


def learned_from(folder: Path, log: Dataset) -> Path:
    RunFolder.create(folder, {"log": {"name": log.name, "sha256": log.sha256}})
    line_world.policy(1.0).save(folder / "policy.safetensors")
    return folder


def test_runs_are_judged_by_what_they_did_not_learn_from(tmp_path, monkeypatch):
    """The other part, with the current policy's actions in its rows; the whole log where one run saw all of it."""
    log = line_world.log(episodes=720, length=20)
    parts, asked = part(log), []
    monkeypatch.setattr(front, "judge_policies", lambda *given: asked.append(given) or judgement())
    training, whole = learned_from(tmp_path / "a", parts.training), learned_from(tmp_path / "b", log)
    judged_apart = front.trust(training, log, current=log.actions)
    front.trust([training, whole], log)
    front.trust(training, log, groups=np.arange(720) % 5)
    (dataset, policies, options, _), (shared, *_), (by_labels, *_) = asked
    assert set(by_labels.groups) == set("01234") and len(by_labels) == len(dataset)
    assert dataset.sha256 == parts.judging.sha256 and dataset.name == log.name
    assert list(policies) == [str(training)] and options.window == 20 and judged_apart.window_reason == apart.AS_LONG
    assert np.array_equal(options.current, dataset.actions)
    assert shared.sha256 == log.sha256 and f"{whole} learned from the rows that judge it" in shared.notes[-1]


def test_a_part_that_is_too_small_is_said(tmp_path, monkeypatch):
    log, asked = line_world.log(), []

    def judge(dataset, *_):
        asked.append(dataset)
        if len(dataset) < len(log):
            raise TooLittle("few windows")
        return judgement()

    monkeypatch.setattr(front, "judge_policies", judge)
    front.trust(learned_from(tmp_path / "a", part(log).training), log)
    assert asked[1].sha256 == log.sha256 and "too few to judge by (few windows)" in asked[1].notes[-1]


def test_the_package_can_be_called():
    with pytest.raises(micro_rl.UserError, match="name a run or a policy"):
        micro_rl.trust([])


def test_a_runs_own_formula_is_the_judges_where_it_is_the_logs(tmp_path, monkeypatch):
    """Of a run alone; with a policy beside it nobody's; one that the log does not pay by is left out with a note."""
    asked, log = [], line_world.log()
    monkeypatch.setattr(front, "judge_policies", lambda *given: asked.append(given) or judgement())
    runs = {}
    for name, formula in {"own": "-abs(next_o0)", "another's": "o0", "none": None}.items():
        facts = {"log": {"name": "x", "sha256": "0" * 64}, "settings": {"known_reward": formula}}
        RunFolder.create(tmp_path / name, facts)
        line_world.policy(1.0).save(tmp_path / name / "policy.safetensors")
        runs[name] = tmp_path / name
    for several in ([runs["own"]], [runs["own"], runs["none"]], [runs["own"], line_world.policy(1.0)]):
        front.trust(several, log)
    front.trust(runs["another's"], log)
    front.trust(runs["none"], log, known_reward="-abs(next_o0)")
    assert [options.known_reward for _, _, options, _ in asked] == ["-abs(next_o0)", None, None, None, "-abs(next_o0)"]
    assert [any("own formula is not this log's" in note for note in asked[place][0].notes) for place in (0, 3)] == [
        False,
        True,
    ]
