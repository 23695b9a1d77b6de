"""The network of a policy in NumPy: its arrays, kept from being written to, and what it gives."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from micro_rl.core.shapes import Float

FURTHEST = 1e20
"""Standardised observations are clamped to this size, so that float32 does not overflow on the way to an
action that has long been saturated."""


def frozen(values: ArrayLike, dtype: Any) -> np.ndarray:
    """A contiguous copy that cannot be written to, so a policy stays what it was when it was checked."""
    copy = np.array(values, dtype, order="C")
    copy.flags.writeable = False
    return copy


def frozen_layers(layers: Sequence[tuple[ArrayLike, ArrayLike]]) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Copies whose sizes are not looked at yet.

    Args:
        layers: (weight [in, out], bias [out]) in order.

    Returns:
        The same in float32.

    Raises:
        ValueError: these are no pairs of arrays.
    """
    try:
        return tuple((frozen(weight, np.float32), frozen(bias, np.float32)) for weight, bias in layers)
    except (TypeError, ValueError):
        raise ValueError("layers must be pairs of arrays (weight [in, out], bias [out])") from None


def inward(
    low: Float[np.ndarray, " act"], high: Float[np.ndarray, " act"]
) -> tuple[Float[np.ndarray, " act"], Float[np.ndarray, " act"]]:
    """Bounds as float32 rounded inwards, so that what is clipped to them is within the bounds.

    Where float32 has no number between the two, both are the one nearest to their middle.
    """
    with np.errstate(over="ignore"):
        lowest, highest, middle = (bound.astype(np.float32) for bound in (low, high, low / 2 + high / 2))
    lowest = np.where(lowest < low, np.nextafter(lowest, np.float32(np.inf)), lowest)
    highest = np.where(highest > high, np.nextafter(highest, np.float32(-np.inf)), highest)
    none = lowest > highest
    return np.where(none, middle, lowest), np.where(none, middle, highest)


def standardised(
    window: Float[np.ndarray, "*rows window"], mean: Float[np.ndarray, " window"], std: Float[np.ndarray, " window"]
) -> Float[np.ndarray, "*rows window"]:
    """Core units, float32; the mean is subtracted in float64, or a large offset would eat the digits."""
    with np.errstate(over="ignore"):
        core = (window - mean) / std
    return np.minimum(np.maximum(core, -FURTHEST), FURTHEST).astype(np.float32)


def last_layer(
    layers: Sequence[tuple[np.ndarray, np.ndarray]], inputs: Float[np.ndarray, "*rows window"]
) -> Float[np.ndarray, "*rows out"]:
    """What the last of the layers gives, ReLU between them, float32.

    Each row is a matrix of its own, [rows, 1, in] @ [in, out]: NumPy then runs one matrix-vector product
    a row, which rounds alike however many rows there are and wakes no BLAS threads, whose stalls on a
    busy machine cost milliseconds.
    """
    hidden = inputs[..., None, :]
    for weight, bias in layers[:-1]:
        hidden = np.maximum(hidden @ weight + bias, 0)
    weight, bias = layers[-1]
    return (hidden @ weight + bias)[..., 0, :]
