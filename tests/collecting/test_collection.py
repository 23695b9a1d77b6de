"""Logs of every level from one small learner: what is in them, and what they say of themselves."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import h5py
import numpy as np
import pytest

from micro_rl.core import tasks
from micro_rl.data import Dataset, load
from micro_rl.errors import UserError
from micro_rl.simulation import d4rl_levels
from micro_rl.simulation.collect import CollectCallback, collect, log_file, title
from micro_rl.simulation.d4rl_levels import CollectRequest, medium_return, medium_row
from micro_rl.simulation.learner_folder import LearnerConfig, LearnerFolder
from micro_rl.simulation.recorder import rollout
from micro_rl.storage.files import sha256
from micro_rl.training.plan import make_plan
from tests.collecting.slope import SETTINGS, Slope

SLOPE = "KeptSlope-v0"
CONFIG = LearnerConfig(SLOPE, SETTINGS)


@pytest.fixture(autouse=True, scope="module")
def slope() -> Iterator[None]:
    gymnasium.register(SLOPE, entry_point=lambda **_: Slope(), max_episode_steps=13)
    yield
    del gymnasium.registry[SLOPE]


def rows(*returns: float) -> list[dict[str, float | int]]:
    """Evaluations at steps 0, 20, 40, ..."""
    return [{"epoch": n, "steps": 20 * n, "return": value} for n, value in enumerate(returns)]


def request(**changes: Any) -> CollectRequest:
    return replace(CollectRequest(CONFIG, rows=30, medium_fraction=0.5, medium_return=None), **changes)


def test_medium_by_published_returns():
    hopper = request(learner=LearnerConfig("Hopper-v4", SETTINGS), medium_fraction=1 / 3)
    goal = medium_return(hopper, [])
    assert goal is not None and goal[0] == pytest.approx(-20.272305 + (3234.3 + 20.272305) / 3)
    assert "published" in goal[1]
    assert medium_row(hopper, rows(1, 1000, 1064, 1065, 900)) == rows(1, 1000, 1064, 1065)[-1]
    assert medium_row(hopper, rows(1, 1000)) is None


def test_medium_by_returns_measured_here():
    goal = medium_return(request(learner=LearnerConfig("Pendulum-v1", SETTINGS)), [])
    assert goal == (pytest.approx(-673.5), "0.5 of the way from -1200.0 to -147.0, returns measured by this project")


def test_medium_by_the_learner_itself_needs_all_its_steps():
    assert medium_return(request(), rows(-10, 0, 20)) is None
    goal = medium_return(request(), rows(-10, 0, 20, 30))
    assert goal is not None and goal[0] == 10
    assert medium_row(request(), rows(-10, 0, 20, 30)) == rows(-10, 0, 20)[-1]
    with pytest.raises(UserError, match=r"no better after its last step.*--steps"):
        medium_return(request(), rows(-10, 0, 20, -10))


def test_medium_as_given():
    assert medium_return(request(medium_return=7.0), []) == (7.0, "given")


def test_how_far_the_learner_must_go():
    collect_request, done = request(medium_return=7.0), rows(0, 8)
    assert d4rl_levels.enough(collect_request, ["random"])(rows(0))
    assert d4rl_levels.enough(collect_request, ["random", "medium"])(done) and not d4rl_levels.enough(
        collect_request, ["medium"]
    )(rows(0))
    assert d4rl_levels.enough(collect_request, ["medium-replay"])(done)
    assert not d4rl_levels.enough(collect_request, ["medium", "medium-expert"])(done) and not d4rl_levels.enough(
        collect_request, ["expert"]
    )(done)


class Notes(CollectCallback):
    def __init__(self) -> None:
        self.texts: list[str] = []
        self.logs: list[Dataset] = []

    def note(self, text: str) -> None:
        self.texts.append(text)

    def written(self, log: Dataset) -> None:
        self.logs.append(log)


@pytest.fixture(scope="module")
def made(slope: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[CollectRequest, Path]:
    """Every level; medium is whatever was evaluated after 40 steps."""
    folder = tmp_path_factory.mktemp("collected")
    learner = LearnerFolder(folder / "learner", CONFIG)
    learner.advance(lambda rows: False, lambda row: None, lambda text: None)
    evaluated = [row["return"] for row in learner.rows()]
    if evaluated[2] <= max(evaluated[:2]):  # the tiny learner need not get better: let it have
        path = folder / "learner" / "metrics.jsonl"
        path.write_text(path.read_text().replace(str(evaluated[2]), str(max(evaluated) + 1)))
    collect_request = request(medium_return=learner.rows()[2]["return"])
    collect(collect_request, d4rl_levels.LEVELS, folder, "micro-rl data collect KeptSlope-v0")
    return collect_request, folder


def facts(folder: Path, level: d4rl_levels.Level) -> dict[str, Any]:
    with h5py.File(log_file(folder, SLOPE, level)) as file:
        return dict(file.attrs)


def test_what_the_levels_hold(made: tuple[CollectRequest, Path]):
    _, folder = made
    logs = {level: load(log_file(folder, SLOPE, level)) for level in d4rl_levels.LEVELS}
    assert {level: len(log) for level, log in logs.items()} == {
        "random": 30,
        "medium": 30,
        "medium-replay": 40,
        "expert": 30,
        "medium-expert": 60,
    }
    learner = LearnerFolder(folder / "learner", CONFIG)
    again = rollout(learner.policy(40), SLOPE, 30, SETTINGS.seed + d4rl_levels.ROLLOUT_SEED + 1)
    np.testing.assert_array_equal(logs["medium"].observations, again.observations)
    np.testing.assert_array_equal(logs["medium-replay"].actions, learner.experience(40).actions)
    both = np.concatenate([logs["medium"].rewards, logs["expert"].rewards])
    np.testing.assert_array_equal(logs["medium-expert"].rewards, both)
    assert logs["medium-expert"].terminals[29] or logs["medium-expert"].timeouts[29]
    assert not np.array_equal(logs["random"].actions, logs["medium"].actions)
    assert all(log.usable.all() for log in logs.values())


def test_a_log_says_how_it_was_made(made: tuple[CollectRequest, Path]):
    _, folder = made
    recorded = facts(folder, "medium-replay")
    assert (recorded["level"], recorded["seed"], recorded["medium_steps"]) == ("medium-replay", 3, 40)
    assert recorded["command"] == "micro-rl data collect KeptSlope-v0"
    assert "seed 3, the first 20 actions uniformly random" in recorded["recipe"]
    assert "first 40 steps" in recorded["recipe"]
    assert recorded["medium_policy_sha256"] == sha256(LearnerFolder(folder / "learner", CONFIG).policy_file(40))
    assert {"medium_steps", "expert_steps"} <= set(facts(folder, "medium-expert"))


def test_nothing_more_need_be_said_to_train_on_it(made: tuple[CollectRequest, Path]):
    _, folder = made
    plan = make_plan(log_file(folder, SLOPE, "medium"))
    assert plan.task.env == SLOPE and plan.task.horizon == 13
    assert (plan.dataset.action_low, plan.dataset.action_high) == ([-2], [1])


def test_a_known_simulator_brings_its_rule_and_scores():
    from micro_rl.simulation.collect import _facts

    recorded = _facts(request(learner=LearnerConfig("Hopper-v4", SETTINGS)))
    assert (recorded["horizon"], recorded["termination"], recorded["score_max"]) == (1000, "hopper", 3234.3)
    shorter = _facts(request(learner=LearnerConfig("Hopper-v4", SETTINGS, horizon=100)))
    assert shorter["horizon"] == 100 and "score_max" not in shorter


def test_a_log_that_is_there_stays(made: tuple[CollectRequest, Path]):
    given, folder = made
    before = sha256(log_file(folder, SLOPE, "medium"))
    notes = Notes()
    collect(given, ["medium"], folder, "another command", notes)
    assert notes.texts == [f"{log_file(folder, SLOPE, 'medium')}: is there already"] and not notes.logs
    assert sha256(log_file(folder, SLOPE, "medium")) == before


def test_a_learner_that_went_further_makes_the_same_log(tmp_path: Path):
    shorter = request(learner=replace(CONFIG, settings=replace(SETTINGS, steps=40)))
    collect(request(), ["expert"], tmp_path / "further", "")
    for name in ("further", "fresh"):
        collect(shorter, ["expert"], tmp_path / name, "", force=True)
    assert facts(tmp_path / "further", "expert")["expert_steps"] == 40
    assert sha256(log_file(tmp_path / "further", SLOPE, "expert")) == sha256(
        log_file(tmp_path / "fresh", SLOPE, "expert")
    )


def test_another_request_is_refused_or_forced(made: tuple[CollectRequest, Path]):
    given, folder = made
    longer = replace(given, rows=31)
    with pytest.raises(UserError, match=r"random.hdf5: is there already and was requested otherwise.*--force"):
        collect(longer, ["random"], folder, "")
    collect(longer, ["random"], folder, "", force=True)
    assert len(load(log_file(folder, SLOPE, "random"))) == 31


def test_a_learner_that_never_was_medium(made: tuple[CollectRequest, Path]):
    _, folder = made
    with pytest.raises(UserError, match=r"no evaluation reached the medium return 1000000.0 \(given\) in 60 steps"):
        collect(request(medium_return=1e6), ["medium"], folder, "", force=True)
    with pytest.raises(UserError, match="untrained policy"):
        collect(request(medium_return=-1e6), ["medium"], folder, "", force=True)


@pytest.mark.parametrize("wrong, named", [({"rows": 0}, "rows"), ({"medium_fraction": 1.0}, "medium_fraction")])
def test_impossible_requests(tmp_path: Path, wrong: dict[str, Any], named: str):
    with pytest.raises(UserError, match=named):
        collect(request(**wrong), ["random"], tmp_path, "")
    assert not list(tmp_path.iterdir())


def test_names_of_logs():
    assert title("Hopper-v4") == "hopper" and title("Hopper-v5") == "hopper-v5"
    assert title("my_package:Plant-v1") == "plant-v1" and title("ALE/Plant-v1") == "ale-plant-v1"
    assert tasks.find(log_file(Path(), "Walker2d-v4", "medium-expert").stem).env == "Walker2d-v4"
