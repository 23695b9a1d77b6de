"""When a model's episodes end: the rules at their very limits, what is said of them, and what is refused."""

from dataclasses import replace
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.core.model_settings import ModelSettings
from micro_rl.core.types import Keys
from micro_rl.dynamics import termination_classifier
from micro_rl.dynamics.saved_model import FittedModel
from micro_rl.dynamics.termination import EndByHead, EndByRule, NoRollouts, episode_ends, needs_head
from micro_rl.dynamics.termination_rules import LEARNED, RULES, ByRule, guarded, never
from micro_rl.errors import UserError
from tests.probes import plain_units
from tests.test_model_report import system

BELOW = np.nextafter(0.7, 0.0)


@pytest.mark.parametrize(
    ("name", "observation", "ends"),
    [
        ("hopper", [0.7, 0.0, 0.0], True),
        ("hopper", [0.71, 0.0, 0.0], False),
        ("hopper", [BELOW, 0.0, 0.0], True),
        ("hopper", [150.0, 0.0, 0.0], False),
        ("hopper", [1.0, 0.2, 0.0], True),
        ("hopper", [1.0, -0.2, 0.0], True),
        ("hopper", [1.0, 0.19, 0.0], False),
        ("hopper", [1.0, -0.19, 0.0], False),
        ("hopper", [1.0, 0.0, 100.0], True),
        ("hopper", [1.0, 0.0, -100.0], True),
        ("hopper", [1.0, 0.0, 99.9], False),
        ("hopper-released", [1.0, 0.0, -100.0], False),
        ("hopper-released", [1.0, 0.0, 100.0], True),
        ("hopper-released", [1.0, 0.0, 99.9], False),
        ("hopper-released", [1.0, 0.0, -np.inf], True),
        ("hopper-released", [0.7, 0.0, 0.0], True),
        ("walker2d", [0.8, 0.0, 0.0], True),
        ("walker2d", [0.81, 0.0, 0.0], False),
        ("walker2d", [2.0, 0.0, 0.0], True),
        ("walker2d", [1.99, 0.0, 0.0], False),
        ("walker2d", [1.0, 1.0, 0.0], True),
        ("walker2d", [1.0, -1.0, 0.0], True),
        ("walker2d", [1.0, 0.99, 0.0], False),
        ("walker2d", [1.0, 0.0, 1e6], False),
        ("walker2d-guarded", [1.0, 0.0, 100.0], True),
        ("walker2d-guarded", [1.0, 0.0, -99.9], False),
        ("halfcheetah-guarded", [-100.0, 0.0, 0.0], True),
        ("halfcheetah-guarded", [99.9, 0.0, 0.0], False),
        ("halfcheetah", [np.inf, np.nan, 0.0], False),
        ("never", [-np.inf, 0.0, 0.0], False),
    ],
)
def test_rules_at_their_limits(name: str, observation: list[float], ends: bool):
    assert bool(RULES[name](np.array(observation))) is ends


def test_a_guard_of_ones_own_limit():
    assert guarded(never, 5.0)(np.array([[4.9], [5.0], [-5.0], [np.nan]])).tolist() == [False, True, True, True]


def test_a_rule_sees_raw_observations_and_of_a_window_the_newest():
    units = plain_units(3, 1)._replace(observation_std=jnp.array([2.0, 2.0, 2.0]), observation_mean=jnp.ones(3))
    high = lambda observation: (observation > 4).any(-1)  # noqa: E731
    rows = jnp.array([[1.4, 0.0, 0.0], [1.6, 0.0, 0.0], [0.0, 0.0, 2.0]])  # raw 3.8, 4.2; and 5 in the third
    key = jax.random.key(0)
    assert ByRule(high)(rows, units, key).tolist() == [False, True, True]
    assert ByRule(high, 2)(rows, units, key).tolist() == [False, True, False]


# What is decided of a log


def ended(terminals: int = 0, usable: bool = True, episodes: int = 4) -> Any:
    """A log whose first episodes terminate."""
    log = system([3] * episodes)
    last = np.flatnonzero(log.timeouts)
    ends = np.isin(np.arange(len(log)), last[:terminals])
    return replace(log, terminals=ends, timeouts=log.timeouts & ~ends, usable=~ends if not usable else log.usable)


def test_a_log_without_ends_never_ends_and_one_with_ends_is_learned_from():
    never_ends = episode_ends(ended())
    assert never_ends == EndByRule(None, never) and (never_ends.on_page, never_ends.can_be_typed) == ("never", True)
    assert episode_ends(ended(2)) == EndByHead() and EndByHead().on_page == LEARNED == "learned"
    assert (
        EndByHead().can_be_typed and NoRollouts().on_page == "where the log’s do" and NoRollouts().of(None, 1) is None
    )
    assert needs_head(ended(1)) and not needs_head(ended()) and not needs_head(ended(2, usable=False))
    assert episode_ends(ended(2), "hopper") == EndByRule("hopper", RULES["hopper"])
    by_text = episode_ends(ended(), "o0 > 3")
    assert by_text.name == "o0 > 3" and by_text.can_be_typed and by_text.measurement(with_findings()) == ""
    of_window = by_text.of(None, 2)
    assert isinstance(of_window, ByRule) and of_window.newest == 2


@pytest.mark.parametrize(
    ("log", "message"),
    [
        (ended(), "system: no row ends an episode, so it cannot be learned when episodes end; name a rule with"),
        (ended(3, usable=False), "system: 3 rows end an episode, but without their next observations, so it"),
    ],
)
def test_what_cannot_be_learned(log: Any, message: str):
    with pytest.raises(UserError) as refusal:
        episode_ends(log, "learned")
    assert str(refusal.value).startswith(message)


def far(observation: Any) -> Any:
    return observation[..., 0] > 1


def test_a_function_is_called_by_its_place_and_cannot_be_typed():
    own = episode_ends(ended(), far)
    assert own.name == f"{__name__}.far" == own.on_page and not own.can_be_typed


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (lambda observation: observation > 1, r"gives \(3, 2\) for 3 rows; it must take next observations \[row, 2\]"),
        (lambda observation: True, r"gives \(\) for 3 rows; it must take"),
        (lambda observation: [observation[..., 0] > 0], "gives list for 3 rows; it must take"),
        (lambda observation: 1 / 0, "ZeroDivisionError: division by zero; it must take"),
    ],
)
def test_a_function_that_is_no_rule(rule: Any, message: str):
    with pytest.raises(UserError, match=rf"^termination: .*{message}"):
        episode_ends(ended(), rule)


# Heads

MEASURED: dict[str, Any] = {
    "terminals": 40,
    "held_out_episodes": 5,
    "held_out_terminals": 4,
    "expected_terminals": 4.6,
    "precision": 0.826,
    "recall": 0.514,
}


def with_findings(**changes: Any) -> FittedModel:
    return FittedModel(cast(Any, None), plain_units(2, 1), {"termination": MEASURED | changes})


def test_what_is_said_of_a_head():
    learned = "no rule says when episodes end: learned from 40 terminals"
    said = "on 5 held-out episodes it ends 5 rows where 4 ended: precision 83 %, recall 51 %"
    assert EndByHead().measurement(with_findings()) == f"{learned}; {said}"
    alone = EndByHead().measurement(with_findings(held_out_episodes=1))
    assert "; on 1 held-out episode it ends" in alone
    for missing in ("precision", "recall"):
        assert EndByHead().measurement(with_findings(**{missing: None})) == (
            f"{learned}, too few to hold some out and measure what was learned"
        )


@pytest.mark.parametrize("name", MEASURED)
@pytest.mark.parametrize("value", ["many", True, [1]])
def test_findings_are_numbers(name: str, value: Any):
    termination_classifier.check_measured(dict.fromkeys(MEASURED))
    with pytest.raises(ValueError, match="does not tell what its termination head was measured to do"):
        termination_classifier.check_measured(MEASURED | {name: value})
    with pytest.raises(ValueError, match="does not tell"):
        termination_classifier.check_measured({key: part for key, part in MEASURED.items() if key != name})


def test_a_head_that_a_model_brings_stays_and_another_is_learned_from_the_log(
    monkeypatch: pytest.MonkeyPatch,
):
    learned: list[Any] = []

    def learn(steps: Any, updates: int, key: Any) -> tuple[str, dict[str, Any]]:
        learned.append((steps, updates, jax.random.key_data(key).tolist()))
        return "head", {"terminals": 2}

    monkeypatch.setattr(termination_classifier, "learn", learn)
    log, bare = ended(2), FittedModel(cast(Any, None), plain_units(2, 1), {"epochs": 3})
    settings = ModelSettings(termination_updates=17)
    model = EndByHead().complete(bare, log, settings, 5)
    assert model.head == "head" and model.about == {"epochs": 3, "termination": {"terminals": 2}}
    ((steps, updates, key),) = learned
    assert updates == 17 and steps.ended.tolist() == log.terminals.tolist()
    assert steps.episode.tolist() == np.repeat(np.arange(4), 3).tolist()
    np.testing.assert_allclose(steps.following, log.next_observations)
    assert key == jax.random.key_data(jax.random.fold_in(Keys.of(5).fit, 1 << 29)).tolist()
    assert EndByHead().complete(model, log, settings, 5) is model and len(learned) == 1


def test_the_loss_of_a_head_by_hand():
    """A network of weight 0 gives its bias for every row: here log 3, odds of three to one."""
    head = termination_classifier.blank(1)
    still = [jnp.zeros_like(weight) for weight in head.net.weights]
    biases = [*(jnp.zeros_like(bias) for bias in head.net.biases[:-1]), jnp.log(jnp.array([3.0]))]
    net = type(head.net)(tuple(still), tuple(biases))
    loss = jax.jit(termination_classifier._loss)(net, head, jnp.zeros((64, 1)), jnp.zeros((448, 1)))
    assert float(loss) == pytest.approx((64 * np.log(4 / 3) + 448 * np.log(4)) / 512, rel=1e-5)


def test_what_the_share_of_ends_in_a_batch_does_is_undone(monkeypatch: pytest.MonkeyPatch):
    """Networks that are not fitted at all: the logit is moved by log(odds x 448 / 64), the odds those of the rows."""
    monkeypatch.setattr(termination_classifier, "_compiled_fit", lambda fresh, *_, updates: fresh.net)
    following = np.array([[0.0], [2.0], [4.0], [6.0]], np.float32)
    steps = termination_classifier.Steps(following, np.array([True, False, False, False]), np.arange(4))
    key = jax.random.key(0)
    head = termination_classifier._fitted(steps, 1, np.random.default_rng(0), key)
    assert (float(head.mean[0]), float(head.std[0])) == pytest.approx((3.0, np.sqrt(5.0)))
    net = termination_classifier.uniform_mlp(jax.random.split(key)[0], (1, 128, 128, 1))
    bias = float(net.biases[-1][0]) + np.log(448 / 64 / 3)
    assert float(head.net.biases[-1][0]) == pytest.approx(bias, rel=1e-5)
    all_end = steps._replace(ended=np.ones(4, bool))
    head = termination_classifier._fitted(all_end, 1, np.random.default_rng(0), key)
    assert float(head.net.biases[-1][0]) == pytest.approx(float(net.biases[-1][0]) + np.log(4 * 448 / 64), rel=1e-5)
