"""By what a Python function that ends episodes is known: the same in every process, and no other passes for it."""

from functools import partial
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.dynamics.rule_identity import name_of
from micro_rl.errors import UserError
from micro_rl.storage.config_diff import RULE, differences
from micro_rl.training.plan_record import default_config, plan_to_config
from micro_rl.training.run_begin import run_folder
from tests.probes import tiny_dataset, tiny_plan


def past(observation: Any, column: Any = 0, limit: Any = 1.0) -> Any:
    return observation[..., column] > jnp.max(jnp.asarray(limit))


class Rule:
    def __init__(self, limit: float):
        self.limit = limit

    def __call__(self, observation: Any, *_: Any) -> Any:
        return past(observation, limit=self.limit)

    def other(self, observation: Any) -> Any:
        return ~self(observation)


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        (past, "past"),
        (partial(past, limit=1), "past(limit=1)"),
        (partial(past, limit=np.array([1.5, 2.0]), column=np.int64(1)), "past(column=1, limit=(1.5, 2.0))"),
        (partial(past, limit=np.zeros(11)), "past(limit=numpy.ndarray)"),
        (partial(Rule(1.0), None, past, Rule(2.0)), f"Rule(None, {__name__}.past, {__name__}.Rule)"),
        (Rule(1.0), "Rule"),
        (Rule(1.0).other, "Rule.other"),
    ],
)
def test_names_say_where_it_is_defined_and_not_where_it_lies(rule: Any, name: str):
    assert name_of(rule) == f"{__name__}.{name}"


LOW, HIGH = lambda observation: past(observation, limit=0.5), lambda observation: past(observation, limit=0.51)


@pytest.mark.parametrize(("rule", "same", "other"), [(Rule(0.5), Rule(0.5), Rule(0.51)), (LOW, LOW, HIGH)])
def test_a_run_goes_on_under_the_same_rule_and_no_other(rule: Any, same: Any, other: Any, tmp_path: Path):
    run_folder(tiny_plan(termination=rule), tmp_path / "run", False)
    run_folder(tiny_plan(termination=same), tmp_path / "run", True)
    with pytest.raises(
        UserError, match=r"another termination rule \(ends [\d,]+ of 10,300 rows that were tried, \w{16}, "
    ):
        run_folder(tiny_plan(termination=other), tmp_path / "run", True)


def test_a_run_of_before_goes_on_and_on_another_log_nothing_is_said_of_the_rule():
    plan = tiny_plan(termination=Rule(0.5))
    config, defaults = plan_to_config(plan), default_config(plan)
    other = plan_to_config(tiny_plan(log=tiny_dataset(2.0), termination=Rule(0.5)))
    assert {part for part, _ in differences(config, other, defaults)} == {"log"}
    del config[RULE]
    assert differences(config, plan_to_config(plan), defaults) == []
    assert RULE not in plan_to_config(tiny_plan()) and RULE not in plan_to_config(tiny_plan(termination="o0 > 1"))
