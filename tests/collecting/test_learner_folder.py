"""A learner on disk: whatever stops it, the rest is as if nothing had."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from micro_rl.errors import UserError
from micro_rl.policy import Policy
from micro_rl.simulation.learner_folder import LearnerConfig, LearnerFolder
from tests.collecting.slope import SETTINGS, Slope

WALK, FORGETFUL = "KeptWalk-v0", "ForgetfulWalk-v0"


class Walk(Slope):
    """Pushed by the simulator's own chance."""

    def push(self) -> float:
        return self.np_random.normal() / 10


class Forgetful(Walk):
    """Draws from a generator that is not its own."""

    generator = np.random.default_rng(0)

    def push(self) -> float:
        return self.generator.normal() / 10


@pytest.fixture(autouse=True, scope="module")
def walks() -> Iterator[None]:
    gymnasium.register(WALK, entry_point=lambda **_: Walk(), max_episode_steps=13)
    gymnasium.register(FORGETFUL, entry_point=lambda **_: Forgetful(), max_episode_steps=13)
    yield
    for name in (WALK, FORGETFUL):
        del gymnasium.registry[name]


def advanced(path: Path, config: LearnerConfig, until: int = 60) -> tuple[LearnerFolder, list[str]]:
    learner, notes = LearnerFolder(path, config), []
    learner.advance(lambda rows: rows[-1]["steps"] >= until, lambda row: None, notes.append)
    return learner, notes


@pytest.fixture(scope="module")
def whole(walks: None, tmp_path_factory: pytest.TempPathFactory) -> LearnerFolder:
    return advanced(tmp_path_factory.mktemp("whole") / "learner", LearnerConfig(WALK, SETTINGS))[0]


def assert_same(first: LearnerFolder, second: LearnerFolder) -> None:
    for one, other in zip(first.experience(60), second.experience(60), strict=True):
        np.testing.assert_array_equal(one, other)
    assert first.policy_file(60).read_bytes() == second.policy_file(60).read_bytes()
    assert [row["return"] for row in first.rows()] == [row["return"] for row in second.rows()]


@pytest.mark.parametrize("stop", [0, 20, 40])
def test_a_stopped_learner_goes_on_as_if_never_stopped(whole: LearnerFolder, tmp_path: Path, stop: int):
    advanced(tmp_path / "learner", LearnerConfig(WALK, SETTINGS), until=stop)
    again, notes = advanced(tmp_path / "learner", LearnerConfig(WALK, SETTINGS))
    assert notes == ([f"going on after step {stop}"] if stop else [])
    assert_same(whole, again)


def test_what_a_kill_left_behind_its_checkpoint_is_dropped(whole: LearnerFolder, tmp_path: Path):
    learner, _ = advanced(tmp_path / "learner", LearnerConfig(WALK, SETTINGS))
    for file in learner.folder.checkpoints.folder(3).iterdir():
        file.write_bytes(file.read_bytes()[:-1])
    again, notes = advanced(tmp_path / "learner", LearnerConfig(WALK, SETTINGS))
    assert "damaged" in notes[0] or "bytes" in notes[0]
    assert notes[1] == "going on after step 40"
    assert_same(whole, again)


def test_a_longer_learning_begins_like_a_shorter_one(whole: LearnerFolder, tmp_path: Path):
    short, _ = advanced(tmp_path / "learner", LearnerConfig(WALK, replace(SETTINGS, steps=40)))
    assert [row["steps"] for row in short.rows()] == [0, 20, 40]
    assert_same(whole, advanced(tmp_path / "learner", LearnerConfig(WALK, SETTINGS))[0])


def test_nothing_is_learned_that_was_learned_before(whole: LearnerFolder):
    before = whole.rows()
    again, _ = advanced(whole.folder.path, whole.config)
    assert again.rows() == before


def test_every_evaluated_policy_is_kept(whole: LearnerFolder):
    assert [row["steps"] for row in whole.rows()] == [0, 20, 40, 60]
    policies = [Policy.load(whole.policy_file(steps))([[0.3]]) for steps in (0, 20, 40, 60)]
    np.testing.assert_array_equal(policies[0], policies[1])
    assert not np.array_equal(policies[1], policies[2]) and not np.array_equal(policies[2], policies[3])


def test_another_learner_is_refused(whole: LearnerFolder):
    with pytest.raises(UserError, match=r"seed 3, not 4.*--out"):
        LearnerFolder(whole.folder.path, LearnerConfig(WALK, replace(SETTINGS, seed=4)))
    with pytest.raises(UserError, match="horizon None, not 5"):
        LearnerFolder(whole.folder.path, LearnerConfig(WALK, SETTINGS, horizon=5))


def test_a_simulator_that_does_not_repeat_itself_is_told(tmp_path: Path):
    advanced(tmp_path / "learner", LearnerConfig(FORGETFUL, SETTINGS), until=20)
    with pytest.raises(UserError, match="does not repeat"):
        advanced(tmp_path / "learner", LearnerConfig(FORGETFUL, SETTINGS))
