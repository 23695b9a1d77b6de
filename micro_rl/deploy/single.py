"""The arrays of a policy in single precision, for what computes in it alone."""

import numpy as np

from micro_rl.control.guard import Guard
from micro_rl.core.columns import title
from micro_rl.core.numpy_network import inward
from micro_rl.core.shapes import Float, Float64
from micro_rl.errors import UserError
from micro_rl.policy import Policy

PARTED = ("center", "action_center", "low", "high")
WHOLE = ("scale", "action_scale", "references", "weights", "residual_scale", "whitening", "still_cost", "usual")
POSITIVE = ("scale", "action_scale", "residual_scale", "usual")


def tables_of(policy: Policy) -> dict[str, Float[np.ndarray, "..."]]:
    """Every array by its name, float32.

    A mean and a middle are kept in two parts, whose sum has the digits that one number of single precision lacks.
    Lowest and highest are the bounds, rounded inwards.

    Raises:
        UserError: a mean, deviation or bound is no number of single precision.
    """
    mean, deviation = policy.observation_mean, policy.observation_std
    named = {"mean": (mean, "observation"), "standard deviation": (deviation, "observation")}
    named |= {"bound": (np.abs(policy.action_mid) + policy.action_half, "action")}
    named |= {"half range": (policy.action_half, "action")}
    for name, (values, part) in named.items():
        _check(policy, name, values, part)
    tables = dict(zip(("mean_high", "mean_low"), _parted(mean), strict=True))
    tables |= {"deviation": deviation.astype(np.float32)}
    tables |= dict(zip(("middle_high", "middle_low"), _parted(policy.action_mid), strict=True))
    tables |= {"half": policy.action_half.astype(np.float32)}
    tables |= dict(zip(("lowest", "highest"), inward(policy.action_low, policy.action_high), strict=True))
    for number, (weight, bias) in enumerate(policy.layers):
        tables |= {f"weight{number}": weight, f"bias{number}": bias}
    return tables


def tables_of_guard(guard: Guard) -> dict[str, Float[np.ndarray, "..."]]:
    """The same of a guard's arrays; centers and limits are kept in two parts.

    Raises:
        UserError: a number is none of single precision.
    """
    arrays = {name: np.asarray(getattr(guard, name)) for name in PARTED + WHOLE}
    limits = np.finfo(np.float32)
    for name, values in arrays.items():
        small = name in POSITIVE and (values < limits.tiny).any()
        if small or not (np.abs(values) <= limits.max).all():
            raise UserError(f"export: the guard's {name} has values that single precision cannot hold: scale the log")
    tables: dict[str, np.ndarray] = {}
    for name in PARTED:
        tables |= zip((f"guard_{name}_high", f"guard_{name}_low"), _parted(arrays[name]), strict=True)
    return tables | {f"guard_{name}": arrays[name].astype(np.float32) for name in WHOLE}


def _parted(values: Float64[np.ndarray, " column"]) -> tuple[np.ndarray, np.ndarray]:
    high = values.astype(np.float32)
    return high, (values - high.astype(np.float64)).astype(np.float32)


def _check(policy: Policy, name: str, values: Float64[np.ndarray, " column"], part: str) -> None:
    """Refuse what single precision cannot hold: too large, or a scale so small that it loses its digits."""
    limits = np.finfo(np.float32)
    small = values < limits.tiny if name in ("standard deviation", "half range") else np.zeros(values.shape, bool)
    wrong = small | (np.abs(values) > limits.max)
    if not wrong.any():
        return
    number = int(np.argmax(wrong))
    columns = policy.columns.observations if part == "observation" else policy.columns.actions
    where = title(part, number % len(columns), columns[number % len(columns)])
    raise UserError(
        f"export: {where} has the {name} {values[number]:.3g}, which single precision cannot hold: scale the column in "
        "the log"
    )
