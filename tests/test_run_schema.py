"""What config.json and scores.json may hold: the first part that is something else is named in one line."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from micro_rl.core.renamed import renamed_config
from micro_rl.errors import UserError
from micro_rl.storage.run_schema import LONGEST, validate_config, validate_scores

FIXTURES = Path(__file__).parent / "fixtures"
EVALUATION = {"mean_of_last": 1, "std_of_last": 0.5, "evaluations": 3, "last": math.nan, "best": math.inf}
COLUMN = {"name": "level", "unit": "m", "low": 0.5, "high": 2}
TASK = {"env": None, "horizon": 5, "termination": "hopper", "score_min": 0, "score_max": None}


@pytest.mark.parametrize("folder", sorted(FIXTURES.glob("run-format-*")), ids=lambda folder: folder.name)
def test_what_runs_wrote(folder: Path):
    validate_config(renamed_config(json.loads((folder / "config.json").read_text())), folder)
    validate_scores(json.loads((folder / "scores.json").read_text()), folder)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {
            "task": {},
            "log": {"reading": {"observations": ["level"], "reward": "-level", "largest_gap": 2.5}},
            "options": {"beta": [1, 2.5, None, "a", True]},
            "settings": {"of_later": "x"},
        },
        {"task": TASK, "notes": ["a"], "settings": {"discount": 1, "target_entropy": None, "hidden_sizes": []}},
        {"command": "x" * 2 * LONGEST, "anything": {"else": [[]]}},
        {"notes": ["x" * 2 * LONGEST], "task": TASK | {"termination": "x" * 2 * LONGEST}},
        {"log": {"reading": {"reward": "x" * 2 * LONGEST}, "observation_std": [1.0] * 2 * LONGEST}},
        {"columns": {"observations": [COLUMN], "actions": [COLUMN | {"low": None, "high": None}]}, "mapping": "# pump"},
    ],
)
def test_what_a_config_may_be(config: dict[str, Any]):
    validate_config(config, Path("config.json"))


@pytest.mark.parametrize(
    "config, part",
    [
        ({"method": 5}, "method"),
        ({"method": "x" * (LONGEST + 1)}, "method"),
        ({"notes": "a note"}, "notes"),
        ({"mapping": None}, "mapping"),
        ({"reward_rms": "1"}, "reward_rms"),
        ({"columns": []}, "columns"),
        ({"columns": {"observations": [COLUMN | {"unit": 1}]}}, "columns, observations"),
        ({"columns": {"actions": [COLUMN | {"low": "x"}]}}, "columns, actions"),
        ({"columns": {"actions": [{"name": "level"}]}}, "columns, actions"),
        ({"log": None}, "log"),
        ({"log": {"name": None}}, "log, name"),
        ({"log": {"a\nb": {}}}, r"log, 'a\\nb'"),
        ({"log": {"reading": {"reward": {}}}}, "log, reading"),
        ({"options": {"beta": [[1]]}}, "options, beta"),
        ({"options": {"beta": 2**63}}, "options, beta"),
        ({"versions": {"jax": [0] * (LONGEST + 1)}}, "versions, jax"),
        ({"task": None}, "task"),
        ({"task": {"env": "Hopper-v4"}}, "task, horizon"),
        ({"task": TASK | {"horizon": 0}}, "task, horizon"),
        ({"task": TASK | {"horizon": True}}, "task, horizon"),
        ({"task": TASK | {"more": 1}}, "task, more"),
        ({"settings": {"epochs": 1.5}}, "settings, epochs"),
        ({"settings": {"rollout_every": 2.5}}, "settings, rollout_every"),
        ({"settings": {"log_on": 1}}, "settings, log_on"),
        ({"settings": {"discount": "0.5"}}, "settings, discount"),
        ({"settings": {"learn_temperature": 1}}, "settings, learn_temperature"),
        ({"settings": {"hidden_sizes": ["a"]}}, "settings, hidden_sizes"),
    ],
)
def test_what_a_config_may_not_be(config: dict[str, Any], part: str):
    with pytest.raises(UserError, match=rf"^run/config.json: its {part} is not what a run writes there; restore"):
        validate_config(config, Path("run/config.json"))


@pytest.mark.parametrize(
    "scores, part",
    [
        ({"epochs": 1.0}, "epochs"),
        ({"eval/return": None}, "eval/return"),
        ({"eval/return": {name: EVALUATION[name] for name in ("last", "best")}}, "eval/return, evaluations"),
        ({"eval/normalised_score": EVALUATION | {"more": "text"}}, "eval/normalised_score, more"),
        ({"log": {"return_mean": 1.0, "return_best": 2.0, "rows": 1.5}}, "log, rows"),
    ],
)
def test_what_scores_may_not_be(scores: dict[str, Any], part: str):
    validate_scores({"epochs": 3, "eval/return": EVALUATION, "other": {}}, Path("scores.json"))
    with pytest.raises(UserError, match=rf"^scores.json: its {part} is not what a run writes there; restore"):
        validate_scores(scores, Path("scores.json"))
