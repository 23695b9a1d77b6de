"""Random orders, sorted once."""

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Int, Key


def orders(key: Key[Array, ""], shape: tuple[int, ...]) -> Int[Array, "*shape"]:
    """The numbers from 0 along the last axis, in a random order of its own for each row: ranks of random bits.

    Equal bits keep their order: of 50,000 numbers one pair, in every fourth order. `jax.random.permutation` sorts
    twice to break even those.
    """
    return jnp.argsort(jax.random.bits(key, shape), axis=-1)
