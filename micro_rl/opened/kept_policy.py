"""The policy of an epoch whose state a run folder keeps: the bits that training would have written then."""

from collections.abc import Mapping
from itertools import count, takewhile
from pathlib import Path

import numpy as np

from micro_rl.errors import UserError
from micro_rl.policy import Policy
from micro_rl.storage.policy_parts import Layer
from micro_rl.storage.run_folder import RunFolder

ACTOR = "agent.actor"
"""What the actor's arrays are called in a checkpoint: this, `.weights.0`, `.biases.0` and so on."""


def kept_policy(folder: RunFolder, epoch: int) -> Policy:
    """Make the policy of an epoch from its checkpoint; units and columns are those of the run's own policy.

    Args:
        folder: a run that has written its policy.
        epoch: whose state is kept.

    Returns:
        The policy; saved, its file is byte for byte what training would have written after that epoch.

    Raises:
        UserError: the run has no policy yet, the epoch's state is not kept (names those that are), or it is damaged.
    """
    own = Policy.load(policy_path(folder))
    epochs = folder.checkpoints.epochs()
    if epoch not in epochs:
        names = ", ".join(map(str, epochs)) or "none"
        raise UserError(f"{folder.path}: the state of epoch {epoch} is not kept; kept are: {names}")
    layers = _actor(folder.checkpoints.read(epoch).arrays)
    try:
        return Policy(
            layers,
            observation_mean=own.observation_mean,
            observation_std=own.observation_std,
            action_mid=own.action_mid,
            action_half=own.action_half,
            environment=own.environment,
            history=own.history,
            columns=own.columns,
            mapping=own.mapping,
        )
    except ValueError as error:
        raise UserError(f"{folder.checkpoints.folder(epoch)}: holds no actor of this run ({error})") from error


def policy_path(folder: RunFolder) -> Path:
    """The file of the last epoch's policy; `UserError` where there is none yet."""
    path = folder.path / "policy.safetensors"
    if not path.exists():
        raise UserError(f"{folder.path}: has no policy yet; {folder.way_on}")
    return path


def _actor(arrays: Mapping[str, np.ndarray]) -> list[Layer]:
    """The layers in order; none where there is no actor."""
    names = ((f"{ACTOR}.weights.{layer}", f"{ACTOR}.biases.{layer}") for layer in count())
    return [(arrays[weight], arrays[bias]) for weight, bias in takewhile(lambda pair: set(pair) <= set(arrays), names)]
