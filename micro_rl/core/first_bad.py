"""When a number went bad: the first place in a sequence of updates that is not finite, or too large."""

from collections.abc import Mapping

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int, Scalar


def first_bad(values: Float[Array, " update"], limit: Scalar | float = jnp.inf) -> Int[Array, ""]:
    """Find the first update whose value is not finite or whose size reaches a limit.

    Args:
        values: One number for each update [update], in order.
        limit: The size from which on a number is bad.

    Returns:
        The number of that update, from 1; 0 where there is none.
    """
    bad = ~(jnp.abs(values) < limit)  # NaN is below nothing
    return jnp.where(jnp.any(bad), jnp.argmax(bad).astype(jnp.int32) + 1, 0)


def first_bad_of_each(
    terms: Mapping[str, Float[Array, " update"]], limits: Mapping[str, Scalar | float]
) -> dict[str, Int[Array, ""]]:
    """`first_bad` of every term; one that `limits` does not name has to be finite."""
    return {name: first_bad(values, limits.get(name, jnp.inf)) for name, values in terms.items()}
