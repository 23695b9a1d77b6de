"""A Markov decision process with a known value, and the evaluation of a policy in a model of it."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from micro_rl.algorithms import sac
from micro_rl.algorithms.sac import Coefficients
from micro_rl.algorithms.slots import Method
from micro_rl.core.networks import MLP, q_values
from micro_rl.core.types import Batch, Transition
from micro_rl.dynamics.ensemble import Ensemble, Models, predict
from tests.probes import agent_of, coefficients, linear_critics, linear_ensemble, no_rows, steady_actor


class Line(NamedTuple):
    """One state, one action: s' = keep s + push a + drift, r = s + price a, and no end.

    The action costs just what it gains, so that no policy's own noise enters a value, and V is linear in s.
    """

    keep: float = 0.5
    push: float = 0.3
    drift: float = 0.2
    discount: float = 0.9

    @property
    def slope(self) -> float:
        """dV/ds."""
        return 1 / (1 - self.discount * self.keep)

    @property
    def price(self) -> float:
        """What a unit of the action costs."""
        return -self.discount * self.slope * self.push

    def value(self, state: np.ndarray) -> np.ndarray:
        """V(s) of every policy, in closed form."""
        return self.slope * (state + self.discount * self.drift / (1 - self.discount))

    def ensemble(self, errors: list[float], std: float = 1e-6) -> Ensemble:
        """One member per entry of `errors`, which is what it adds to every next state."""
        weight = [[[self.keep - 1, 1.0], [self.push, self.price]]] * len(errors)
        bias = [[self.drift + error, 0.0] for error in errors]
        return linear_ensemble(weight, bias, [std, 1e-6])


def model_rows(ensemble: Ensemble) -> Transition:
    """A grid of states and actions, each answered by every member's mean: rollouts without their chance."""
    state, action = (x.reshape(-1, 1) for x in np.meshgrid(np.linspace(-1, 2, 7), np.linspace(-1, 1, 5)))
    observation, taken = jnp.asarray(state, jnp.float32), jnp.asarray(action, jnp.float32)
    mean, _ = jax.jit(predict)(ensemble, observation, taken)
    rows = (ensemble.size * observation.shape[0],)
    return Transition(
        jnp.tile(observation, (ensemble.size, 1)),
        jnp.tile(taken, (ensemble.size, 1)),
        mean[..., -1].reshape(rows),
        mean[..., :-1].reshape(*rows, 1),
        jnp.ones(rows),
    )


def evaluate_policy(
    line: Line, method: Method, ensemble: Ensemble, states: Float[np.ndarray, " state"], sweeps: int = 200
) -> Float[np.ndarray, " state"]:
    """V of a policy: the project's own targets on model rows, linear critics put through them.

    The sweeps repeat y = targets(...) and least squares until nothing moves (gamma^200 < 1e-9).
    """
    rows = model_rows(ensemble)
    features = np.concatenate([rows.observation, rows.action, np.ones((rows.reward.shape[0], 1))], axis=-1)
    solve = jnp.asarray(np.linalg.pinv(features), jnp.float32)
    critics = _swept(method, ensemble, rows, solve, coefficients(discount=line.discount), sweeps)
    at = jnp.asarray(states, jnp.float32)[:, None]
    return np.asarray(q_values(critics, at, jnp.zeros_like(at))).min(0)


@jax.jit
def _swept(
    method: Method, ensemble: Ensemble, rows: Transition, solve: Array, c: Coefficients, sweeps: int | Array
) -> MLP:
    actor, batch, models = steady_actor([0.4], obs=1), Batch(no_rows(1, 1), rows), Models.of(ensemble, ensemble.size)

    def sweep(number: Array, critics: MLP) -> MLP:
        noise = sac.draw_noise(jax.random.fold_in(jax.random.key(0), number), method, batch, models)
        y, _ = sac.targets(agent_of(actor, critics), method, models, batch, noise, c)
        fitted = solve @ y
        return MLP((jnp.tile(fitted[None, :2, None], (2, 1, 1)),), (jnp.tile(fitted[None, 2:], (2, 1)),))

    return jax.lax.fori_loop(0, sweeps, sweep, linear_critics([[0.0, 0.0]] * 2, [0.0] * 2))
