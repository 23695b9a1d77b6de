"""A policy whose observations are attacked before it sees them."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Key

from micro_rl.core.networks import MLP
from micro_rl.errors import UserError
from micro_rl.policy import Policy
from micro_rl.robustness import attacks
from micro_rl.robustness.attacks import Critics
from micro_rl.robustness.cells import Attack


class Perturbed:
    """The policy, shown each observation with something added: `added` takes and gives raw ones, [rows, obs]."""

    def __init__(self, policy: Policy, added: Callable[[np.ndarray], np.ndarray]):
        self._policy, self._added = policy, added
        self.reset = policy.reset

    def __call__(self, observation: Float[np.ndarray, "rows obs"]) -> Float[np.ndarray, "rows act"]:
        """The action for what it is shown."""
        return self._policy(observation + self._added(observation))


class Attacked:
    """The policy as it acts under attack; raw observations [rows, obs] to raw actions [rows, act], as `Policy`.

    Draws depend on the seed and the step alone, one stream for each row. Raises `UserError` for an attack that needs
    what the policy or its critics lack.
    """

    def __init__(
        self,
        policy: Policy,
        attack: Attack,
        observation_std: np.ndarray,
        critics: Sequence[Critics] = (),
        seed: int = 0,
    ):
        """`observation_std` [obs]: the log's, the unit of epsilon."""
        if policy.history > 1 and attack.aim != "random":
            raise UserError(
                f"{attack}: the policy sees a window of {policy.history} observations, and on such ones only random "
                "attacks are made; use a protocol without others"
            )
        if attack.aim == "min Q" and attack.epsilon and not critics:
            raise UserError(f"{attack}: there are no critics to attack with; name a run that has some with --critic")
        self._policy, self._seed, self._step = policy, seed, 0
        self._size = attack.epsilon * np.asarray(observation_std, np.float64)
        self._search = None if attack.epsilon == 0 else _compiled(policy, attack, self._size, tuple(critics))

    def reset(self, rows: Any = None) -> None:
        """An episode begins."""
        self._step = 0 if rows is None else self._step
        self._policy.reset(rows)

    def __call__(self, observation: Float[np.ndarray, "rows obs"]) -> Float[np.ndarray, "rows act"]:
        """The action for what it is shown."""
        return self._policy(self.shown(observation))

    def shown(self, observation: Float[np.ndarray, "rows obs"]) -> Float[np.ndarray, "rows obs"]:
        """The true observations with the attack's perturbation."""
        if self._search is None:
            return observation
        key = jax.random.fold_in(jax.random.key(self._seed), self._step)
        self._step += 1
        return observation + self._size * np.asarray(self._search(key, observation), np.float64)


def _compiled(policy: Policy, attack: Attack, size: np.ndarray, critics: tuple[Critics, ...]) -> Any:
    """From raw observations to z."""
    if attack.aim == "random":
        return partial(_drawn, policy.observation_size)
    width = jnp.asarray(size / policy.observation_std, jnp.float32)
    actor = actor_of(policy)
    search = attacks.SEARCHES[attack.form]

    def perturbations(key: Key[Array, ""], core: np.ndarray) -> Array:
        return _perturbations(actor, critics, width, key, core, search, attack.aim)

    def raw(key: Key[Array, ""], observation: np.ndarray) -> Array:
        core = (observation - policy.observation_mean) / policy.observation_std
        return perturbations(key, core.astype(np.float32))

    return raw


@partial(jax.jit, static_argnums=0)
def _drawn(width: int, key: Key[Array, ""], observation: Float[Array, "rows obs"]) -> Float[Array, "rows obs"]:
    keys = jax.random.split(key, observation.shape[0])
    return jax.vmap(lambda row_key: attacks.uniform(row_key, 1, width)[0])(keys)


@partial(jax.jit, static_argnums=(5, 6))
def _perturbations(
    actor: MLP,
    critics: tuple[Critics, ...],
    width: Float[Array, " obs"],
    key: Key[Array, ""],
    core: Float[Array, "rows obs"],
    search: Any,
    aim: str,
) -> Float[Array, "rows obs"]:
    """Row by row, each with a key of its own."""

    def perturbation(row_key: Key[Array, ""], observation: Float[Array, " obs"]) -> Array:
        harm = (
            attacks.action_difference(actor, observation)
            if aim == "action difference"
            else attacks.least_value(actor, critics, observation)
        )
        return search(row_key, harm, observation, width)

    return jax.vmap(perturbation)(jax.random.split(key, core.shape[0]), core)


def actor_of(policy: Policy) -> MLP:
    """The deployed policy's network as the core's."""
    weights, biases = zip(*policy.layers, strict=True)
    return MLP(tuple(map(jnp.asarray, weights)), tuple(map(jnp.asarray, biases)))
