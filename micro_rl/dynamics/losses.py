"""What a fit of the ensemble makes small: likelihood, weight decay, a pull on the bounds; and the held-out error."""

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Scalar

from micro_rl.core.sizes import FitSizes
from micro_rl.dynamics.ensemble import Members, gaussians


def likelihood_loss(
    members: Members, inputs: Float[Array, "*member rows in"], targets: Float[Array, "*member rows out"]
) -> Scalar:
    """Gaussian negative log-likelihood up to constants, summed over members (PETS, section 4)."""
    mean, variance = gaussians(members, inputs)
    return jnp.sum(jnp.mean((mean - targets) ** 2 / variance + jnp.log(variance), axis=(-2, -1)))


def weight_decay(members: Members, rates: tuple[float, ...]) -> Scalar:
    """0.5 * rate * |w|^2 per layer; biases are free."""
    layers = zip(rates, members.net.weights, strict=True)
    return sum((0.5 * rate * jnp.sum(weight**2) for rate, weight in layers), start=jnp.zeros(()))


def fit_loss(members: Members, inputs: Array, targets: Array, sizes: FitSizes) -> Scalar:
    """What a fitting step minimises: likelihood, weight decay, and a pull on the log-variance bounds."""
    spread = jnp.sum(members.max_logvar) - jnp.sum(members.min_logvar)
    return (
        likelihood_loss(members, inputs, targets)
        + weight_decay(members, sizes.weight_decay)
        + sizes.logvar_weight * spread
    )


def holdout_errors(
    members: Members, inputs: Array, targets: Array, exogenous: tuple[int, ...] = ()
) -> Float[Array, " member"]:
    """Mean squared error of each member's mean, in the units of the targets, over all columns but exogenous ones.

    Rows are those of all members [row, ...], or of each its own [member, row, ...].
    """
    mean, _ = gaussians(members, inputs)
    if exogenous:
        columns = np.setdiff1d(np.arange(targets.shape[-1]), exogenous)
        mean, targets = mean[..., columns], targets[..., columns]
    own = targets if targets.ndim == mean.ndim else targets[None]
    return jnp.mean((mean - own) ** 2, axis=(-2, -1))
