"""The guard's score in every export: by hand, on networks and guards of every kind, and on a log."""

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micro_rl.control.guard import Before, Guard
from micro_rl.deploy.c_files import c_text
from micro_rl.deploy.c_tables import memory
from micro_rl.deploy.equality import Decisions, compared
from micro_rl.deploy.onnx_file import onnx_model
from micro_rl.deploy.onnx_running import run_onnx, session
from micro_rl.deploy.python_file import python_text
from micro_rl.deploy.running import compiler, run_c
from micro_rl.deploy.scores import compared_scores, expected_scores
from micro_rl.deploy.source import Source
from micro_rl.deploy.trial import BEGIN, ON, PRIME, Trial, draw
from micro_rl.errors import UserError
from micro_rl.policy import Policy
from tests.control.test_guard import by_hand, walk
from tests.deploy.policies import imported, random_guard, random_policy
from tests.deploy.sanitiser import sanitiser


def two_columns(guard: Guard) -> Policy:
    """A policy of the guard's columns."""
    return Policy(
        [(np.ones((2, 2)), np.zeros(2))],
        observation_mean=guard.center,
        observation_std=guard.scale,
        action_mid=[0.0],
        action_half=[1.0],
        columns=guard.columns,
    )


def by_python(source: Source, trial: Trial, folder: Path) -> Decisions:
    path = folder / "exported.py"
    path.write_text(python_text(source, "exported"), encoding="utf-8")
    past, each = imported(path).Past(), []
    for step in range(len(trial.kind)):
        if trial.kind[step] == BEGIN:
            past.begin()
        each.append(past.step(trial.observations[step]))
        past.applied(trial.applied[step])
    return Decisions(*(np.stack(parts) for parts in zip(*each, strict=True)))


def by_onnx(source: Source, trial: Trial, folder: Path) -> Decisions:
    return run_onnx(onnx_model(source).SerializeToString(), source, trial)


def by_c(source: Source, trial: Trial, folder: Path, more: Sequence[str] = ()) -> Decisions:
    text = c_text(source, "exported", "exported")
    (folder / "exported.h").write_text(text.header)
    (folder / "exported.c").write_text(text.code)
    flags = ["-pedantic", "-Wconversion", "-Wshadow", "-Wdouble-promotion", *more]
    return run_c(folder / "exported.c", "exported", source, trial, flags)


EXPORTS = [
    by_python,
    by_onnx,
    pytest.param(by_c, marks=pytest.mark.skipif(compiler() is None, reason="no C compiler")),
]
Run = Callable[[Source, Trial, Path], Decisions]


@pytest.mark.parametrize("run", EXPORTS)
def test_scores_by_hand(run: Run, tmp_path: Path):
    """From (1, 0.5) the first column is to rise by the action, 0.5 standard deviations, and rises by 1.5."""
    observations = np.array([[1.0, 0.5], [4.0, 0.5], [4.0, 0.5], [4.0, 0.5]])
    kind, applied = np.array([BEGIN, ON, ON, BEGIN], np.int8), np.array([[0.5], [0.0], [0.0], [0.0]])
    trial = Trial(kind, observations, applied, np.zeros(1))
    usual = np.array([1.0, 1.0, 1.0, 1e9, 1.0, 1.0, 1.0])
    guard = by_hand(usual=usual)
    decisions = run(Source(two_columns(guard)).guarded(guard), trial, tmp_path)
    # (0, 0.5) is (0, 0.5) from a row. A surprise of (1.5 - 0.5) / 0.5. One still step. Alone, (0.5, 0.5) from a row.
    assert decisions.score == pytest.approx([np.sqrt(0.125), 2.0, np.log(2), 0.5], rel=1e-6)


@pytest.mark.parametrize("run", EXPORTS)
def test_the_distance_of_a_step_that_is_far_off_in_every_column(run: Run, tmp_path: Path):
    """Each of six columns is taken to lie 1,000,000 standard deviations off, and so is their root mean square."""
    policy = random_policy(1, observations=6)
    guard = replace(random_guard(policy, 1), usual=np.array([1.0, *[1e12] * 6]))
    trial = Trial(np.array([BEGIN], np.int8), np.full((1, 6), 1e30), np.zeros((1, 2)), np.zeros(2))
    assert run(Source(policy).guarded(guard), trial, tmp_path).score == pytest.approx([1e6], rel=1e-5)


@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    observations=st.integers(1, 5),
    actions=st.integers(1, 3),
    history=st.sampled_from([1, 1, 2, 4]),
    rows=st.integers(1, 9),
    offset=st.sampled_from([0.0, 1e6]),
)
def test_any_guard_is_the_guard(
    tmp_path_factory, seed: int, observations: int, actions: int, history: int, rows: int, offset: float
):
    policy = random_policy(seed, observations, actions, (4,), history, offset=offset)
    source = Source(policy).guarded(random_guard(policy, seed, rows))
    trial = draw(policy, 100, seed=seed, single=True, guard=source.guard)
    assert source.guard is not None
    right, bound = expected_scores(source.guard, trial)
    own = 1e-7 * np.maximum(right, 1)  # of double precision
    for run in (by_python, by_onnx):
        decisions = run(source, trial, tmp_path_factory.mktemp("any"))
        difference = compared(policy, trial, decisions, "file")
        assert decisions.score is not None
        scores = compared_scores(source.guard, trial, decisions.score, difference, "file").scores
        assert (np.abs(decisions.score - right) <= bound + own).all()
        assert scores is not None and (run is not by_python or (scores.largest < 1e-6 and not scores.beyond))


@pytest.mark.parametrize(("history", "hidden"), [(1, (9, 4)), (4, (6,))])
def test_c_with_a_guard_under_the_sanitisers(history: int, hidden: tuple[int, ...], tmp_path: Path):
    policy = random_policy(2, hidden=hidden, history=history, offset=30.0)
    guard = random_guard(policy, 3)
    trial = draw(policy, single=True, guard=guard)
    decisions = by_c(Source(policy).guarded(guard), trial, tmp_path, sanitiser())
    difference = compared(policy, trial, decisions, "C file")
    assert decisions.score is not None and PRIME in trial.kind
    scores = compared_scores(guard, trial, decisions.score, difference, "C file").scores
    assert scores is not None and scores.beyond < 50


@pytest.mark.parametrize("run", EXPORTS)
def test_alarms_of_a_fitted_guard_are_its_own(run: Run, tmp_path: Path):
    """On another recording, of which one sensor sticks for a while and then jumps."""
    guard, log = Guard.fit(walk()), walk(300, 3, seed=5)
    observations = log.observations.astype(np.float64)
    observations[120:140, 0], observations[250, 0] = observations[120, 0], observations[250, 0] + 1.0
    kind = np.full(300, ON, np.int8)
    kind[::100] = BEGIN
    policy = two_columns(guard)
    trial = Trial(kind, observations, log.actions.astype(np.float64), np.zeros(1))
    score = run(Source(policy).guarded(guard), trial, tmp_path).score
    expected, last = np.empty(300), guard.blank
    for step in range(300):
        before = Before(observations[step - 1], trial.applied[step - 1], last) if kind[step] == ON else None
        expected[step], _, last = guard.read(observations[step], before)
    assert score is not None and np.abs(score - expected).max() < 1e-5 * expected.max()
    assert np.array_equal(score > guard.threshold, expected > guard.threshold)
    assert (score > guard.threshold)[[122, 139, 250]].all() and (score > guard.threshold).mean() < 0.3


def test_systems_side_by_side(tmp_path: Path):
    policy = random_policy(6, history=2)
    source = Source(policy).guarded(random_guard(policy, 6))
    (tmp_path / "side.py").write_text(python_text(source, "side"))
    module, model = imported(tmp_path / "side.py"), session(onnx_model(source).SerializeToString())
    rows = policy.observation_mean[:3] + policy.observation_std[:3] * np.random.default_rng(0).normal(size=(5, 2, 3))
    rows = rows.astype(np.float32).astype(np.float64)
    together, alone = module.Past(), module.Past()
    held = {name: np.zeros((2, width), np.float32) for name, width in (("window", 8), ("applied", 2), ("memory", 9))}
    begin = np.ones((2, 1), bool)
    for step in range(5):
        scores = together.step(rows[step]).score
        assert scores[1] == pytest.approx(float(alone.step(rows[step, 1]).score), rel=1e-12)
        given = {"observation": rows[step].astype(np.float32), "begin": begin, **held}
        action, _, _, window, score, kept = model.run(None, given)
        assert score[:, 0] == pytest.approx(scores, rel=1e-3)
        held, begin = {"window": window, "applied": action, "memory": kept}, np.zeros((2, 1), bool)
    assert together.score(rows[0]).shape == (2,)


def test_a_row_that_is_not_finite_has_no_score_and_is_not_remembered():
    source = Source(two_columns(by_hand())).guarded(by_hand())
    model = session(onnx_model(source).SerializeToString())
    held = {"window": np.ones((3, 2)), "applied": np.zeros((3, 1)), "memory": np.full((3, 6), 2.0)}
    held["memory"][2, 0] = np.nan
    arrays = {"observation": np.array([[1, 2], [1, np.inf], [1, 2]]), **held}
    given = {name: array.astype(np.float32) for name, array in arrays.items()} | {"begin": np.zeros((3, 1), bool)}
    action, _, _, window, score, kept = model.run(None, given)
    assert np.isfinite(score[0]) and np.isnan(score[1:]).all() and np.isnan(action[1:]).all()
    assert (kept[1] == 2).all() and kept[0, 0] == 3 and window.tolist() == [[1, 2], [1, 1], [1, 1]]
    action, _, _, _, score, kept = model.run(None, given | {"begin": np.ones((3, 1), bool)})
    assert np.isfinite(score[[0, 2]]).all() and (kept[[0, 2]] == 0).all()


@pytest.mark.skipif(compiler() is None, reason="no C compiler")
def test_c_remembers_nothing_of_a_step_that_is_not_finite(tmp_path: Path):
    text = c_text(Source(two_columns(by_hand())).guarded(by_hand()), "p", "p")
    (tmp_path / "p.h").write_text(text.header)
    (tmp_path / "p.c").write_text(text.code)
    (tmp_path / "main.c").write_text("""#include <math.h>
#include "p.h"
int main(void)
{
    float first[2] = {1.0f, 0.5f}, broken[2] = {NAN, 0.5f}, score, again;
    p_past past;
    p_decision decision;
    p_begin(&past);
    if (p_step(&past, first, &decision) || decision.score >= P_THRESHOLD) return 1;
    if (p_score(&past, first, &score)) return 2;
    if (!p_step(&past, broken, &decision) || !p_score(&past, broken, &again)) return 3;
    if (p_score(&past, first, &again) || again != score) return 4;
    return 0;
}
""")
    command = [str(compiler()), "-std=c99", "-Wall", "-Wextra", "-Werror", *sanitiser(), "main.c", "p.c"]
    subprocess.run([*command, "-o", "main", "-lm"], cwd=tmp_path, check=True)
    assert subprocess.run(["./main"], cwd=tmp_path).returncode == 0


def test_what_it_takes_of_a_controllers_memory():
    policy = random_policy(1, 3, 2, (8,))
    guard = random_guard(policy, 1, rows=5)
    # centers and limits in two parts 2 x (3 + 2 + 3 + 3), scales 3 + 2, rows 5 x 3, weights 6 x 3, 3, 3 x 3, 3 and 7
    without, with_guard = memory(Source(policy)), memory(Source(policy).guarded(guard))
    assert with_guard.flash - without.flash == 4 * (22 + 5 + 15 + 18 + 3 + 9 + 3 + 7)
    assert (without.state, with_guard.state) == (0, 4 * (3 + 2 + 9 + 1))
    assert with_guard.stack - without.stack == 4 * (3 + 5 * 3 + 5 + 7)


def test_other_scores_and_other_columns_are_refused():
    policy = random_policy(7)
    guard = random_guard(policy, 7)
    trial = draw(policy, 100, guard=guard)
    right = guard.read(trial.observations[:20]).score
    first = Trial(np.full(20, BEGIN, np.int8), trial.observations[:20], trial.applied[:20], trial.resting)
    decisions = Decisions(policy(first.observations), *policy.distribution(first.observations))
    difference = compared(policy, first, decisions, "file")
    assert compared_scores(guard, first, right, difference, "file").scores == (0.0, 0, 0.0)
    right[3] *= 1 + 1e-4
    with pytest.raises(UserError, match="the file does not score as the guard does"):
        compared_scores(guard, first, right, difference, "file")
    other = random_policy(7, columns=by_hand().columns, observations=2, actions=1)
    with pytest.raises(UserError, match="the guard's columns are not the policy's"):
        Source(policy).guarded(random_guard(other, 7))
    with pytest.raises(UserError, match="the guard's high has values that single precision cannot hold"):
        c_text(Source(policy).guarded(replace(guard, high=guard.high * 1e39)), "p", "p")
