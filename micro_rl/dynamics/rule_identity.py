"""Which rule a Python function is: by its name, and by what it answers, so that a run goes on under no other."""

import hashlib
from functools import partial
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from micro_rl.dynamics.termination_rules import Rule

ROWS = 10_000
"""So many rows of the log at most, and as many around it, are shown to a rule."""
FEW = 10
"""An array of more numbers is called by its type."""


def name_of(rule: Any) -> str:
    """Name a function by where it is defined, with what a partial binds; never by where it lies in memory."""
    if isinstance(rule, partial):
        bound = [_word(value) for value in rule.args]
        bound += [f"{name}={_word(value)}" for name, value in sorted(rule.keywords.items())]
        return f"{name_of(rule.func)}({', '.join(bound)})"
    named = rule if hasattr(rule, "__qualname__") else type(rule)
    return f"{getattr(named, '__module__', '')}.{named.__qualname__}"


def _word(value: Any) -> str:
    if getattr(value, "size", FEW + 1) <= FEW and hasattr(value, "tolist"):
        value = value.tolist()
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)
    if isinstance(value, tuple | list):
        return f"({', '.join(map(_word, value))})"
    return name_of(value) if callable(value) else name_of(type(value))


def answers_of(rule: Rule, following: Float[np.ndarray, "row obs"]) -> str:
    """Tell which rows a rule ends: how many, and a digest of which.

    Args:
        rule: A function of raw next observations.
        following: Next observations of the log. Rows drawn around them, up to once their range beyond it, are shown to
            the rule as well, for models lead there.
    """
    log = following[:: max(1, len(following) // ROWS)].astype(np.float64)
    low, high = log.min(0), log.max(0)
    around = low + (high - low) * np.random.default_rng(0).uniform(-1, 2, (ROWS, log.shape[1]))
    rows = np.concatenate([log, around]).astype(np.float32)
    with jax.default_device(_processor()):  # the same on a machine with another device
        ended = np.asarray(jax.jit(rule)(rows), bool)
    digest = hashlib.sha256(np.packbits(ended).tobytes()).hexdigest()
    return f"ends {int(ended.sum()):,} of {len(rows):,} rows that were tried, {digest[:16]}"


def _processor() -> Any:
    """The processor, None where JAX has none."""
    try:
        return jax.devices("cpu")[0]
    except RuntimeError:
        return None
