"""The policy as one Python file that needs NumPy alone."""

import keyword
import pprint
import sys
from pathlib import Path

from micro_rl.core.constants import LOG_STD_MAX, LOG_STD_MIN
from micro_rl.core.numpy_network import FURTHEST, inward
from micro_rl.deploy import python_guard
from micro_rl.deploy.equality import TOLERANCE, pure
from micro_rl.deploy.python_arrays import call, encoded, literal
from micro_rl.deploy.source import Source
from micro_rl.deploy.template import filled
from micro_rl.deploy.trial import near
from micro_rl.errors import UserError
from micro_rl.policy import Policy

CHECKED = 8
"""Windows that the file keeps for its self-check."""
USAGE = """    decision = {module}.act(observation)  # by names, or {observations} numbers, or rows of them
    decision.action, decision.mean, decision.log_std
"""
USAGE_OF_PAST = """    past = {module}.Past()
    decision = past.step(observation)  # once a step, by names, or {observations} numbers, or rows of them
    past.applied(action)               # where something else than decision.action was applied

{module}.act(window) remembers nothing; Past.window makes its window, Past.prime takes over the real past.
"""


def checked_name(path: Path) -> str:
    """The module's name; `UserError` where Python could not import it, or would take it for another module."""
    module = path.stem
    if path.suffix != ".py":
        raise UserError(f"--out {path}: a Python file's name ends in .py")
    if not module.isidentifier() or not module.isascii() or keyword.iskeyword(module):
        raise UserError(f"--out {path}: Python cannot import a module called {module!r}; use letters, digits and _")
    if module in sys.stdlib_module_names or module == "numpy":
        raise UserError(f"--out {path}: hides Python's module {module!r}; choose another name")
    return module


def python_text(source: Source, module: str) -> str:
    """The file's text; the same for the same policy.

    Args:
        source: the policy and where it comes from.
        module: the name that it will be imported by.
    """
    policy = source.policy
    inputs = near(policy, CHECKED)
    history = policy.history > 1
    usage = (USAGE_OF_PAST if source.before else USAGE).format(module=module, observations=policy.observation_size)
    return filled(
        "policy.py",
        module=module,
        usage=usage,
        info=pprint.pformat(source.as_dict(), width=115, sort_dicts=False),
        observations=policy.observation_size,
        actions=policy.action_size,
        history=policy.history,
        window=len(policy.observation_mean),
        log_std_min=LOG_STD_MIN,
        log_std_max=LOG_STD_MAX,
        furthest=FURTHEST,
        tolerance=TOLERANCE,
        seen="window" if history else "observation",
        kind="ArrayLike" if history else "Named",
        names="()" if history else "OBSERVATION_NAMES",
        past=python_guard.past(source.before, policy.history, source.guard),
        **python_guard.of_file(source.guard),
        check_inputs=encoded(inputs.astype("<f8")),
        check_actions=encoded(pure(policy)(inputs).astype("<f4")),
        **_numbers(policy),
    )


def _numbers(policy: Policy) -> dict[str, str]:
    """Vectors as literals, which Python reads back to the bit, and layers in base64."""
    lowest, highest = inward(policy.action_low, policy.action_high)
    return {
        "mean": literal(policy.observation_mean),
        "std": literal(policy.observation_std),
        "action_mid": literal(policy.action_mid),
        "action_half": literal(policy.action_half),
        "lowest": literal(lowest),
        "highest": literal(highest),
        "layers": "\n".join(f"    ({call(weight)}, {call(bias)})," for weight, bias in policy.layers),
    }
