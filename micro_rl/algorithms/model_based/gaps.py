"""The conservative term f of MICRO (arXiv 2312.03991): how far the worst candidate values lie below the usual one.

A gap is a function of the candidates' values. The paper's own is mean less minimum; the others are variants of ours.
"""

from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Scalar

from micro_rl.core.moments import Moments, least
from micro_rl.errors import UserError


class Gap(eqx.Module):
    """f(s, a) from the values of the candidates and of the stored next state."""

    @abstractmethod
    def __call__(
        self, values: Float[Array, "candidate rows"], next_value: Float[Array, " rows"]
    ) -> Float[Array, " rows"]: ...

    def refuse(self, candidates: int) -> None:
        """Raise `UserError` where its options do not fit so many candidates; asked before anything is fitted."""


class ExpectedGap(Gap):
    """One whose expectation over independent Gaussian values has a closed form."""

    @abstractmethod
    def expected(self, values: Moments, next_value: Float[Array, " rows"]) -> Float[Array, " rows"]:
        """E[f], of values [candidate, rows]."""


def conservative_term(values: Float[Array, "candidate rows"]) -> Float[Array, " rows"]:
    """f(s, a) = mean_i v_i - min_i v_i: how much worse the worst is than the average (arXiv 2312.03991)."""
    return jnp.mean(values, axis=0) - jnp.min(values, axis=0)


class MeanLessMinimum(ExpectedGap):
    """The paper's own f."""

    def __call__(
        self, values: Float[Array, "candidate rows"], next_value: Float[Array, " rows"]
    ) -> Float[Array, " rows"]:
        return conservative_term(values)

    def expected(self, values: Moments, next_value: Float[Array, " rows"]) -> Float[Array, " rows"]:
        return jnp.mean(values.mean, axis=0) - least(values).mean


class MeanLessSoftMinimum(Gap):
    """mean_i v_i + tau log mean_i exp(-v_i / tau), the entropic risk: tau -> 0 is the minimum, infinity the mean."""

    softness: Scalar

    def __call__(
        self, values: Float[Array, "candidate rows"], next_value: Float[Array, " rows"]
    ) -> Float[Array, " rows"]:
        soft = jax.nn.logsumexp(-values / self.softness, axis=0) - jnp.log(float(values.shape[0]))
        return jnp.mean(values, axis=0) + self.softness * soft


class MeanLessKthSmallest(Gap):
    """mean_i v_i - v_(k): k = 1 is the minimum. It is below 0 where the k-th value is above the mean."""

    k: int = eqx.field(static=True)

    def __call__(
        self, values: Float[Array, "candidate rows"], next_value: Float[Array, " rows"]
    ) -> Float[Array, " rows"]:
        return jnp.mean(values, axis=0) - jnp.sort(values, axis=0)[self.k - 1]

    def refuse(self, candidates: int) -> None:
        if self.k > candidates:
            raise UserError(f"k: {self.k} of {candidates} candidates; at most as many as candidates")


class NextValueLessMinimum(ExpectedGap):
    """V(s') - min_i v_i: beta = 1 puts the minimum in the place of V(s'), entropy and all."""

    def __call__(
        self, values: Float[Array, "candidate rows"], next_value: Float[Array, " rows"]
    ) -> Float[Array, " rows"]:
        return next_value - jnp.min(values, axis=0)

    def expected(self, values: Moments, next_value: Float[Array, " rows"]) -> Float[Array, " rows"]:
        return next_value - least(values).mean
