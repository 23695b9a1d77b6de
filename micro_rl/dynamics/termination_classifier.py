"""The termination head: when an episode ends, learned from a log whose rule nobody has told.

A classifier looks at the next observation, as the rules do: what ends an episode is where it has come, and the model's
rollouts meet new next observations more evenly than new steps between them. The decision is drawn: a row ends with the
probability that the head gives it. A threshold would never end an episode in a system whose ends are rare everywhere
or hang on something that is not observed, and would leave a learning policy the places just below it, which look
perfectly safe; drawn, the expected discount is right wherever the probability is, and it is never inert.

Ends are rare, so each batch holds a fixed share of them; what that does to the probabilities is undone in the bias
(prior correction: King & Zeng, Logistic regression in rare events data, 2001). Episodes, not rows, are held out: half
of them correct the probabilities (Platt scaling), the other half measure the head and take no other part.
"""

from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Float32, Int, Key, PyTree, Scalar

from micro_rl.core.networks import MLP, uniform_mlp
from micro_rl.core.optim import adam_step, init_opt_state
from micro_rl.core.types import Scaling
from micro_rl.dynamics.termination_rules import Termination

HIDDEN = (128, 128)
RATE = 3e-3
BATCH, ENDS_OF_A_BATCH = 512, 64
HELD_OUT = 0.15
"""Share of the episodes that correct the head, and as many again that measure it."""
MOST_OTHERS = 1_000_000
"""Rows without an end that are learned from, drawn evenly where the log has more."""
STRENGTH = 1.0
"""How many rows' worth of evidence the correction needs to move away from none."""
BINS = (0.0, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 1.0)
"""Edges of the probabilities among which calibration is tabled."""


class TerminationHead(Termination):
    """A row ends with the probability of its next observation."""

    net: MLP
    mean: Float[Array, " obs"]
    std: Float[Array, " obs"]

    def __call__(
        self, following: Float[Array, "rows obs"], scaling: Scaling, key: Key[Array, ""]
    ) -> Bool[Array, " rows"]:
        return jax.random.uniform(key, following.shape[:1]) < self.probability(following)

    def probability(self, following: Float[Array, "rows obs"]) -> Float[Array, " rows"]:
        """Of an end there; next observations in core units. 1 for one that is not finite: the rollout has exploded."""
        logit = self.logit(following)
        return jnp.where(jnp.isfinite(logit), jax.nn.sigmoid(logit), 1.0)

    def logit(self, following: Float[Array, "rows obs"]) -> Float[Array, " rows"]:
        """The logarithm of the odds of an end there."""
        return self.net((following - self.mean[None]) / self.std[None], jax.nn.swish)[:, 0]


class Steps(NamedTuple):
    """The log's rows for the head, on the host: where each led, in core units, whether it ended, in which episode."""

    following: Float32[np.ndarray, "row obs"]
    ended: Bool[np.ndarray, " row"]
    episode: Int[np.ndarray, " row"]

    def of(self, episodes: Int[np.ndarray, " some"]) -> "Steps":
        """The rows of these episodes."""
        rows = np.isin(self.episode, episodes)
        return Steps(*(column[rows] for column in self))


def blank(obs: int) -> TerminationHead:
    """A head of this width before it has learned anything."""
    net = uniform_mlp(jax.random.key(0), (obs, *HIDDEN, 1))
    return TerminationHead(net, jnp.zeros(obs), jnp.ones(obs))


def learn(steps: Steps, updates: int, key: Key[Array, ""]) -> tuple[TerminationHead, dict[str, Any]]:
    """The head, and what is known of it: `measure` on episodes that took no part. `steps` must hold an end."""
    split_key, fit_key = jax.random.split(key)
    rng = np.random.default_rng(np.asarray(jax.random.key_data(split_key)))
    train, correct, test = (steps.of(episodes) for episodes in _parts(steps, rng))
    head = _fitted(train, updates, rng, fit_key)
    head = _corrected(head, *_correction(np.asarray(compiled_logit(head, correct.following)), correct.ended))
    measured = measure(np.asarray(compiled_probability(head, test.following)), test.ended)
    sizes = {"held_out_episodes": len(np.unique(test.episode)), "terminals": int(steps.ended.sum())}
    return head, sizes | measured


def measure(probability: Float[np.ndarray, " row"], ended: Bool[np.ndarray, " row"]) -> dict[str, Any]:
    """Precision, recall and calibration of ends that are drawn with these probabilities, in expectation.

    Precision: of the rows that the head ends, the share that did end; recall: of those that did, the share that it
    ends; None where there is none to divide by. `reliability` has one entry for each of `BINS` that has rows.
    """
    probability = probability.astype(np.float64)
    both, expected, happened = float(probability @ ended), float(probability.sum()), int(ended.sum())
    in_bin = np.clip(np.searchsorted(BINS, probability, side="right") - 1, 0, len(BINS) - 2)
    return {
        "held_out_rows": len(ended),
        "held_out_terminals": happened,
        "expected_terminals": expected,
        "precision": both / expected if expected else None,
        "recall": both / happened if happened else None,
        "brier": float(np.mean((probability - ended) ** 2)) if len(ended) else None,
        "reliability": [_bin(number, probability, ended, in_bin == number) for number in np.unique(in_bin).tolist()],
    }


def check_measured(findings: Any) -> None:
    """Refuse, with `ValueError`, what cannot be the findings of `learn` and must not be shown as such."""
    numbers = ("terminals", "held_out_episodes", "held_out_terminals", "expected_terminals", "precision", "recall")
    if not isinstance(findings, dict) or not all(
        type(findings.get(name, "missing")) in (int, float, type(None)) for name in numbers
    ):
        raise ValueError("does not tell what its termination head was measured to do")


def _bin(number: int, probability: np.ndarray, ended: np.ndarray, rows: np.ndarray) -> dict[str, Any]:
    return {
        "from": BINS[number],
        "to": BINS[number + 1],
        "rows": int(rows.sum()),
        "predicted": float(probability[rows].mean()),
        "ended": float(ended[rows].mean()),
    }


def _parts(steps: Steps, rng: np.random.Generator) -> list[Int[np.ndarray, " episode"]]:
    """Episodes to learn from, to correct by and to measure on; those that terminate and the others split alike."""
    terminating = np.unique(steps.episode[steps.ended])
    groups = terminating, np.setdiff1d(steps.episode, terminating)
    parts = zip(*(_split(rng.permutation(group)) for group in groups), strict=True)
    return [np.concatenate(part) for part in parts]


def _split(episodes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """At least one episode to learn from, then one to measure on, then one to correct by."""
    holdout = max(1, round(HELD_OUT * len(episodes)))
    test, correct = (holdout if len(episodes) > least else 0 for least in (1, 2))
    return episodes[test + correct :], episodes[test : test + correct], episodes[:test]


def _fitted(train: Steps, updates: int, rng: np.random.Generator, key: Array) -> TerminationHead:
    ends, others = np.flatnonzero(train.ended), np.flatnonzero(~train.ended)
    odds = len(ends) / max(len(others), 1)
    others = rng.permutation(others)[:MOST_OTHERS] if len(others) else ends  # where every row ends, all do
    mean, std = train.following.mean(0), train.following.std(0)
    fresh = TerminationHead(blank(len(mean)).net, jnp.asarray(mean), jnp.asarray(np.where(std > 1e-6, std, 1.0)))
    net_key, steps_key = jax.random.split(key)
    fresh = eqx.tree_at(lambda head: head.net, fresh, uniform_mlp(net_key, (len(mean), *HIDDEN, 1)))
    net = _compiled_fit(fresh, train.following[ends], train.following[others], steps_key, updates=updates)
    head = eqx.tree_at(lambda head: head.net, fresh, net)
    return _corrected(head, 1.0, float(np.log(odds * (BATCH - ENDS_OF_A_BATCH) / ENDS_OF_A_BATCH)))


@partial(jax.jit, static_argnames="updates")
def _compiled_fit(fresh: TerminationHead, ends: Array, others: Array, key: Array, *, updates: int) -> MLP:
    """Adam on the logistic loss, its rate falling along a cosine: the last steps average out the batches."""

    def step(carry: tuple[MLP, PyTree], shares_and_keys: tuple[Array, Array]) -> tuple[tuple[MLP, PyTree], None]:
        net, moments = carry
        share, step_key = shares_and_keys
        end_key, other_key = jax.random.split(step_key)
        gradient = jax.grad(_loss)(
            net, fresh, _draw(ends, end_key, ENDS_OF_A_BATCH), _draw(others, other_key, BATCH - ENDS_OF_A_BATCH)
        )
        return adam_step(net, gradient, moments, RATE * 0.5 * (1 + jnp.cos(jnp.pi * share))), None

    shares_and_keys = jnp.arange(updates) / updates, jax.random.split(key, updates)
    (net, _), _ = jax.lax.scan(step, (fresh.net, init_opt_state(fresh.net)), shares_and_keys)
    return net


def _draw(rows: Array, key: Array, size: int) -> Array:
    return rows[jax.random.randint(key, (size,), 0, rows.shape[0])]


def _loss(net: MLP, fresh: TerminationHead, ends: Array, others: Array) -> Scalar:
    def logits(rows: Array) -> Array:
        return net((rows - fresh.mean[None]) / fresh.std[None], jax.nn.swish)

    return (jnp.sum(jax.nn.softplus(-logits(ends))) + jnp.sum(jax.nn.softplus(logits(others)))) / BATCH


def _corrected(head: TerminationHead, scale: float, shift: float) -> TerminationHead:
    """The head whose logits are scale * logit + shift."""
    net = head.net
    weights = (*net.weights[:-1], net.weights[-1] * scale)
    return eqx.tree_at(lambda h: h.net, head, MLP(weights, (*net.biases[:-1], net.biases[-1] * scale + shift)))


def _correction(logit: Float[np.ndarray, " row"], ended: Bool[np.ndarray, " row"]) -> tuple[float, float]:
    """Scale and shift by Platt's regression (1999), held to (1, 0) by `STRENGTH`: few rows change little."""
    usual = np.array([1.0, 0.0])

    def loss(line: Float[np.ndarray, " 2"]) -> float:
        moved = line[0] * logit + line[1]
        return float(np.sum(np.logaddexp(0, moved) - ended * moved) + 0.5 * STRENGTH * np.sum((line - usual) ** 2))

    import scipy.optimize  # takes most of a second, and few runs learn a head

    scale, shift = scipy.optimize.minimize(loss, usual, method="Nelder-Mead").x
    return float(scale), float(shift)


compiled_logit = jax.jit(TerminationHead.logit)
compiled_probability = jax.jit(TerminationHead.probability)
