"""Networks: multilayer perceptrons, single or stacked, and the tanh-Gaussian actor. Rows in, rows out."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Key, Scalar

from micro_rl.core.constants import LOG_STD_MAX, LOG_STD_MIN

Product = Callable[[Array, Array], Array]
"""Of rows and weights, [*stack, rows, in] and [*stack, in, out]."""
Tree = TypeVar("Tree")


def full_product(x: Array, weight: Array) -> Array:
    """The product in float32; a function with a name of its own, by which networks can be pickled."""
    return jnp.matmul(x, weight)


def rounded_product(x: Array, weight: Array) -> Array:
    """The product of bfloat16 copies, of 8 significant bits, summed in float32."""
    rounded, weights = x.astype(jnp.bfloat16), weight.astype(jnp.bfloat16)
    return jnp.matmul(rounded, weights, preferred_element_type=jnp.float32)


PRODUCTS: dict[str, Product] = {"float32": full_product, "mixed": rounded_product}
"""How matrices are multiplied where nobody learns through them, by the name of the precision."""


class MLP(eqx.Module):
    """Weights of one network, or of a stack of equal ones along a leading axis."""

    weights: tuple[Float[Array, "*stack _in _out"], ...]
    biases: tuple[Float[Array, "*stack _out"], ...]
    product: Product = eqx.field(static=True, default=full_product)

    def __call__(self, x: Array, activation: Callable[[Array], Array]) -> Array:
        """x [rows, in], or [stack, rows, in] for a stack, to [*stack, rows, out]."""
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = activation(_affine(x, weight, bias, self.product))
        return _affine(x, self.weights[-1], self.biases[-1], self.product)


def multiplied_by(product: Product, networks: Tree) -> Tree:
    """The same networks, or whatever holds them, whose layers multiply by this product."""

    def by(part: Tree) -> Tree:
        return replace(part, product=product) if isinstance(part, MLP) else part

    return jax.tree.map(by, networks, is_leaf=lambda part: isinstance(part, MLP))


class NormalisedMLP(eqx.Module):
    """The same with each hidden layer normalised, scaled and shifted (layer norm, arXiv 1607.06450).

    Either what the activation gives is normalised, or what it takes: `before_activation`.
    """

    net: MLP
    scales: tuple[Float[Array, "*stack _out"], ...]
    shifts: tuple[Float[Array, "*stack _out"], ...]
    before_activation: bool = eqx.field(static=True, default=False)

    @property
    def weights(self) -> tuple[Float[Array, "*stack _in _out"], ...]:
        """Of its layers, as an `MLP` has them."""
        return self.net.weights

    @property
    def biases(self) -> tuple[Float[Array, "*stack _out"], ...]:
        """Of its layers, as an `MLP` has them."""
        return self.net.biases

    def __call__(self, x: Array, activation: Callable[[Array], Array]) -> Array:
        """As of `MLP`."""
        hidden = zip(self.net.weights[:-1], self.net.biases[:-1], self.scales, self.shifts, strict=True)
        for weight, bias, scale, shift in hidden:
            x = _affine(x, weight, bias, self.net.product)
            x = jax.nn.standardize(x if self.before_activation else activation(x), epsilon=1e-6)
            x = x * scale[..., None, :] + shift[..., None, :]
            x = activation(x) if self.before_activation else x
        return _affine(x, self.net.weights[-1], self.net.biases[-1], self.net.product)


Network = MLP | NormalisedMLP


def normalised(net: MLP, before_activation: bool = False) -> NormalisedMLP:
    """Scales 1 and shifts 0."""
    hidden = net.biases[:-1]
    scales, shifts = (tuple(like(bias) for bias in hidden) for like in (jnp.ones_like, jnp.zeros_like))
    return NormalisedMLP(net, scales, shifts, before_activation)


def _affine(x: Array, weight: Array, bias: Array, product: Product = full_product) -> Array:
    return product(x, weight) + bias[..., None, :]


def uniform_mlp(key: Key[Array, ""], sizes: Sequence[int], stack: tuple[int, ...] = ()) -> MLP:
    """Weights and biases uniform in ±1/sqrt(fan_in): actor and critics."""
    weights, biases = [], []
    for layer_key, (fan_in, out) in zip(jax.random.split(key, len(sizes) - 1), pairwise(sizes), strict=True):
        weight_key, bias_key = jax.random.split(layer_key)
        bound = fan_in**-0.5
        weights.append(jax.random.uniform(weight_key, (*stack, fan_in, out), minval=-bound, maxval=bound))
        biases.append(jax.random.uniform(bias_key, (*stack, out), minval=-bound, maxval=bound))
    return MLP(tuple(weights), tuple(biases))


def steady_mlp(key: Key[Array, ""], obs: int, act: int, hidden: tuple[int, ...]) -> MLP:
    """A deterministic actor of the shape that `export` takes, tanh(mean).

    Losses of the mean teach no spread, so the standard deviation is set to the smallest one and stays there: what it
    samples is what it would do.
    """
    actor = uniform_mlp(key, (obs, *hidden, 2 * act))
    weight = actor.weights[-1].at[:, act:].set(0.0)
    bias = actor.biases[-1].at[act:].set(LOG_STD_MIN)
    return MLP((*actor.weights[:-1], weight), (*actor.biases[:-1], bias))


def normal_mlp(key: Key[Array, ""], sizes: Sequence[int], stack: tuple[int, ...] = ()) -> MLP:
    """Weights normal with std 1/(2 sqrt(fan_in)), biases 0: dynamics members."""
    keys = jax.random.split(key, len(sizes) - 1)
    pairs = list(pairwise(sizes))
    weights = tuple(
        jax.random.normal(k, (*stack, fan_in, out)) / (2 * fan_in**0.5)
        for k, (fan_in, out) in zip(keys, pairs, strict=True)
    )
    return MLP(weights, tuple(jnp.zeros((*stack, out)) for _, out in pairs))


def gaussian(
    actor: MLP, observation: Float[Array, "rows obs"]
) -> tuple[Float[Array, "rows act"], Float[Array, "rows act"]]:
    """Mean and log standard deviation of the action before tanh."""
    mean, log_std = jnp.split(actor(observation, jax.nn.relu), 2, axis=-1)
    return mean, jnp.clip(log_std, LOG_STD_MIN, LOG_STD_MAX)


def sample(
    actor: MLP, observation: Float[Array, "rows obs"], noise: Float[Array, "rows act"]
) -> tuple[Float[Array, "rows act"], Float[Array, " rows"]]:
    """a = tanh(mean + std * noise) and its exact log-probability (SAC, arXiv 1801.01290, appendix C).

    log(1 - tanh(u)^2) = 2 (log 2 - u - softplus(-2u)); the authors' log(1 - a^2 + 1e-6) caps the correction
    at 13.8 per dimension where actions saturate.
    """
    mean, log_std = gaussian(actor, observation)
    u = mean + jnp.exp(log_std) * noise
    log_normal = -0.5 * (noise**2 + jnp.log(2 * jnp.pi)) - log_std
    log_slope = 2 * (jnp.log(2.0) - u - jax.nn.softplus(-2 * u))
    return jnp.tanh(u), jnp.sum(log_normal - log_slope, axis=-1)


def mode(actor: MLP, observation: Float[Array, "rows obs"]) -> Float[Array, "rows act"]:
    """The deterministic action, tanh(mean)."""
    return jnp.tanh(gaussian(actor, observation)[0])


def action_error(actor: MLP, observation: Float[Array, "rows obs"], action: Float[Array, "rows act"]) -> Scalar:
    """Mean of (tanh(mean(s)) - a)^2 over rows and actions: how far the actor's mode is from what was done."""
    return jnp.mean((mode(actor, observation) - action) ** 2)


def q_values(
    critics: Network, observation: Float[Array, "rows obs"], action: Float[Array, "rows act"]
) -> Float[Array, "critic rows"]:
    """Every critic's value of every row."""
    return critics(jnp.concatenate([observation, action], axis=-1), jax.nn.relu)[..., 0]


def state_values(value: MLP, observation: Float[Array, "rows obs"]) -> Float[Array, " rows"]:
    """V of every row."""
    return value(observation, jax.nn.relu)[..., 0]
