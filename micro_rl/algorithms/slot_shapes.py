"""What the code of a method from outside gives, held against what training takes: by shapes alone, before any work."""

from collections.abc import Callable, Collection
from functools import lru_cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import PyTree

from micro_rl.algorithms.method import AnyMethod
from micro_rl.algorithms.model_free.base import ModelFreeMethod
from micro_rl.algorithms.own_code import raised_in
from micro_rl.algorithms.sac import Agent, Coefficients, start_agent
from micro_rl.algorithms.slots import EpochContext, Method, MethodContext
from micro_rl.core.networks import MLP, Network
from micro_rl.core.sizes import Sizes
from micro_rl.core.types import Batch, LogRows, Transition
from micro_rl.core.wording import plural
from micro_rl.dynamics.ensemble import Models
from micro_rl.dynamics.saved_model import ModelShape
from micro_rl.errors import UserError, in_words

MADE = 11
"""Rows of a rollout; a number that no other size is likely to have."""


def check_slots(method: AnyMethod, source: str, sizes: Sizes, shape: ModelShape, rows: int) -> None:
    """Refuse a method whose slots give other shapes than training takes, or cannot be compiled.

    Args:
        method: From outside the package.
        source: Its file, or where there is none, what it is called.
        sizes: The run's.
        shape: Of the model that it learns in; of its widths alone where it learns none.
        rows: Of the log.

    Raises:
        UserError: Names the file, the slot, and the shape that is needed.
    """
    leaves, structure = jax.tree.flatten(method)
    if odd := [leaf for leaf in leaves if not isinstance(leaf, Array | np.ndarray | np.generic | int | float)]:
        raise UserError(
            f"method: {source}: build(options) puts {odd[0]!r:.40} among the coefficients: declare what is no number "
            "by eqx.field(static=True)"
        )
    kinds = tuple((jnp.shape(leaf), jnp.result_type(leaf)) for leaf in leaves)
    _check(structure, kinds, source, sizes, shape, rows)


@lru_cache(maxsize=256)
def _check(structure: Any, kinds: tuple[Any, ...], source: str, sizes: Sizes, shape: ModelShape, rows: int) -> None:
    """The same once for all runs that differ in the values of leaves alone."""
    method = jax.tree.unflatten(structure, [jax.ShapeDtypeStruct(*kind) for kind in kinds])
    trial = _Trial(source, method)
    if isinstance(method, ModelFreeMethod):
        _check_learner(trial, method.steps, sizes, shape)
    else:
        assert isinstance(method, Method), "checked when it was built"
        _check_method(trial, sizes, shape, rows)


class _Trial:
    """Calls slots with shapes in the place of arrays."""

    def __init__(self, source: str, method: AnyMethod):
        self._source, self._method = source, method

    def result(self, slot: str, call: Callable[..., PyTree], *arguments: PyTree) -> Any:
        """What `call(method, *arguments)` gives; `UserError` where the slot raises anything."""
        try:
            return jax.eval_shape(call, self._method, *arguments)
        except UserError:
            raise
        except Exception as error:  # another's code: whatever it is
            own = raised_in(error, self._files())
            raise UserError(own or f"method: {self._source}: {slot}: {in_words(error)}") from error

    def _files(self) -> Collection[Path]:
        return {Path(self._source)}

    def refuse(self, slot: str, text: str) -> None:
        """Raise `UserError` of what a slot gives."""
        raise UserError(f"method: {self._source}: {slot} gives {text}")

    def pair(self, slot: str, value: Any, of: str) -> tuple[Any, Any]:
        """A slot's result taken apart."""
        if not isinstance(value, tuple) or len(value) != 2:
            self.refuse(slot, f"a {type(value).__name__}; it must be {of}")
        return value

    def alike(self, slot: str, part: str, value: PyTree, wanted: PyTree) -> None:
        """What a slot hands on must have the structure, the shapes and the types of what it was given."""
        if jax.tree.structure(value) != jax.tree.structure(wanted):
            self.refuse(slot, f"{part} of another structure; it must be the one that it was given, with other numbers")
        pairs = zip(jax.tree_util.tree_leaves_with_path(value), jax.tree.leaves(wanted), strict=True)
        for (path, leaf), other in pairs:
            if (leaf.shape, leaf.dtype) != (other.shape, other.dtype):
                where = part + jax.tree_util.keystr(path)
                self.refuse(slot, f"{where} as {leaf.dtype} {leaf.shape}; it must be {other.dtype} {other.shape}")

    def number(self, slot: str, part: str, value: Any, shape: tuple[int, ...], each: str) -> None:
        """A slot's array must have this shape."""
        if not isinstance(value, jax.ShapeDtypeStruct) or not jnp.issubdtype(value.dtype, jnp.number):
            self.refuse(slot, f"{part} that is no array of numbers; it must be of shape {shape}, {each}")
        if value.shape != shape:
            self.refuse(slot, f"{part} of shape {value.shape}; it must be {shape}, {each}")

    def log(self, slot: str, logged: Any) -> None:
        """What a slot gives to be logged: numbers by name."""
        if not isinstance(logged, dict) or not all(isinstance(name, str) for name in logged):
            self.refuse(slot, f"a {type(logged).__name__} to log; it must be a dict of numbers by name, {{}} for none")
        for name, value in logged.items():
            self.number(slot, f"{name!r} to log", value, (), "one number: its mean, for one")


def _check_method(trial: _Trial, sizes: Sizes, shape: ModelShape, rows: int) -> None:
    """The five slots of a method that learns in a model, in the order in which training calls them."""
    key, ensemble = jax.random.key(0), shape.blank()["ensemble"]
    networks = *_widths(shape), *_networks(sizes), 1.0, sizes.critic_norm
    agent: Agent = jax.eval_shape(lambda key: start_agent(key, *networks), key)
    models: Models = jax.eval_shape(lambda ensemble: Models.of(ensemble, sizes.num_elites), ensemble)
    log, made = _transitions(rows, shape), _transitions(MADE, shape)
    begun = trial.result("prepare", lambda own, *inputs: own.prepare(*inputs), agent.actor, ensemble, log, key)
    actor, state = trial.pair("prepare", begun, "(actor, state), the state () where nothing is remembered")
    trial.alike("prepare", "actor", actor, agent.actor)
    row = trial.result("transform", lambda own, *inputs: own.transform(*inputs), ensemble, state, made)
    trial.alike("transform", "rows", row, made)
    context = MethodContext(agent.critics, agent.targets, agent.actor, models, _floats())
    _check_target(trial, sizes, shape, context)
    _check_penalty(trial, sizes, shape, agent)

    def adapted(own: Method, ensemble: PyTree, state: PyTree, networks: MethodContext, log: Transition, key: Array):
        never = lambda following, key: jnp.zeros(following.shape[0], bool)  # noqa: E731
        return own.update_model(ensemble, state, EpochContext(networks, log, never), key)

    after = trial.result("update_model", adapted, ensemble, state, context, log, key)
    trial.alike("update_model", "(ensemble, state)", after, (ensemble, state))


def _check_target(trial: _Trial, sizes: Sizes, shape: ModelShape, context: MethodContext) -> None:
    key, count = jax.random.key(0), sizes.batch_size - sizes.real_rows
    rows = _transitions(count, shape)
    noise = trial.result("target.noise", lambda own, *inputs: own.target.noise(*inputs), key, rows, context.models)
    outputs = trial.result("target", lambda own, *inputs: own.target(*inputs), rows, _floats(count), context, noise)
    y, logged = trial.pair("target", outputs, "(y, what to log)")
    trial.number("target", "y", y, (count,), "one for each model row")
    trial.log("target", logged)


def _check_penalty(trial: _Trial, sizes: Sizes, shape: ModelShape, agent: Agent) -> None:
    key, real = jax.random.key(0), sizes.real_rows
    batch = Batch(_transitions(real, shape), _transitions(sizes.batch_size - real, shape))
    arguments = (agent.critics, agent.actor, batch, key)
    penalty = trial.result("regularize", lambda own, *inputs: own.regularize(*inputs), *arguments)
    trial.number("regularize", "a penalty", penalty, (), "one number: a mean over rows")

    def gradient(own: Method, critics: Network, *inputs: Any) -> PyTree:
        return jax.grad(lambda critics: jnp.float32(0) + own.regularize(critics, *inputs))(critics)

    trial.result("regularize", gradient, *arguments)


def _check_learner(trial: _Trial, steps: int, sizes: Sizes, shape: ModelShape) -> None:
    """Start and update of a method without a model."""
    key, (obs, act) = jax.random.key(0), _widths(shape)
    agent = trial.result("start", lambda own, key, warmth: own.start(key, obs, act, sizes, warmth), key, _floats())
    if not all(hasattr(agent, name) for name in ("_asdict", "actor", "critics")):
        trial.refuse("start", f"a {type(agent).__name__}; it must be a NamedTuple with actor and critics (or None)")
    ends = (agent.actor.weights[0].shape[0], agent.actor.biases[-1].shape) if isinstance(agent.actor, MLP) else ()
    if ends != (obs, (2 * act,)):
        trial.refuse(
            "start", f"an actor that is no MLP from {plural(obs, 'column')} to {2 * act}: means and log deviations"
        )
    count = sizes.batch_size * steps
    rows = LogRows(_transitions(count, shape), _floats(count, act), _floats(count))
    c = Coefficients(*(_floats() for _ in Coefficients._fields))
    outputs = trial.result("update", lambda own, *inputs: own.update(*inputs), agent, rows, key, c)
    after, logged = trial.pair("update", outputs, "(agent, what to log)")
    trial.alike("update", "agent", after, agent)
    trial.log("update", logged)


def _widths(shape: ModelShape) -> tuple[int, int]:
    return shape.obs, shape.act


def _networks(sizes: Sizes) -> tuple[tuple[int, ...], int]:
    return sizes.hidden_sizes, sizes.num_critics


def _floats(*shape: int) -> Any:
    return jax.ShapeDtypeStruct(shape, jnp.float32)


def _transitions(rows: int, shape: ModelShape) -> Any:
    """So many rows, of which nothing is known but the shapes."""
    obs, act = _widths(shape)
    return Transition(_floats(rows, obs), _floats(rows, act), _floats(rows), _floats(rows, obs), _floats(rows))
