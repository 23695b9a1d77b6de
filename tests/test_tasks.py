"""What names tell, and what they must not."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from micro_rl.core import tasks
from micro_rl.core.tasks import Task
from micro_rl.dynamics import termination_rules


@pytest.mark.parametrize(
    ("name", "env", "horizon", "rule"),
    [
        ("halfcheetah-medium-replay", "HalfCheetah-v4", 1000, "halfcheetah-guarded"),
        ("halfcheetah-medium-replay-v2", "HalfCheetah-v4", 1000, "halfcheetah-guarded"),
        ("halfcheetah_medium_replay-v2", "HalfCheetah-v4", 1000, "halfcheetah-guarded"),
        ("hopper_medium-v2", "Hopper-v4", 1000, "hopper"),
        ("hopper-medium", "Hopper-v4", 1000, "hopper"),
        ("walker2d-medium-expert-v2", "Walker2d-v4", 1000, "walker2d-guarded"),
        ("SafetyHalfCheetah-high-100000-train", "SafetyHalfCheetah", 1000, "never"),
        ("pendulum-demo", "Pendulum-v1", 200, "never"),
        ("DMSD-high-20000-val", None, 100, "never"),
        ("Fusion-first20-of-val", None, 100, "never"),
        ("pen-human-v1", None, None, None),
        ("ant-medium-v2", None, None, None),
    ],
)
def test_known_names(name: str, env: str | None, horizon: int | None, rule: str | None) -> None:
    task = tasks.find(name)
    assert (task.env, task.horizon, task.termination) == (env, horizon, rule)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-",
        "v2",
        "antmaze-umaze-v0",
        "antmaze-medium-play-v2",
        "Ant_maze_hardest-maze_noisy_multistart_True_multigoal_True_sparse",
        "ant-maze-medium",
        "hopper",
        "hopperish-medium-v2",
        "grasshopper-medium-v2",
        "hopper-medium-v2-mine",
        "mujoco/hopper/medium-v0",
        "safetyhalfcheetah-mine",
        "pendulum",
        "plant-7-week-3",
    ],
)
def test_other_names_tell_nothing(name: str) -> None:
    assert tasks.find(name) == tasks.UNKNOWN == Task()


@given(st.text(max_size=30))
def test_any_text_is_a_name(name: str) -> None:
    assert isinstance(tasks.find(name), Task)


@given(st.sampled_from(sorted(tasks.TASKS)), st.integers(0, 99), st.booleans())
def test_the_version_and_the_separator_do_not_matter(name: str, version: int, underscores: bool) -> None:
    written = name.replace("-", "_") if underscores else name
    assert tasks.find(written) == tasks.find(f"{written}-v{version}") == tasks.TASKS[name]


@pytest.mark.parametrize("name", sorted(tasks.TASKS))
def test_every_task_is_consistent(name: str) -> None:
    task = tasks.TASKS[name]
    assert (task.env is None) == (task.horizon is None)
    assert task.termination is None or task.termination in termination_rules.RULES
    assert (task.score_min is None) == (task.score_max is None)
    assert task.score_min is None or task.score_max is None or task.score_min < task.score_max


def test_scores_by_hand() -> None:
    hopper = tasks.find("hopper-medium-v2")
    assert tasks.normalised(-20.272305, hopper) == 0.0
    assert tasks.normalised(3234.3, hopper) == pytest.approx(100.0)
    assert tasks.normalised(3213.0, hopper) == pytest.approx(99.345536, abs=1e-6)
    assert tasks.normalised_std(0.0, hopper) == 0.0
    assert tasks.normalised_std(3254.572305, hopper) == pytest.approx(100.0)


def test_scores_of_the_neorl2_logs_are_as_published() -> None:
    published = {"DMSD": (494.45, 56.6), "SafetyHalfCheetah": (1769.31, 73.6), "Fusion": (-7.35, 49.0)}
    for name, (mean_return, score) in published.items():
        assert tasks.normalised(mean_return, tasks.find(name)) == pytest.approx(score, abs=0.3)


def test_another_time_limit_has_no_known_scores() -> None:
    hopper = tasks.find("hopper-medium-v2")
    assert tasks.at_limit(hopper, None) == tasks.at_limit(hopper, 1000) == hopper
    assert tasks.at_limit(hopper, 20) == Task("Hopper-v4", 20, "hopper")
    assert tasks.over(hopper, Task("Hopper-v4", 20)) == Task("Hopper-v4", 20, "hopper")
    assert tasks.over(hopper, Task(horizon=20, score_min=0.0, score_max=9.0)).score_max == 9.0
    assert tasks.at_limit(tasks.find("pen-human-v1"), 100) == replace(tasks.find("pen-human-v1"), horizon=100)


def test_no_score_without_a_range() -> None:
    assert tasks.normalised(1.0, tasks.UNKNOWN) is None
    assert tasks.normalised_std(1.0, tasks.UNKNOWN) is None
