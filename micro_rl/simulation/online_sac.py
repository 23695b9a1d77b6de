"""Online soft actor-critic: the project's own update, on what the learner itself sees in a simulator."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Key

from micro_rl.algorithms.coefficients import coefficients
from micro_rl.algorithms.export import export
from micro_rl.algorithms.sac import Agent, Coefficients, draw_noise, start_agent, update
from micro_rl.algorithms.slots import Method
from micro_rl.core.settings import Settings
from micro_rl.core.types import Batch, Scaling, Transition
from micro_rl.data.log_parts import RawTransitions
from micro_rl.data.scaling import to_core
from micro_rl.dynamics.ensemble import Models
from micro_rl.errors import UserError
from micro_rl.policy import Policy
from micro_rl.simulation import envs
from micro_rl.simulation.evaluation import Evaluation, Evaluator
from micro_rl.simulation.online_settings import OnlineSettings, check
from micro_rl.simulation.recorder import Experience, Recorder
from micro_rl.storage import pytree_io

EVALUATION_SEED = 1_000_000
"""Added to the seed for evaluations, so that no evaluated episode starts where a learning one did."""


class State(NamedTuple):
    """With settings and experience, all that the rest of a learner's life depends on."""

    agent: dict[str, np.ndarray]
    """The arrays of `Agent` by name. They share the agent's memory: save them before the learner goes on."""
    streams: dict[str, Any]
    """Of its generator and of its simulator, as JSON can hold them."""


class Progress(NamedTuple):
    """How far a learner is: its evaluation, its policy, all it has seen until then, and how to go on."""

    steps: int
    evaluation: Evaluation
    policy: Policy
    experience: Experience
    state: State


def learn(
    env_id: str,
    settings: OnlineSettings,
    horizon: int | None = None,
    resume: tuple[Experience, State] | None = None,
) -> Iterator[Progress]:
    """Learn by soft actor-critic in a simulator; the same settings give the same bits on one machine, resumed or not.

    Args:
        env_id: of the simulator; see `envs.make`.
        settings: of the learner.
        horizon: the episodes' time limit in steps, where it is not the simulator's own.
        resume: what an earlier learner yielded, to go on after that evaluation; `steps` alone may be another then.

    Yields:
        The learner at every evaluation, the first of them untrained.

    Raises:
        UserError: for settings that cannot work, and simulators whose actions have no bounds.
    """
    check(settings)
    evaluator = Evaluator(env_id, episodes=settings.eval_episodes, horizon=horizon)
    with closing(envs.make(env_id, horizon)) as env, evaluator:
        learner = _Learner(env, env_id, settings)
        if resume:
            learner.restore(*resume)
        else:
            yield learner.progress(evaluator)
        while learner.recorder.count < settings.steps:
            learner.turn()
            if learner.recorder.count % settings.eval_every == 0:
                yield learner.progress(evaluator)


def random_experience(env_id: str, steps: int, seed: int) -> Experience:
    """Record `steps` steps of uniformly random actions; the last episode may be cut short. Raises as `learn`."""
    rng = _numbers(seed)
    with closing(envs.make(env_id)) as env:
        low, high = finite_bounds(env, env_id)
        recorder = Recorder(env, steps, seed)
        for _ in range(steps):
            recorder.step(rng.uniform(low, high))
        return recorder.experience()


class _Learner:
    """An agent beside its simulator."""

    def __init__(self, env: envs.Env, env_id: str, settings: OnlineSettings):
        self.settings, self.env_id = settings, env_id
        self.low, self.high = finite_bounds(env, env_id)
        self.recorder = Recorder(env, settings.steps, settings.seed)
        self.scaling = _scaling(self.low, self.high, len(self.recorder.observation), settings.reward_scale)
        self.rng = _numbers(settings.seed)
        start_key, self.update_key = jax.random.split(jax.random.key(settings.seed))
        obs, act = envs.widths(env)
        self.agent = start_agent(start_key, obs, act, settings.hidden_sizes, critics=2, temperature=1.0)
        self.coefficients = _coefficients(settings, act)
        self.policy = export(self.agent.actor, self.scaling, self.env_id)

    def progress(self, evaluator: Evaluator) -> Progress:
        """Evaluated as it stands."""
        evaluation = evaluator(self.policy, seed=self.settings.seed + EVALUATION_SEED)
        streams = {"actions": self.rng.bit_generator.state, "simulator": self.recorder.state()}
        state = State(pytree_io.to_arrays(self.agent), streams)
        return Progress(self.recorder.count, evaluation, self.policy, self.recorder.experience(), state)

    def restore(self, past: Experience, state: State) -> None:
        """Become the learner that had this past and was in that state."""
        self.recorder.restore(past, state.streams["simulator"])
        self.rng.bit_generator.state = state.streams["actions"]
        self.agent = pytree_io.from_arrays(self.agent, state.agent)
        self.policy = export(self.agent.actor, self.scaling, self.env_id)

    def turn(self) -> None:
        """Some steps, then as many updates."""
        for _ in range(self.settings.turn):
            self.recorder.step(self._action())
        if self.recorder.count > self.settings.random_steps:
            self._learn()

    def _action(self) -> Float[np.ndarray, " act"]:
        if self.recorder.count < self.settings.random_steps:
            return self.rng.uniform(self.low, self.high)
        return self.policy.sample(self.recorder.observation, self.rng)

    def _learn(self) -> None:
        updates = self.settings.turn
        rows = draw(self.recorder.experience(), self.rng, (updates, self.settings.batch_size), self.scaling)
        keys = jax.random.split(jax.random.fold_in(self.update_key, self.recorder.count), updates)
        self.agent = compiled_improve(self.agent, rows, keys, self.coefficients)
        self.policy = export(self.agent.actor, self.scaling, self.env_id)


def draw(experience: Experience, rng: np.random.Generator, shape: tuple[int, int], scaling: Scaling) -> Transition:
    """Draw rows [update, batch] in core units, uniformly and with replacement."""
    index = rng.integers(0, len(experience.rewards), shape[0] * shape[1])
    rows = RawTransitions(
        experience.observations[index],
        experience.actions[index],
        experience.rewards[index],
        experience.next_observations[index],
        1 - experience.terminals[index].astype(np.float32),
    )
    return jax.tree.map(lambda column: jnp.asarray(column.reshape(*shape, *column.shape[1:])), to_core(rows, scaling))


def improve(agent: Agent, rows: Transition, keys: Key[Array, " update"], c: Coefficients) -> Agent:
    """Apply `sac.update` with every batch of `rows` [update, batch, ...]; no model, and so no model row."""
    method, no_model = Method(), Models.none()

    def step(agent: Agent, inputs: tuple[Transition, Array]) -> tuple[Agent, None]:
        transitions, key = inputs
        batch = Batch(transitions, jax.tree.map(lambda column: column[:0], transitions))
        noise_key, method_key = jax.random.split(key)
        noise = draw_noise(noise_key, method, batch, no_model)
        return update(agent, method, no_model, batch, noise, method_key, c)[0], None

    return jax.lax.scan(step, agent, (rows, keys))[0]


compiled_improve = partial(jax.jit, donate_argnames="agent")(improve)


def _numbers(seed: int) -> np.random.Generator:
    """A stream of its own: the simulator's is `default_rng(seed)`."""
    return np.random.default_rng((seed, 1))


def _coefficients(settings: OnlineSettings, act: int) -> Coefficients:
    rates = dict.fromkeys(("actor_lr", "critic_lr", "temperature_lr"), settings.lr)
    return coefficients(Settings(discount=settings.discount, tau=settings.tau, **rates), act)


def _scaling(low: np.ndarray, high: np.ndarray, obs: int, reward_scale: float) -> Scaling:
    """Observations stay raw: their moments are not known before they are seen."""
    return Scaling(
        observation_mean=np.zeros(obs, np.float32),
        observation_std=np.ones(obs, np.float32),
        action_mid=((high + low) / 2).astype(np.float32),
        action_half=((high - low) / 2).astype(np.float32),
        reward_scale=np.asarray(reward_scale, np.float32),
    )


def finite_bounds(env: envs.Env, env_id: str) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest action [act], raw units; `UserError` where there is none."""
    low, high = envs.action_bounds(env)
    if not np.isfinite([low, high]).all():
        raise UserError(f"simulator '{env_id}' sets no bounds on its actions: wrap it in one that does")
    return low, high
